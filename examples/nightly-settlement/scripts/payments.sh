# Stands in for the system that payments come from: makes those of one date,
# $COUNT in all, in four batches. The same date gives the same payments, as
# asking a real system twice would.
set -eu
export LC_ALL=C

awk -v date="$DATE" -v count="$COUNT" '
	# A generator of numbers that is the same in every awk.
	function random(below) {
		seed = (seed * 16807) % 2147483647
		return seed % below
	}
	BEGIN {
		digits = date
		gsub(/-/, "", digits)
		seed = digits % 2147483646 + 1
		for (i = 0; i < 20; i++) random(10)
		split("north east south west", batches, " ")
		split("Alder Bakery,Brook & Sons,Cedar Clinic,Dune Books,Elm Garage,Fjord Foods", creditors, ",")
		printf "{\"payments\": ["
		for (i = 1; i <= count; i++) {
			cents = 1000 + random(250000)
			printf "%s\n{\"id\": \"%s-%04d\", \"batch\": \"%s\", \"creditor\": \"%s\", \"amount\": \"%d.%02d\"}",
				(i > 1 ? "," : ""), date, i, batches[(i - 1) % 4 + 1], creditors[random(6) + 1], int(cents / 100), cents % 100
		}
		printf "]}\n"
	}' >"$REGIE_OUTPUT"
echo "$COUNT payments for $DATE"
