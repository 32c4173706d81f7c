. ./functions/json.sh
give "{\"parcels\": $(tr -cd '{' < "$REGIE_INPUT" | wc -c | tr -d ' ')}"
