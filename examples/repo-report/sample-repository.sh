#!/bin/sh
# Makes a small repository in a new folder, with a history of 14 months up to a
# date and every oddity that names, subjects and files can have. The same
# arguments give the same commits. The tests and, where the program's own
# history is not to be had, `make demo` report on it.
#
#   sample-repository.sh FOLDER [YYYY-MM]
set -eu
export LC_ALL=C TZ=UTC0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
folder=$1
last=${2:-$(date -u +%Y-%m)}

git init --quiet "$folder"
cd "$folder"
git symbolic-ref HEAD refs/heads/main
git config commit.gpgSign false
git config core.autocrlf false

# month N: the month that is N before the last one, as YYYY-MM.
month() {
	echo "$last" | awk -F - -v back="$1" '{ m = $1 * 12 + $2 - 1 - back; printf "%04d-%02d\n", int(m / 12), m % 12 + 1 }'
}

# commit MONTHS_BACK DAY TIME NAME SUBJECT: what is in the folder, as that person.
commit() {
	when="$(month "$1")-$2T$3+00:00"
	git add --all
	GIT_AUTHOR_NAME=$4 GIT_AUTHOR_EMAIL=someone@example.org GIT_AUTHOR_DATE=$when \
		GIT_COMMITTER_NAME=$4 GIT_COMMITTER_EMAIL=someone@example.org GIT_COMMITTER_DATE=$when \
		git commit --quiet --allow-empty --allow-empty-message --cleanup=verbatim -m "$5"
}

# lines FILE N: appends N lines.
lines() {
	mkdir -p "$(dirname "$1")"
	awk -v n="$2" -v file="$1" 'BEGIN { for (i = 1; i <= n; i++) print file, "line", i, i * 7919 % 1000 }' >>"$1"
}

lines README.md 12
commit 13 02 09:15:00 'Ada Lovelace' 'Begin'
lines src/main.go 120
commit 13 20 16:40:00 'Zoë Bødker 李' 'main: print something'
lines src/main.go 30
commit 12 05 10:00:00 "Robert'); DROP TABLE commits;--" 'main: trim "quotes" & <angles>'
lines docs/guide.md 60
commit 11 11 11:30:00 '$(touch "$HOME/owned"); rm -rf nothing-here' 'docs: <script>alert(1)</script> explains everything'
lines 'odd "name" <b>.txt' 8
commit 11 30 23:59:59 '-n --help' 'A file whose name has quotes and an element'
# The month that is ten back has none.
lines src/engine.go 240
commit 9 01 00:00:00 'Ada Lovelace' 'engine: begin the month at its first second'
git mv src/engine.go src/machine.go
commit 9 14 14:05:00 'Ada Lovelace' 'engine: call it machine'
lines src/machine.go 90
commit 8 03 08:20:00 'Zoë Bødker 李' ''
printf '\000\001\002' >logo.bin
commit 8 17 18:45:00 'Ada Lovelace' 'A file that is no text'
git tag v0.1.0
for day in 02 04 08 09 15 16 22 23; do
	lines src/main.go 9
	commit 6 "$day" "1${day#?}:30:00" 'Grace Hopper' "main: work of day $day"
done
git checkout --quiet -b side
lines src/side.go 40
commit 5 06 20:10:00 'Grace Hopper' 'side: try something'
git checkout --quiet main
lines docs/guide.md 10
commit 5 07 09:00:00 'Ada Lovelace' 'docs: go on'
when="$(month 5)-08T10:00:00+00:00"
GIT_AUTHOR_NAME='Ada Lovelace' GIT_AUTHOR_EMAIL=a@example.org GIT_AUTHOR_DATE=$when \
	GIT_COMMITTER_NAME='Ada Lovelace' GIT_COMMITTER_EMAIL=a@example.org GIT_COMMITTER_DATE=$when \
	git merge --quiet --no-ff -m 'Merge side' side
rm docs/guide.md
commit 4 12 13:00:00 "$(printf 'Tab\there \342\200\256dellor')" 'Remove the guide'
lines src/machine.go 33
# Dated before its parent, as a clock that is wrong leaves it.
commit 7 21 07:00:00 'Grace Hopper' 'machine: dated before what it builds on'
lines src/main.go 400
commit 2 19 15:15:00 'Zoë Bødker 李' "$(awk 'BEGIN { for (i = 0; i < 40; i++) printf "a very long subject " }')"
git tag 'v0.2.0-<i>odd</i>'
lines test/main_test.go 75
commit 1 25 17:00:00 "Seán O'Brien" 'test: cover main'
lines src/main.go 5
commit 0 01 06:30:00 'Ada Lovelace' 'main: last of all'
