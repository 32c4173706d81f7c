package cel

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed reference.md
var referenceHead string

// groups are the headings of the reference, in order.
var groups = []string{
	"Conversions", "Text", "Numbers", "Lists", "Dates", "Calendars", "Parts of datetimes", "Optional values", "Other",
}

// directiveDocs say what the directives of layouts write.
var directiveDocs = map[byte]string{
	'Y': "year, four digits", 'y': "year, two digits", 'm': "month, 01 to 12", 'b': "month, Jan", 'B': "month, January",
	'd': "day of the month, 01 to 31", 'a': "weekday, Mon", 'A': "weekday, Monday", 'F': "the same as %Y-%m-%d",
	'j': "day of the year, 001 to 366", 'H': "hour, 00 to 23", 'I': "hour, 01 to 12", 'p': "AM or PM", 'M': "minute",
	'S': "second", 'T': "the same as %H:%M:%S", 'z': "offset, +0100", 'L': "milliseconds, only written",
	'Z': "zone, CET, only written", 'u': "weekday, 1 (Monday) to 7, only written", 'V': "ISO week, only written",
	'G': "ISO year, only written",
}

// exampleTime stands in the table of layouts.
var exampleTime = time.Date(2026, time.March, 6, 14, 5, 9, 250_000_000, time.FixedZone("CET", 3600))

// Reference is the page about expressions for users, in Markdown.
func (l *Language) Reference() string {
	var out strings.Builder
	out.WriteString(referenceHead)
	out.WriteString("| directive | writes and reads | |\n|---|---|---|\n")
	for _, letter := range slices.Sorted(maps.Keys(directives)) {
		example, _ := formatTime(exampleTime, "%"+string(letter))
		fmt.Fprintf(&out, "| `%%%c` | %s | `%s` |\n", letter, directiveDocs[letter], example)
	}
	out.WriteString("| `%%` | a percent sign | `%` |\n\n## Functions\n")
	for _, group := range groups {
		fmt.Fprintf(&out, "\n### %s\n", group)
		for i := range l.table {
			if row := &l.table[i]; row.group == group && row.doc != "" {
				row.write(&out)
			}
		}
	}
	return out.String()
}

func (f *function) write(out *strings.Builder) {
	fmt.Fprintf(out, "\n#### %s\n\n", f.name)
	for _, sig := range f.sigs {
		fmt.Fprintf(out, "    %s\n", f.usage(sig))
	}
	fmt.Fprintf(out, "\n%s\n\n```\n", f.doc)
	width := 0
	for _, e := range f.examples {
		width = max(width, len(e.source))
	}
	for _, e := range f.examples {
		fmt.Fprintf(out, "%-*s  // %s\n", width, e.source, e.result)
	}
	out.WriteString("```\n")
}
