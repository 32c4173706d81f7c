# Writes the report from $WORK/totals.tsv to $FOLDER/report.html. It appears at
# once and whole: whoever reads the folder never finds half a page.
. scripts/lib.sh

# escape: standard input as text of HTML.
escape() { sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g' -e "s/'/\&#39;/g"; }

# fact NAME TEXT: a line for page.awk.
fact() {
	printf 'fact\t%s\t' "$1"
	printf '%s' "$2" | tr '\n\t' '  '
	echo
}
{
	fact name "$NAME"
	fact root "$ROOT"
	fact branch "$BRANCH"
	fact head "$HEAD"
	fact shallow "$SHALLOW"
	fact all "$COMMITS"
	fact run "$REGIE_RUN_ID"
	[ ! -f "$WORK/totals.tsv" ] || cat "$WORK/totals.tsv"
} | clean | escape >facts

awk -F '\t' -v style=scripts/style.css -f scripts/page.awk facts >"$WORK/report.html"
mv "$WORK/report.html" "$FOLDER/report.html"
printf '{"report": %s}\n' "$(json "$FOLDER/report.html")" >"$REGIE_OUTPUT"
echo "wrote $FOLDER/report.html"
