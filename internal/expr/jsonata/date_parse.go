package jsonata

import (
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/expr"
)

var iso = regexp.MustCompile(`^(\d{4})(?:-([01]\d))?(?:-([0-3]\d))?(?:T([0-2]\d):([0-5]\d)(?::([0-5]\d))?(?:\.(\d+))?)?([+-][0-2]\d:?[0-5]\d|Z)?$`)

func fnToMillis(m *machine, c call) any {
	text, ok := c.str(0)
	if !ok {
		return nil
	}
	m.text(len(text))
	if picture, ok := c.str(1); ok {
		return m.parseDate(text, picture)
	}
	found := iso.FindStringSubmatch(text)
	if found == nil {
		m.fail("D3110", text)
	}
	at := [7]int{0, 1, 1}
	for i := range 6 {
		if found[i+1] != "" {
			at[i] = atoi(found[i+1])
		}
	}
	at[6] = atoi((found[7] + "000")[:3])
	t := time.Date(at[0], time.Month(at[1]), at[2], at[3], at[4], at[5], at[6]*1_000_000, time.UTC)
	if at[1] < 1 || at[1] > 12 || at[2] < 1 || t.Day() != at[2] && at[3] < 24 || at[3] > 24 {
		m.fail("D3110", text)
	}
	return float64(t.UnixMilli() - int64(zoneMinutes(found[8]))*60_000)
}

func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// zoneMinutes is the offset of a zone such as +02:00, -5 or Z.
func zoneMinutes(text string) int {
	text = strings.TrimPrefix(strings.ToUpper(text), "GMT")
	sign := 1
	switch {
	case text == "" || text == "Z":
		return 0
	case text[0] == '-':
		sign = -1
	}
	hours, minutes, colon := strings.Cut(text[1:], ":")
	if !colon && len(hours) > 2 {
		hours, minutes = hours[:len(hours)-2], hours[len(hours)-2:]
	}
	return sign * (atoi(hours)*60 + atoi(minutes))
}

// parseDate reads a date and time as a picture says; undefined if the text is
// not like the picture.
func (m *machine) parseDate(text, picture string) any {
	parts := m.datePicture(picture)
	var shape strings.Builder
	shape.WriteString("(?i)^")
	for _, c := range parts {
		shape.WriteString("(" + m.componentShape(c) + ")")
	}
	re, err := expr.CompileRegexp(shape.String() + "$")
	if err != nil {
		m.fail("D3130", picture)
	}
	m.spend(re.Size + re.Cost(len(text)))
	found := re.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	given := map[byte]int{}
	for i, c := range parts {
		if c.letter == 0 || c.letter == 'C' || c.letter == 'E' {
			continue
		}
		n, ok := c.read(found[i+1])
		if !ok {
			return nil
		}
		given[c.letter] = n
	}
	if len(given) == 0 {
		return nil
	}
	return m.instant(given, picture)
}

// componentShape is a regular expression for what a component looks like.
func (m *machine) componentShape(c component) string {
	switch {
	case c.letter == 0:
		return regexp.QuoteMeta(c.literal)
	case c.letter == 'Z' || c.letter == 'z':
		return `(?:GMT)?[-+][0-9]+(?::?[0-9]+)?|Z`
	case c.letter == 'C' || c.letter == 'E':
		return "ISO"
	case c.letter == 'P':
		return "am|pm"
	case c.names != 0:
		if c.letter != 'M' && c.letter != 'x' && c.letter != 'F' {
			m.fail("D3133", string(c.letter))
		}
		return "[a-zA-Z]+"
	}
	switch c.number.kind {
	case 'A', 'a':
		return "[a-zA-Z]+"
	case 'I', 'i':
		return "[MDCLXVI]+"
	case 'w', 'W', 'T':
		var all []string
		for word := range wordValues() {
			all = append(all, word)
		}
		sort.Slice(all, func(i, j int) bool {
			if len(all[i]) != len(all[j]) {
				return len(all[i]) > len(all[j])
			}
			return all[i] < all[j]
		})
		return "(?:" + strings.Join(all, "|") + "|and|[-, ])+"
	}
	var marks strings.Builder
	for _, g := range c.number.groups {
		marks.WriteString(regexp.QuoteMeta(string(g.mark)))
	}
	digits := "[" + string(c.number.zero) + "-" + string(c.number.zero+9) + marks.String() + "]"
	if c.number.width > 0 {
		digits += "{" + strconv.Itoa(c.number.width) + "}"
	} else {
		digits += "+"
	}
	if c.number.ordinal {
		digits += "(?:th|st|nd|rd)"
	}
	return digits
}

// read is the number of a component from its text.
func (c *component) read(text string) (int, bool) {
	switch {
	case c.letter == 'Z' || c.letter == 'z':
		return zoneMinutes(text), true
	case c.letter == 'P':
		if strings.EqualFold(text, "pm") {
			return 1, true
		}
		return 0, true
	case c.names != 0:
		names := months
		if c.letter == 'F' {
			names = days
		}
		for i, name := range names {
			if c.max > 0 && len(name) > c.max {
				name = name[:c.max]
			}
			if strings.EqualFold(name, text) {
				return i + 1, true
			}
		}
		return 0, false
	case c.letter == 'f':
		return atoi((text + "000")[:3]), true
	}
	f, ok := c.number.parse(text)
	return int(f), ok && f < 1e9
}

// instant puts the components together. What is larger than the largest given
// is as now, what is smaller than the smallest is at its start; gaps between
// are errors.
func (m *machine) instant(given map[byte]int, picture string) any {
	has := func(letters string) bool {
		for i := range len(letters) {
			if _, ok := given[letters[i]]; ok {
				return true
			}
		}
		return false
	}
	order := "YMD"
	switch {
	case has("d") && !has("MD"):
		order = "Yd"
	case has("Xxw") && !has("YMD"), has("W") && !has("MD"):
		m.fail("D3136", picture)
	}
	if has("hP") && !has("H") {
		order += "Phmsf"
	} else {
		order += "Hmsf"
	}
	now := m.now.UTC()
	started, ended := false, false
	for i := range len(order) {
		letter := order[i]
		if _, ok := given[letter]; ok {
			if ended {
				m.fail("D3136", picture)
			}
			started = true
			continue
		}
		switch {
		case !started:
			given[letter] = fragment(now, letter)
		case strings.IndexByte("MDd", letter) >= 0:
			ended, given[letter] = true, 1
		default:
			ended, given[letter] = true, 0
		}
	}
	hour := given['H']
	if strings.Contains(order, "h") {
		hour = given['h']%12 + 12*given['P']
	}
	month, day := given['M'], given['D']
	if strings.Contains(order, "d") {
		month, day = 1, given['d']
	}
	year := given['Y']
	if year > maxYear {
		m.fail("D1001", strconv.Itoa(year))
	}
	t := time.Date(year, time.Month(max(1, month)), day, hour, given['m'], given['s'], given['f']*1_000_000, time.UTC)
	minutes := given['Z'] + given['z']
	out := float64(t.UnixMilli() - int64(minutes)*60_000)
	if math.Abs(out) > maxMillis {
		m.fail("D1001", formatFloat(out))
	}
	return out
}

// maxYear is the last year of [maxMillis].
const maxYear = 275_760
