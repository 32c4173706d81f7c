# Writes the report from $WORK/totals.tsv to $FOLDER/report.html. It appears at
# once and whole: whoever reads the folder never finds half a page.
. scripts/lib.sh

# escape: standard input as text of HTML.
escape() { sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g' -e "s/'/\&#39;/g"; }

{
	for fact in "name	$NAME" "root	$ROOT" "branch	$BRANCH" "head	$HEAD" "shallow	$SHALLOW" \
		"all	$COMMITS" "run	$REGIE_RUN_ID"; do
		printf 'fact\t%s' "$fact" | tr '\n' ' '
		echo
	done
	[ ! -f "$WORK/totals.tsv" ] || cat "$WORK/totals.tsv"
} | clean | escape >facts

awk -F '\t' -v style=scripts/style.css -f scripts/page.awk facts >"$WORK/report.html"
mv "$WORK/report.html" "$FOLDER/report.html"
printf '{"report": %s}\n' "$(json "$FOLDER/report.html")" >"$REGIE_OUTPUT"
echo "wrote $FOLDER/report.html"
