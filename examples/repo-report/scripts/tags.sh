# Lists the tags of the time from $FROM up to, without, $TO: lines "tag", time,
# name.
. scripts/lib.sh

repo_git for-each-ref --format='%(creatordate:unix) %(refname:strip=2)' refs/tags >tags
clean <tags | awk -v from="$FROM" -v to="$TO" '
	$1 + 0 >= from && $1 + 0 < to { at = $1; sub(/^[^ ]* /, ""); gsub(/\t/, " "); printf "tag\t%s\t%s\n", at, $0 }' |
	sort -t "$(printf '\t')" -k 2,2n -k 3 >"$WORK/tags.tsv"
printf '{"tags": %s}\n' "$(wc -l <"$WORK/tags.tsv" | tr -d ' ')" >"$REGIE_OUTPUT"
