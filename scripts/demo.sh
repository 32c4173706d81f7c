#!/usr/bin/env bash
# Runs both examples with bin/regie, each in a data folder of its own, and says
# where the reports are. On a terminal Regie draws the live tree.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$(mktemp -d "${TMPDIR:-/tmp}/regie-demo.XXXXXX")

for example in repo-report nightly-settlement; do
	printf '\n== examples/%s\n\n' "$example"
	bin/regie run "examples/$example" --data "$data/$example"
done

printf '\nData folder: %s\n' "$data"
reports=$(find "$data" -name '*.html' -type f | sort)
if [[ -z $reports ]]; then
	echo "demo: the examples ended well but left no HTML report below $data" >&2
	exit 1
fi
while read -r report; do printf 'HTML report: %s\n' "$report"; done <<<"$reports"
