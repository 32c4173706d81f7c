# What the functions share: members of the payload, which is one line of JSON.

# text NAME prints a member that is a text, number NAME one that is a number.
text() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$REGIE_INPUT"; }
number() { sed -n "s/.*\"$1\":\([0-9][0-9]*\).*/\1/p" "$REGIE_INPUT"; }

# give JSON is what the function returns.
give() { printf '%s' "$1" > "$REGIE_OUTPUT"; }

# raise NAME MESSAGE fails with an error of that name.
raise() {
	give "{\"errorType\": \"$1\", \"errorMessage\": \"$2\"}"
	exit 1
}
