#!/usr/bin/env bash
# Fails when generated files or go.mod are not what `make generate` and
# `go mod tidy` would write. It compares the work tree before and after, so it
# tells the truth in a clean clone and among uncommitted changes alike. The
# rewritten files are left in place: look at them, then commit them.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT

# Content and path of every file that git would commit.
snapshot() {
	local paths
	paths=$(git ls-files --cached --others --exclude-standard | sort -u |
		while IFS= read -r path; do if [[ -f $path ]]; then printf '%s\n' "$path"; fi; done)
	paste -d ' ' <(git hash-object --no-filters --stdin-paths <<<"$paths") <(printf '%s\n' "$paths") | sort
}

snapshot >"$before"
go generate ./...
snapshot >"$after"

stale=$(comm -3 "$before" "$after" | sed -E 's/^\t?[0-9a-f]+ //' | sort -u)
if [[ -n $stale ]]; then
	echo "verify: stale generated files, now rewritten; look at them and commit them:" >&2
	sed 's/^/  /' <<<"$stale" >&2
	exit 1
fi

go mod tidy -diff || { echo "verify: go.mod or go.sum is stale; run go mod tidy and commit them" >&2; exit 1; }
echo "verify: generated files and go.mod are up to date"
