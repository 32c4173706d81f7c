. ./functions/json.sh
sku=$(text sku) count=$(number count)
if [ "$count" -gt 100 ]; then
	raise OutOfStock "there are no $count of $sku"
fi
give "{\"sku\": \"$sku\", \"count\": $count, \"shelf\": \"$(printf '%s' "$sku" | cut -c1)$count\"}"
