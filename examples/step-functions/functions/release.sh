. ./functions/json.sh
echo "released what was reserved for order $(text order)"
