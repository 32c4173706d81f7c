# Reads one month of the history of $HEAD: from $FROM up to, without, $TO (seconds since 1970), by the
# date on which commits were made part of the history.
. scripts/lib.sh

# The whole history is looked through rather than asked with --since, which
# stops at the first commit with an old date and misses those behind it.
repo_git log --format='%ct %H' "$HEAD" -- >all
awk -v from="$FROM" -v to="$TO" '$1 >= from && $1 < to { print $2 }' all >ids

# Commits whose parents a shallow clone left out seem to add every file.
: >edge
if [ "$(repo_git rev-parse --is-shallow-repository)" = true ]; then
	cat "$(repo_git rev-parse --path-format=absolute --git-path shallow 2>/dev/null ||
		echo "$(repo_git rev-parse --absolute-git-dir)/shallow")" >edge
fi

: >log
if [ -s ids ]; then # nothing to read would mean HEAD
	repo_git log --stdin --no-walk=unsorted --no-color --no-ext-diff --no-textconv -M --numstat \
		--encoding=UTF-8 --date=format:'%u %H' --format='commit %H%n%ct %ad%n%aN%n%s' <ids >log
fi
clean <log | awk -v month="$MONTH" -f scripts/month.awk edge - >"$WORK/month-$MONTH.tsv"

awk -F '\t' '
	$1 == "month" {
		printf "{\"month\": \"%s\", \"commits\": %s, \"people\": %s, \"added\": %s, \"removed\": %s}\n", $2, $3, $4, $5, $6
	}' "$WORK/month-$MONTH.tsv" >"$REGIE_OUTPUT"
echo "$MONTH: $(wc -l <ids | tr -d ' ') commits"
