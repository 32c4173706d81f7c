# Finds the repository, checks what was asked for and makes the folders.
. scripts/lib.sh

# absolute PATH: the path, seen from where `regie run` was called; this script
# itself runs in a folder of its own.
absolute() {
	case $1 in
	/*) printf '%s\n' "$1" ;;
	*) printf '%s\n' "${REGIE_CALLED_FROM:?a relative path has no meaning here: nobody called}/$1" ;;
	esac
}
REPOSITORY=$(absolute "$REPOSITORY")
[ -z "$FOLDER" ] || FOLDER=$(absolute "$FOLDER")
if [ "$MONTHS" -lt 1 ] || [ "$MONTHS" -gt 120 ]; then
	stop "the input months must be 1 to 120; got: $MONTHS"
fi
command -v git >/dev/null 2>&1 || stop "git is not installed here"

# Git itself says best what is wrong with a folder.
repo_git rev-parse --git-dir >/dev/null || stop "git cannot read a repository at $REPOSITORY"

if [ "$(repo_git rev-parse --is-bare-repository)" = true ]; then
	root=$(repo_git rev-parse --absolute-git-dir)
else
	root=$(repo_git rev-parse --show-toplevel)
fi
name=$(basename "$root" .git)
[ -n "$name" ] && [ "$name" != / ] || name=repository

if [ -z "$FOLDER" ]; then
	FOLDER=$(mktemp -d /tmp/repo-report.XXXXXX)
else
	mkdir -p "$FOLDER"
	FOLDER=$(cd "$FOLDER" && pwd)
fi
work=$(mktemp -d "$FOLDER/.repo-report.XXXXXX")

# A repository without commits has a HEAD that leads nowhere.
head='' commits=0
if repo_git rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null; then
	head=$(repo_git rev-parse HEAD)
	commits=$(repo_git rev-list --count "$head")
fi
branch=$(repo_git symbolic-ref --quiet --short HEAD || echo 'no branch')
shallow=$(repo_git rev-parse --is-shallow-repository)

printf '{"name": %s, "root": %s, "folder": %s, "work": %s, "head": "%s", "branch": %s, "commits": %s, "shallow": %s}\n' \
	"$(json "$name")" "$(json "$root")" "$(json "$FOLDER")" "$(json "$work")" \
	"$head" "$(json "$branch")" "$commits" "$shallow" >"$REGIE_OUTPUT"
echo "$name: $commits commits on $branch, report goes to $FOLDER"
