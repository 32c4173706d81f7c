package cel

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// directive is a letter of layouts that follows a percent sign, as in
// strftime.
type directive struct {
	layout string                 // of the time package; empty: it can only be written
	width  int                    // bytes that it reads; 0: as many letters as there are
	clock  bool                   // it says more than a date can
	write  func(time.Time) string // instead of layout
}

var directives = map[byte]directive{
	'Y': {layout: "2006", width: 4},
	'y': {layout: "06", width: 2},
	'm': {layout: "01", width: 2},
	'b': {layout: "Jan", width: 3},
	'B': {layout: "January"},
	'd': {layout: "02", width: 2},
	'a': {layout: "Mon", width: 3},
	'A': {layout: "Monday"},
	'F': {layout: "2006-01-02", width: 10},
	'j': {layout: "002", width: 3},
	'H': {layout: "15", width: 2, clock: true},
	'I': {layout: "03", width: 2, clock: true},
	'p': {layout: "PM", width: 2, clock: true},
	'M': {layout: "04", width: 2, clock: true},
	'S': {layout: "05", width: 2, clock: true},
	'T': {layout: "15:04:05", width: 8, clock: true},
	'z': {layout: "-0700", width: 5, clock: true},
	'L': {clock: true, write: func(t time.Time) string { return fmt.Sprintf("%03d", t.Nanosecond()/1_000_000) }},
	'Z': {clock: true, write: func(t time.Time) string { return t.Format("MST") }},
	'u': {write: func(t time.Time) string { return strconv.Itoa(isoWeekday(t.Weekday())) }},
	'V': {write: func(t time.Time) string { _, week := t.ISOWeek(); return fmt.Sprintf("%02d", week) }},
	'G': {write: func(t time.Time) string { year, _ := t.ISOWeek(); return fmt.Sprintf("%04d", year) }},
}

// isoWeekday is 1 for Monday to 7 for Sunday.
func isoWeekday(day time.Weekday) int { return (int(day)+6)%7 + 1 }

// maxLayout bounds a layout, in bytes.
const maxLayout = 256

// layoutPart is literal text or a directive.
type layoutPart struct {
	literal   string
	directive byte // 0 for a literal
}

func splitLayout(layout string) ([]layoutPart, error) {
	if len(layout) > maxLayout {
		return nil, fmt.Errorf("the layout is longer than %d bytes", maxLayout)
	}
	var parts []layoutPart
	for rest := layout; rest != ""; {
		literal, after, found := strings.Cut(rest, "%")
		if literal != "" {
			parts = append(parts, layoutPart{literal: literal})
		}
		if !found {
			break
		}
		if after == "" {
			return nil, fmt.Errorf("the layout ends in %%; write %%%% for a percent sign")
		}
		if after[0] == '%' {
			parts = append(parts, layoutPart{literal: "%"})
		} else {
			if _, ok := directives[after[0]]; !ok {
				return nil, fmt.Errorf("layout directive %%%c is unknown; a layout looks like %%Y-%%m-%%d %%H:%%M:%%S", after[0])
			}
			parts = append(parts, layoutPart{directive: after[0]})
		}
		rest = after[1:]
	}
	return parts, nil
}

func checkLayout(layout string) error {
	_, err := splitLayout(layout)
	return err
}

// formatTime writes t by the layout.
func formatTime(t time.Time, layout string) (string, error) {
	parts, err := splitLayout(layout)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, p := range parts {
		d := directives[p.directive]
		switch {
		case p.directive == 0:
			out.WriteString(p.literal)
		case d.write != nil:
			out.WriteString(d.write(t))
		default:
			out.WriteString(t.Format(d.layout))
		}
	}
	return out.String(), nil
}

// parseTime reads a text by the layout. onlyDate is true when the layout says
// nothing about the time of day.
func parseTime(text, layout string, zone *time.Location) (t time.Time, onlyDate bool, err error) {
	parts, err := splitLayout(layout)
	if err != nil {
		return time.Time{}, false, err
	}
	bad := fmt.Errorf("%q does not fit the layout %q", text, layout)
	onlyDate = true
	var layouts, values []string // one part each, so that literals are never directives
	rest := text
	for _, p := range parts {
		if p.directive == 0 {
			after, ok := strings.CutPrefix(rest, p.literal)
			if !ok {
				return time.Time{}, false, bad
			}
			rest = after
			continue
		}
		d := directives[p.directive]
		if d.layout == "" {
			return time.Time{}, false, fmt.Errorf("%%%c can be written, not read", p.directive)
		}
		onlyDate = onlyDate && !d.clock
		n := d.width
		if n == 0 {
			n = len(rest) - len(strings.TrimLeft(rest, letters))
		}
		if n == 0 || n > len(rest) {
			return time.Time{}, false, bad
		}
		layouts, values = append(layouts, d.layout), append(values, rest[:n])
		rest = rest[n:]
	}
	if rest != "" {
		return time.Time{}, false, bad
	}
	t, err = time.ParseInLocation(strings.Join(layouts, " "), strings.Join(values, " "), zone)
	if err != nil {
		return time.Time{}, false, bad
	}
	return t, onlyDate, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
