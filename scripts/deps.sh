#!/usr/bin/env bash
# Installs what the tests need beside Go, on Debian and its kin: a C compiler
# (the race detector links with it), the PostgreSQL server programs (the tests
# start servers of their own; none is left running or enabled here), and Node
# with the reference implementation of JSONata, which Regie's is compared with.
# Where it may not install, it says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

# Oldest PostgreSQL that Regie supports.
min_postgres=15
# Oldest Node that runs the reference implementation.
min_node=18
reference=tools/jsonata-reference

missing=()

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

has_compiler() {
	printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' |
		gcc -x c -o "$scratch/program" - 2>/dev/null
}

# The highest version among Debian's folders and the PATH.
postgres_version() {
	local program
	for program in /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
		if [[ -x $program && -x $(dirname "$(readlink -f "$program")")/initdb ]]; then
			"$program" --version | sed -E 's/.* ([0-9]+).*/\1/'
		fi
	done | sort -n | tail -n 1
}

has_postgres() {
	local version
	version=$(postgres_version)
	[[ -n $version && $version -ge $min_postgres ]]
}

has_node() {
	command -v npm >/dev/null && [[ $(node --version 2>/dev/null) =~ ^v([0-9]+) ]] && ((BASH_REMATCH[1] >= min_node))
}

# What npm installed is as new as the list of what it should.
has_reference() { [[ $reference/node_modules/.package-lock.json -nt $reference/package-lock.json ]]; }

install_reference() {
	has_reference && return
	echo "deps: installing the reference implementation of JSONata" >&2
	if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix "$reference" >/dev/null; then
		touch "$reference/node_modules/.package-lock.json"
	else
		echo "deps: npm could not get it; the comparison with it will be skipped (see above; try again: npm ci --prefix $reference)" >&2
	fi
}

has_compiler || missing+=(gcc libc6-dev)
has_postgres || missing+=(postgresql)
has_node || missing+=(nodejs npm)
if ((${#missing[@]} == 0)); then
	install_reference
	exit 0
fi

as_root=()
if ((EUID != 0)); then
	as_root=(sudo)
	[[ -t 0 ]] || as_root=(sudo -n) # nobody there to type a password
	if ! "${as_root[@]}" true 2>/dev/null; then
		echo "deps: missing ${missing[*]}, and this user cannot install them; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
fi
if ! command -v apt-get >/dev/null; then
	echo "deps: missing ${missing[*]} (names of Debian packages), and there is no apt-get here; install a C compiler, PostgreSQL $min_postgres or newer and Node $min_node or newer, then try again" >&2
	exit 1
fi

# Without this file the package makes a database cluster and starts it.
no_cluster=/etc/postgresql-common/createcluster.d/regie-tests.conf
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
	trap 'rm -rf "$scratch"; "${as_root[@]}" rm -f "$no_cluster"' EXIT
	"${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
fi

echo "deps: installing ${missing[*]}" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"

has_compiler || { echo "deps: gcc was installed but cannot link a program" >&2; exit 1; }
has_postgres || { echo "deps: Debian's PostgreSQL is older than $min_postgres (found: $(postgres_version)); install $min_postgres or newer" >&2; exit 1; }
has_node || { echo "deps: Debian's Node is older than $min_node (found: $(node --version)); install $min_node or newer" >&2; exit 1; }
install_reference
