# Shared by the scripts of this example: POSIX sh, awk and git, nothing else.

# A script ends with the first command that fails, and with its exit code: 128
# where that is git.
set -eu

# Bytes, not characters: the same on every machine and in every awk.
export LC_ALL=C TZ=UTC0
export GIT_PAGER=cat GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0

# stop MESSAGE: ends the step with the error exit.2.
stop() {
	printf '%s\n' "$1" >&2
	exit 2
}

# The repository, without what its configuration could change in the output or
# make git run.
repo_git() {
	git -C "$REPOSITORY" \
		-c core.quotePath=false -c core.fsmonitor=false -c color.ui=never \
		-c log.showSignature=false -c log.follow=false -c log.showRoot=true \
		-c diff.algorithm=myers -c diff.relative=false -c diff.submodule=short "$@"
}

# clean: standard input without control characters and broken UTF-8. Names and
# subjects are the committers' own; anything may stand in them.
clean() {
	if command -v iconv >/dev/null 2>&1; then
		# iconv says 1 when it left something out, which is what it is for.
		tr -d '\000-\010\013-\037\177' | { iconv -c -f UTF-8 -t UTF-8 || :; }
	else
		tr -d '\000-\010\013-\037\177-\377'
	fi
}

# json TEXT: the text as a JSON string.
json() {
	printf '%s\n' "$1" | clean | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk '
		NR > 1 { s = s "\\n" }
		{ gsub(/\t/, "\\t"); s = s $0 }
		END { printf "\"%s\"", s }'
}
