# Adds up what the months left in $WORK. People, files and hours of several
# months become one line each; the largest come first.
. scripts/lib.sh

tab=$(printf '\t')
cat "$WORK"/month-*.tsv | awk -F '\t' '
	$1 == "month" { commits += $3; added += $5; removed += $6; days += $7 }
	$1 == "person" { if (!($5 in person)) people++; person[$5] += $2; plus[$5] += $3; minus[$5] += $4 }
	$1 == "file" { if (!($4 in changes)) files++; changes[$4] += $2; lines[$4] += $3 }
	$1 == "hour" { hours[$2 "\t" $3] += $4 }
	END {
		printf "total\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", commits, people, added, removed, files, days
		for (name in person) printf "person\t%.0f\t%.0f\t%.0f\t%s\n", person[name], plus[name], minus[name], name
		for (path in changes) printf "file\t%.0f\t%.0f\t%s\n", changes[path], lines[path], path
		for (hour in hours) printf "hour\t%s\t%.0f\n", hour, hours[hour]
	}' >sums
# only WORD: the lines that begin with the word.
only() { awk -F '\t' -v word="$1" '$1 == word'; }
{
	only total <sums
	cat "$WORK"/month-*.tsv | only month | sort -t "$tab" -k 2,2
	only person <sums | sort -t "$tab" -k 2,2nr -k 5,5
	only file <sums | sort -t "$tab" -k 2,2nr -k 3,3nr -k 4,4 | head -n 10
	only hour <sums | sort -t "$tab" -k 2,2n -k 3,3n
	cat "$WORK"/month-*.tsv | only commit | awk -F '\t' '{ printf "%.0f\t%s\n", $2 + $3, $0 }' |
		sort -t "$tab" -k 1,1nr -k 6,6 | head -n 10 | cut -f 2-
	sort -t "$tab" -k 1,1 -k 2,2nr -k 3,3 "$WORK/tree.tsv"
	cat "$WORK/tags.tsv"
} >"$WORK/totals.tsv"

awk -F '\t' '
	$1 == "total" {
		printf "{\"commits\": %s, \"people\": %s, \"added\": %s, \"removed\": %s, \"files\": %s, \"days\": %s}\n", $2, $3, $4, $5, $6, $7
	}' "$WORK/totals.tsv" >"$REGIE_OUTPUT"
