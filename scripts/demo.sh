#!/usr/bin/env bash
# Runs the examples with bin/regie and says where their results are: two from the
# command line, then some on a server, which is killed in the middle and started
# again. On a terminal Regie draws the live tree, and the server stays until it is
# asked to stop. Nothing is left running; everything that is written goes into one
# new folder, which is named in the end.
set -euo pipefail
cd "$(dirname "$0")/.."

demo=$(mktemp -d "${TMPDIR:-/tmp}/regie-demo.XXXXXX")
demo=$(cd "$demo" && pwd)
bank='' server=''
finish() {
	local pid
	for pid in $server $bank; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
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

# The server listens on a free port of this machine, and on the same one when it
# is started again. Its first start gives a token, which is good once.
printf '\n== a server: deliveries, while it is killed\n\n'
export XDG_CONFIG_HOME=$demo/config
mkdir -p "$demo/secrets/default"
printf 'token-of-the-demo' >"$demo/secrets/default/BANK_TOKEN"
listen=127.0.0.1:0
start_server() {
	local line=''
	mkfifo "$demo/ready"
	bin/regie server --data "$demo/server" --listen "$listen" --secrets "$demo/secrets" --sqlite-folder "$demo" \
		--allow-host "${url#http://}" --log-level error --output json >"$demo/ready" 2>>"$demo/server.log" &
	server=$!
	exec 3<"$demo/ready"
	rm "$demo/ready"
	ready=''
	while [[ $line != '}' ]] && IFS= read -r line <&3; do ready+=$line$'\n'; done
	if [[ $line != '}' ]]; then
		cat "$demo/server.log" >&2
		exit 1
	fi
}
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" <<<"$ready"; }
first_id() { sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -1; }
start_server
address=$(field url)
listen=${address#http://}
bin/regie context login "$address" --token "$(field admin_token)" --name demo
book=$demo/book
: >"$book"
bin/regie namespaces put default --var "DELIVERIES_BOOK=$book" --var "STOCK_FILE=$demo/stock" \
	--var "bank_url=$url" --var "ledger_file=$demo/server-ledger.db" --var "LEDGER=$demo/ledger"
bin/regie apply examples/deliveries examples/nightly-settlement

orders=20
order() { bin/regie start deliveries --key "order-$1" --input "{\"order\": \"$1\"}" "${@:2}"; }
for n in $(seq $orders); do order "$n" >/dev/null; done
bin/regie runs state:running --limit 5
for _ in $(seq 600); do # at most a minute
	if [[ $(wc -l <"$book") -gt $((orders + 5)) ]]; then break; fi
	read -r -t 0.1 _ <&3 || true
done
printf '\nkill -9 %s, with %s lines in the book of what was done\n' "$server" "$(wc -l <"$book")"
kill -9 "$server"
wait "$server" 2>/dev/null || true
start_server
printf 'started again; the same orders are asked for again, by the same keys\n'
for n in $(seq $orders); do order "$n" --wait >/dev/null 2>&1; done
wanted=$((orders * 4))
written=$(wc -l <"$book")
different=$(sort -u "$book" | wc -l)
bin/regie verify
printf '\n%s orders of 4 steps: %s lost, %s doubled, audit verified\n' \
	"$orders" "$((wanted - different))" "$((written - different))"
[[ $different == "$wanted" && $written == "$wanted" ]]

printf '\n== nightly-settlement, on the server\n\n'
bin/regie start nightly-settlement --input '{"approved_by": "the demo"}' --wait

printf '\n== why does it wait?\n\n'
held=$(bin/regie start deliveries --held --reason "the customer has not paid" --input '{"order": "held"}' --output json | first_id)
bin/regie why "$held"
bin/regie release "$held" --reason "paid"

printf '\n== a step fails, the file arrives, it is tried again\n\n'
bin/regie start stock --key stock --wait || true
stock=$(bin/regie runs name:stock --output json | first_id)
bin/regie why "$stock"
seq 12 >"$demo/stock"
bin/regie retry "$stock" --reason "the file has arrived"
bin/regie watch "$stock"
bin/regie watch "$held" >/dev/null

printf '\n== two runs want the same lock\n\n'
ledger=$demo/ledger
touch "$ledger.busy"
bin/regie apply examples/reconcile
north=$(bin/regie start reconcile --input '{"branch": "north"}' --output json | first_id)
for _ in $(seq 600); do # at most a minute
	if [[ -s $ledger ]]; then break; fi
	read -r -t 0.1 _ <&3 || true
done
south=$(bin/regie start reconcile --input '{"branch": "south"}' --output json | first_id)
bin/regie why "$south"
bin/regie limits list
rm "$ledger.busy"
bin/regie watch "$north" >/dev/null
bin/regie watch "$south"

printf '\n== one step is run again, and what follows it\n\n'
bin/regie rerun "$south" --from print --reason "the printer was out of paper"
bin/regie watch "$south"
[[ $(grep -c 'reconcile south' "$ledger") == 1 && $(grep -c 'print south' "$ledger") == 2 ]]

cat <<EOT

The report:  $demo/report/report.html
The ledger:  $demo/ledger.db
The book:    $book
The server:  $address, data folder $demo/server, log $demo/server.log
Try next, in another terminal, with XDG_CONFIG_HOME=$demo/config:
  bin/regie runs                                  what ran; also show, logs, why
  bin/regie schedules                             what is to come
  bin/regie audit list                            who did what
And without a server:
  bin/regie test examples                         the tests of the examples
  bin/regie init hello && bin/regie run hello     a workflow of your own
  docs/getting-started.md, docs/server.md         step by step
To clean up: rm -r $demo
EOT
if [[ -t 0 ]]; then
	read -r -p 'The server runs. Enter stops it. ' || true
fi
