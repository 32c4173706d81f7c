#!/usr/bin/env bash
# Runs every fuzz target of the tree in turn, each for FUZZTIME (default 10s).
# Fails when one of them finds something, or when there is none to run.
set -euo pipefail

fuzztime=${FUZZTIME:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Lines of "folder target".
targets=$({ grep -rE --include='*_test.go' --exclude-dir=testdata '^func Fuzz[A-Za-z0-9_]*\(' . || true; } |
	sed -E 's#^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]*)\(.*#\1 \2#' | sort)
if [[ -z $targets ]]; then
	echo "fuzz: no fuzz target found" >&2
	exit 1
fi

# When the time is up, the fuzzing coordinator sometimes reports its own
# deadline as a failure (golang/go#75804). That, with no input found and the
# collected inputs passing, is not a finding.
only_deadline() { # folder target
	grep -q '^ *context deadline exceeded$' "$log" &&
		! grep -qE 'Failing input written|panic:|_test\.go:[0-9]+:' "$log" &&
		CGO_ENABLED=0 go test -count=1 -run "^$2\$" "$1"
}

failed=0 passed=0
while read -r folder target; do
	echo "fuzz: $folder $target for $fuzztime"
	if CGO_ENABLED=0 go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$folder" </dev/null >"$log" 2>&1 ||
		only_deadline "$folder" "$target" </dev/null; then
		passed=$((passed + 1))
		grep '^fuzz: elapsed' "$log" | tail -n 1 || true
	else
		failed=$((failed + 1))
		cat "$log"
	fi
done <<<"$targets"
echo "fuzz: $passed targets passed, $failed failed"
((failed == 0))
