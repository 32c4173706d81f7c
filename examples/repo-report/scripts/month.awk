# Reads the commits at the edge of a shallow clone, one ID a line, then git's
# log of one month: for each commit a line "commit ID", a line "time weekday
# hour", the author, the subject, an empty line and lines of --numstat.
# Writes lines of fields with tabs between them:
#
#   month   MONTH commits people added removed days merges
#   person  commits added removed name
#   file    changes lines path
#   hour    weekday hour commits
#   commit  added removed time ID author subject

function field(text) { gsub(/\t/, " ", text); return text }

# The path that a renamed file has now.
function current(path,    open, close_, arrow) {
	open = index(path, "{")
	arrow = index(path, " => ")
	if (!arrow) return path
	if (open && open < arrow) {
		close_ = index(substr(path, arrow), "}")
		if (close_) {
			path = substr(path, 1, open - 1) substr(path, arrow + 4, close_ - 5) substr(path, arrow + close_)
			sub(/\/\//, "/", path)
			return path
		}
	}
	return substr(path, arrow + 4)
}

FILENAME == "edge" { edge[$1] = 1; next }

/^commit [0-9a-f]+$/ && state != 1 && state != 2 && state != 3 {
	id = $2
	state = 1
	commits++
	next
}
state == 1 {
	at[id] = $1
	day = int($1 / 86400)
	if (!(day in days)) { days[day] = 1; active++ }
	hours[$2 "\t" $3]++
	state = 2
	next
}
state == 2 {
	name = field($0)
	if (name == "") name = "(no name)"
	if (!(name in person)) { person[name] = 0; people++ }
	person[name]++
	author[id] = name
	state = 3
	next
}
state == 3 {
	subject[id] = field($0)
	plus[id] = minus[id] = 0
	state = 4
	next
}
/^[0-9-]+\t[0-9-]+\t/ && !(id in edge) {
	split($0, part, "\t")
	a = part[1] + 0 # "-" for files that are no text counts as 0
	r = part[2] + 0
	added += a; removed += r
	plus[id] += a; minus[id] += r
	personPlus[author[id]] += a; personMinus[author[id]] += r
	path = current(substr($0, length(part[1]) + length(part[2]) + 3))
	changes[path]++
	lines[path] += a + r
}
END {
	printf "month\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", month, commits, people, added, removed, active
	for (name in person) printf "person\t%.0f\t%.0f\t%.0f\t%s\n", person[name], personPlus[name], personMinus[name], name
	for (path in changes) printf "file\t%.0f\t%.0f\t%s\n", changes[path], lines[path], field(path)
	for (hour in hours) printf "hour\t%s\t%.0f\n", hour, hours[hour]
	for (id in at) printf "commit\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\n", plus[id], minus[id], at[id], id, author[id], subject[id]
}
