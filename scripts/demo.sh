#!/usr/bin/env bash
# Runs both examples with bin/regie and says where their results are. On a
# terminal Regie draws the live tree. Nothing is left running; everything that
# is written goes into one new folder, which is named in the end.
set -euo pipefail
cd "$(dirname "$0")/.."

demo=$(mktemp -d "${TMPDIR:-/tmp}/regie-demo.XXXXXX")
demo=$(cd "$demo" && pwd)
bank=
finish() {
	if [[ -n $bank ]]; then
		kill "$bank" 2>/dev/null || true
		wait "$bank" 2>/dev/null || true
	fi
}
trap finish EXIT

# A text as JSON: the paths of this machine may have anything in them.
json() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

# repo-report reports on this repository. Without one that git may read (an
# archive of the source, or a clone of another user) it makes one up.
repository=$PWD
if ! git -C "$repository" rev-parse --git-dir >/dev/null 2>&1; then
	repository=$demo/sample
	examples/repo-report/sample-repository.sh "$repository"
fi
printf '\n== repo-report: the history of %s as a page\n\n' "$repository"
bin/regie run examples/repo-report --data "$demo/runs/repo-report" \
	--input "{\"path\": $(json "$repository"), \"folder\": $(json "$demo/report")}"

# nightly-settlement needs a bank: a small program beside it, on a free port of
# this machine. It prints its URL in one line once it can be called.
printf '\n== nightly-settlement: payments, a ledger, and a bank that is busy at first\n\n'
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o bin/example-bank ./examples/nightly-settlement/bank
mkfifo "$demo/bank.url"
BANK_TOKEN=token-of-the-demo bin/example-bank >"$demo/bank.url" &
bank=$!
read -r url <"$demo/bank.url"
rm "$demo/bank.url"
REGIE_VAR_BANK_URL=$url REGIE_VAR_LEDGER_FILE=$demo/ledger.db REGIE_SECRET_BANK_TOKEN=token-of-the-demo \
	bin/regie run examples/nightly-settlement --data "$demo/runs/nightly-settlement" \
	--input '{"approved_by": "the demo"}'

cat <<EOT

The report:  $demo/report/report.html
The ledger:  $demo/ledger.db
Try next:
  bin/regie show                                  the runs, and one by its ID
  bin/regie test examples                         the tests of both examples
  bin/regie init hello && bin/regie run hello     a workflow of your own
  docs/getting-started.md                         step by step
To clean up: rm -r $demo
EOT
