. ./functions/json.sh
amount=$(number amount)
if [ "$amount" -gt 500000 ]; then
	raise Payment.Declined "$(text customer) may not spend $amount"
fi
give "{\"receipt\": \"R-$(text order)\", \"amount\": $amount}"
