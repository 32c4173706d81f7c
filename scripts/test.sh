#!/usr/bin/env bash
# Runs every test of the module: with the race detector, except for packages
# whose tests are long computations in one goroutine (simulation, benchmarks)
# or drive a built binary, where it costs minutes and finds nothing.
set -euo pipefail

heavy='/(cmd/regie-sim|internal/sim|internal/bench|e2e)(/|$)'

packages=$(go list ./...)
raced=$(grep -Ev "$heavy" <<<"$packages" || true)
plain=$(grep -E "$heavy" <<<"$packages" || true)

status=0
# shellcheck disable=SC2086 # one argument a package
if [[ -n $raced ]]; then
	CGO_ENABLED=1 go test -race -timeout 10m $raced || status=1
fi
# shellcheck disable=SC2086
if [[ -n $plain ]]; then
	CGO_ENABLED=0 go test -timeout 10m $plain || status=1
fi
# A real server is killed under load, and must have lost and doubled nothing.
if [[ $status == 0 ]]; then
	make --no-print-directory kill KILLS=8 RUNS=300 || status=1
fi
exit "$status"
