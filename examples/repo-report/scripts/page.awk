# Writes the report. The input is what totals.sh left, after lines
# "fact NAME TEXT"; all of it is text of HTML already, so that nothing that
# people wrote into a repository can become markup here.

function thousands(n,    s, out, sign) {
	s = sprintf("%.0f", n)
	sign = ""
	if (substr(s, 1, 1) == "-") { sign = "-"; s = substr(s, 2) }
	out = ""
	while (length(s) > 3) {
		out = "," substr(s, length(s) - 2) out
		s = substr(s, 1, length(s) - 3)
	}
	return sign s out
}

function plural(n, word) { return thousands(n) " " word (n == 1 ? "" : "s") }

# A round number that four steps of which reach the value.
function step(value,    unit, i, n, size, sizes) {
	unit = 1
	while (unit * 10 <= value / 4) unit *= 10
	n = split("1 1.5 2 2.5 3 4 5 6 8 10", sizes, " ")
	for (i = 1; i <= n; i++) {
		size = unit * sizes[i]
		if (size == int(size) && size * 4 >= value) return size
	}
	return unit * 10
}

function ceiling(n) { return n > int(n) ? int(n) + 1 : int(n) }

function short(n) {
	if (n >= 1000000) return sprintf("%.4g", n / 1000000) "m"
	if (n >= 10000) return sprintf("%.4g", n / 1000) "k"
	return thousands(n)
}

function monthName(month) { return name_[substr(month, 6, 2) + 0] " " substr(month, 1, 4) }

# Days since 1970 as a date.
function date(seconds,    z, era, doe, yoe, doy, mp, d, m, y) {
	z = int(seconds / 86400) + 719468
	era = int(z / 146097)
	doe = z - era * 146097
	yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
	doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100))
	mp = int((5 * doy + 2) / 153)
	d = doy - int((153 * mp + 2) / 5) + 1
	m = mp < 10 ? mp + 3 : mp - 9
	y = yoe + era * 400 + (m <= 2)
	return sprintf("%04d-%02d-%02d", y, m, d)
}

# The left edge and width of the column of a month.
function left(i) { return plotX + (i - 1) * plotW / months + plotW / months * 0.14 }
function columnW() { return plotW / months * 0.72 }
function middle(i) { return plotX + (i - 0.5) * plotW / months }

function text(x, y, anchor, class, words) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor, (class == "" ? "" : " class=\"" class "\""), words
}
function rect(x, y, w, h, class, title) {
	if (h > 0 && h < 1) h = 1 # a little is not nothing
	printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" class=\"%s\"><title>%s</title></rect>\n", x, y, w, h, class, title
}
function rule(y, class) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", plotX, y, plotX + plotW, y, class
}
function chart(id, height, title, words) {
	printf "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><svg class=\"chart\" viewBox=\"0 0 960 %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\">\n", title, height, id, id
	printf "<title id=\"%s-t\">%s</title><desc id=\"%s-d\">%s</desc>\n", id, title, id, words
}
function endChart() { print "</svg></div>" }

# The names of the months below a chart, thinned out where they are many.
function monthAxis(y,    i, every, month) {
	every = int((months + 17) / 18)
	for (i = 1; i <= months; i++) {
		if ((i - 1) % every) continue
		month = substr(month_[i], 6, 2) + 0
		text(middle(i), y, "middle", "", substr(name_[month], 1, 3))
		if (i == 1 || month <= every) text(middle(i), y + 15, "middle", "", substr(month_[i], 1, 4))
	}
}

function commitsChart(    i, top, size, y, base, height) {
	base = 230; height = 190
	for (i = 1; i <= months; i++) if (commits[i] > top) top = commits[i]
	size = step(top)
	chart("commits", 285, "Commits per month", plural(total[1], "commit") " in " plural(months, "month") "; the busiest month has " plural(top, "commit") ". The numbers stand in the table below.")
	for (i = 0; i <= 4; i++) {
		y = base - height * i / 4
		rule(y, i ? "grid" : "axis")
		text(plotX - 8, y + 4, "end", "", short(size * i))
	}
	for (i = 1; i <= months; i++) {
		y = height * commits[i] / (size * 4)
		rect(left(i), base - y, columnW(), y, "main", monthName(month_[i]) ": " plural(commits[i], "commit") " by " (people[i] == 1 ? "1 person" : thousands(people[i]) " people"))
		if (months <= 24 && commits[i]) text(middle(i), base - y - 6, "middle", "value", short(commits[i]))
	}
	for (i = 1; i <= tags; i++) if (tagX[i]) {
		printf "<path d=\"M%.1f %d l4 6 l-4 6 l-4 -6 z\" class=\"mark\"><title>%s, %s</title></path>\n", tagX[i], base + 3, tag[i], date(tagAt[i])
	}
	monthAxis(base + 32)
	endChart()
}

function linesChart(    i, k, top, bottom, size, above, below, zero, scale, y) {
	for (i = 1; i <= months; i++) {
		if (added[i] > top) top = added[i]
		if (removed[i] > bottom) bottom = removed[i]
	}
	size = step(top > bottom ? top : bottom)
	above = ceiling(top / size); below = ceiling(bottom / size)
	if (above + below == 0) above = 1
	scale = 240 / (above + below)
	zero = 20 + above * scale
	chart("lines", 325, "Lines added and removed per month", plural(total[3], "line") " added and " thousands(total[4]) " removed in " plural(months, "month") ". The numbers stand in the table below.")
	for (k = -below; k <= above; k++) {
		y = zero - k * scale
		rule(y, k ? "grid" : "axis")
		text(plotX - 8, y + 4, "end", "", k < 0 ? "−" short(-k * size) : short(k * size))
	}
	for (i = 1; i <= months; i++) {
		y = added[i] / size * scale
		rect(left(i), zero - y, columnW(), y, "plus", monthName(month_[i]) ": " plural(added[i], "line") " added")
		rect(left(i), zero, columnW(), removed[i] / size * scale, "minus", monthName(month_[i]) ": " plural(removed[i], "line") " removed")
	}
	monthAxis(286)
	endChart()
}

function monthTable(    i) {
	print "<details><summary>The numbers, month by month</summary><div class=\"scroll\"><table>"
	print "<thead><tr><th scope=\"col\">Month</th><th scope=\"col\" class=\"n\">Commits</th><th scope=\"col\" class=\"n\">People</th><th scope=\"col\" class=\"n\">Lines added</th><th scope=\"col\" class=\"n\">Lines removed</th></tr></thead><tbody>"
	for (i = 1; i <= months; i++) {
		printf "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
			monthName(month_[i]), thousands(commits[i]), thousands(people[i]), thousands(added[i]), thousands(removed[i])
	}
	print "</tbody></table></div></details>"
}

function hoursChart(    day, hour, n, top, busiest, share) {
	for (day = 1; day <= 7; day++) for (hour = 0; hour < 24; hour++) {
		n = hours[day, hour]
		if (n > top) { top = n; busiest = dayName[day] " " sprintf("%02d", hour) ":00" }
	}
	chart("hours", 250, "Commits by weekday and hour", "When commits were written, on the clock of those who wrote them" (top ? "; most on " busiest " with " thousands(top) "." : "."))
	for (day = 1; day <= 7; day++) {
		text(plotX - 8, 12 + day * 28 - 8, "end", "", substr(dayName[day], 1, 3))
		for (hour = 0; hour < 24; hour++) {
			n = hours[day, hour] + 0
			share = top ? n / top : 0
			printf "<rect x=\"%.1f\" y=\"%d\" width=\"33\" height=\"25\" rx=\"3\" class=\"%s\"%s><title>%s %02d:00: %s</title></rect>\n",
				plotX + hour * 36.6, 2 + (day - 1) * 28 + 10, (n ? "main" : "none"), (n ? sprintf(" fill-opacity=\"%.2f\"", 0.2 + 0.8 * share) : " fill-opacity=\"0.5\""), dayName[day], hour, plural(n, "commit")
		}
	}
	for (hour = 0; hour < 24; hour += 3) text(plotX + hour * 36.6 + 16, 228, "middle", "", sprintf("%02d", hour))
	endChart()
}

function bar(share) {
	return sprintf("<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"100\" height=\"10\" rx=\"2\" class=\"none\" fill-opacity=\"0.5\"/><rect width=\"%.1f\" height=\"10\" rx=\"2\" class=\"main\"/></svg></td>", share * 100)
}

function peopleTable(    i, more, rest) {
	print "<section><h2>Who</h2>"
	if (!persons) { print "<p class=\"note\">Nobody.</p></section>"; return }
	print "<table><caption>The most active by commits</caption><thead><tr><th scope=\"col\">Name</th><th scope=\"col\" class=\"bar\"><span hidden=\"hidden\">Share</span></th><th scope=\"col\" class=\"n\">Commits</th><th scope=\"col\" class=\"n\">Lines</th></tr></thead><tbody>"
	for (i = 1; i <= persons && i <= 10; i++)
		printf "<tr><th scope=\"row\" class=\"wide\"><bdi>%s</bdi></th>%s<td class=\"n\">%s</td><td class=\"n\"><span class=\"plus\">+%s</span> <span class=\"minus\">−%s</span></td></tr>\n",
			person[i], bar(personCommits[i] / personCommits[1]), thousands(personCommits[i]), short(personPlus[i]), short(personMinus[i])
	for (; i <= persons; i++) { more++; rest += personCommits[i] }
	if (more) printf "<tr><th scope=\"row\">%s more</th>%s<td class=\"n\">%s</td><td></td></tr>\n", thousands(more), "<td></td>", thousands(rest)
	print "</tbody></table></section>"
}

function typesTable(    i, n, more, rest) {
	print "<section><h2>What it is made of</h2>"
	if (!types) { print "<p class=\"note\">No files.</p></section>"; return }
	printf "<table><caption>%s in the newest commit, by type</caption><thead><tr><th scope=\"col\">Type</th><th scope=\"col\" class=\"bar\"><span hidden=\"hidden\">Share</span></th><th scope=\"col\" class=\"n\">Files</th></tr></thead><tbody>\n", plural(files, "file")
	for (i = 1; i <= types && i <= 10; i++)
		printf "<tr><th scope=\"row\" class=\"wide\"><bdi>%s</bdi></th>%s<td class=\"n\">%s</td></tr>\n", (type[i] == "other" ? "no type" : "." type[i]), bar(typeFiles[i] / typeFiles[1]), thousands(typeFiles[i])
	for (; i <= types; i++) { more++; rest += typeFiles[i] }
	if (more) printf "<tr><th scope=\"row\">%s more</th><td></td><td class=\"n\">%s</td></tr>\n", thousands(more), thousands(rest)
	print "</tbody></table></section>"
}

function changedTable(    i) {
	print "<section><h2>Files that change most</h2>"
	if (!paths) { print "<p class=\"note\">None changed.</p></section>"; return }
	print "<table><thead><tr><th scope=\"col\">File</th><th scope=\"col\" class=\"n\">Commits</th><th scope=\"col\" class=\"n\">Lines</th></tr></thead><tbody>"
	for (i = 1; i <= paths; i++) printf "<tr><td class=\"wide\"><code><bdi>%s</bdi></code></td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n", path[i], thousands(pathChanges[i]), thousands(pathLines[i])
	print "</tbody></table></section>"
}

function largestTable(    i) {
	print "<section><h2>Largest commits</h2>"
	if (!larges) { print "<p class=\"note\">No commits.</p></section>"; return }
	print "<table><thead><tr><th scope=\"col\">Commit</th><th scope=\"col\" class=\"n\">Lines</th></tr></thead><tbody>"
	for (i = 1; i <= larges; i++)
		printf "<tr><td class=\"wide\"><bdi class=\"subject\">%s</bdi><span class=\"note\"><code>%s</code> <bdi>%s</bdi>, <span class=\"day\">%s</span></span></td><td class=\"n\"><span class=\"plus\">+%s</span> <span class=\"minus\">−%s</span></td></tr>\n",
			(large[i] == "" ? "(no subject)" : large[i]), substr(largeID[i], 1, 10), largeBy[i], date(largeAt[i]), short(largePlus[i]), short(largeMinus[i])
	print "</tbody></table></section>"
}

function tile(label, value) { printf "<div><dt>%s</dt><dd>%s</dd></div>\n", label, value }

function tagMarks(    i, k, at) {
	for (i = 1; i <= tags; i++) {
		at = date(tagAt[i])
		for (k = 1; k <= months; k++) if (month_[k] == substr(at, 1, 7))
			tagX[i] = plotX + (k - 1 + substr(at, 9, 2) / 32) * plotW / months
	}
}

BEGIN {
	split("January February March April May June July August September October November December", name_, " ")
	split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", dayName, " ")
	plotX = 62; plotW = 880
}
$1 == "fact" { fact[$2] = $3 }
$1 == "total" { for (i = 2; i <= NF; i++) total[i - 1] = $i }
$1 == "month" { months++; month_[months] = $2; commits[months] = $3; people[months] = $4; added[months] = $5; removed[months] = $6 }
$1 == "person" { persons++; personCommits[persons] = $2; personPlus[persons] = $3; personMinus[persons] = $4; person[persons] = $5 }
$1 == "file" { paths++; pathChanges[paths] = $2; pathLines[paths] = $3; path[paths] = $4 }
$1 == "hour" { hours[$2 + 0, $3 + 0] = $4 }
$1 == "commit" { larges++; largePlus[larges] = $2; largeMinus[larges] = $3; largeAt[larges] = $4; largeID[larges] = $5; largeBy[larges] = $6; large[larges] = $7 }
$1 == "type" { types++; typeFiles[types] = $2; type[types] = $3 }
$1 == "files" { files = $2 }
$1 == "tag" { tags++; tagAt[tags] = $2; tag[tags] = $3 }

END {
	print "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>"
	print "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
	print "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
	printf "<title>%s: repository report</title>\n<style>\n", fact["name"]
	while ((getline line < style) > 0) print line
	print "</style>\n</head>\n<body>"
	printf "<header><h1><bdi>%s</bdi></h1>\n", fact["name"]
	if (!months) {
		printf "<p><code><bdi>%s</bdi></code>, <bdi>%s</bdi></p></header>\n", fact["root"], fact["branch"]
		print "<main><section><h2>No commits yet</h2><p class=\"note\">There is no history to report on. Commit something and run this again.</p></section></main>"
	} else {
		printf "<p>%s to %s, <bdi>%s</bdi> at <code>%s</code></p></header>\n", monthName(month_[1]), monthName(month_[months]), fact["branch"], substr(fact["head"], 1, 12)
		print "<main>\n<dl class=\"tiles\">"
		tile("Commits", thousands(total[1]))
		tile("People", thousands(total[2]))
		tile("Lines added", thousands(total[3]))
		tile("Lines removed", thousands(total[4]))
		tile("Files changed", thousands(total[5]))
		tile("Active days", thousands(total[6]))
		print "</dl>"
		tagMarks()
		print "<section><h2>Commits per month</h2>"
		commitsChart()
		if (tags) printf "<p class=\"note\">◆ %s: <bdi>%s</bdi>%s</p>\n", plural(tags, "tag"), tag[tags], (tags > 1 ? " is the newest" : "")
		print "</section>\n<section><h2>Lines added and removed per month</h2>"
		linesChart()
		monthTable()
		print "</section>\n<section><h2>When</h2>"
		hoursChart()
		print "</section>\n<div class=\"pair\">"
		peopleTable()
		typesTable()
		print "</div>\n<div class=\"pair\">"
		changedTable()
		largestTable()
		print "</div>\n</main>"
	}
	print "<footer><p>"
	if (months) {
		printf "Months are those of the commits' dates in UTC; hours are those of the authors' own clocks. People are told apart by name, after <code>.mailmap</code>. Lines are counted by <code>git log --numstat -M</code>: merges and files that are no text count none. The whole history has %s.", plural(fact["all"], "commit")
		if (fact["shallow"] == "true") print " This is a shallow clone: older commits are missing, and those at its edge count no lines."
	}
	printf " Made by Regie, run <code>%s</code>.</p></footer>\n</body>\n</html>\n", fact["run"]
}
