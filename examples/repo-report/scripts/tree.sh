# Counts the files of the commit $HEAD by type: lines "type", count, name.
. scripts/lib.sh

repo_git ls-tree -r "$HEAD" >tree
clean <tree | awk -F '\t' '
	$0 ~ /^100/ { # files, neither links nor other repositories
		files++
		name = $2
		sub(/"$/, "", name)
		sub(/.*\//, "", name)
		type = name
		if (sub(/.*[^.]\./, "", type) == 0 || type == "" || length(type) > 12) type = "other"
		count[tolower(type)]++
	}
	END {
		for (type in count) printf "type\t%.0f\t%s\n", count[type], type
		printf "files\t%.0f\n", files
	}' >"$WORK/tree.tsv"
awk -F '\t' '$1 == "files" { printf "{\"files\": %s}\n", $2 }' "$WORK/tree.tsv" >"$REGIE_OUTPUT"
