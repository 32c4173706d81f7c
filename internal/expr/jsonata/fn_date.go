package jsonata

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const isoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"

func dateFunctions() []*native {
	return []*native{
		fn("now", "<s?s?:s>", 2, func(m *machine, c call) any { return m.formatDate(float64(m.now.UnixMilli()), c.arg(0), c.arg(1)) }),
		fn("millis", "<:n>", 0, func(m *machine, _ call) any { return float64(m.now.UnixMilli()) }),
		fn("fromMillis", "<n-s?s?:s>", 3, func(m *machine, c call) any {
			f, ok := c.num(0)
			if !ok {
				return nil
			}
			return m.formatDate(f, c.arg(1), c.arg(2))
		}),
		fn("toMillis", "<s-s?:n>", 2, fnToMillis),
	}
}

// component is a part of a date picture: a literal, or a marker such as D01.
type component struct {
	literal  string
	letter   byte // 0 for a literal
	names    byte // N, n or T (Title) for names, else 0
	zulu     bool // write Z for UTC
	number   *integerPicture
	min, max int // width, 0 for none
	digits   int // that a year is cut to, 0 for all
}

var defaultPresentations = map[byte]string{
	'Y': "1", 'M': "1", 'D': "1", 'd': "1", 'F': "n", 'W': "1", 'w': "1", 'X': "1", 'x': "1", 'H': "1", 'h': "1",
	'P': "n", 'm': "01", 's': "01", 'f': "1", 'Z': "01:01", 'z': "01:01", 'C': "n", 'E': "n",
}

var (
	months = strings.Fields("January February March April May June July August September October November December")
	days   = strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
)

func (m *machine) datePicture(picture string) []component {
	m.picture(picture)
	var parts []component
	literal := func(text string) {
		if text != "" {
			parts = append(parts, component{literal: strings.ReplaceAll(text, "]]", "]")})
		}
	}
	start := 0
	for i := 0; i < len(picture); {
		if picture[i] != '[' {
			i++
			continue
		}
		literal(picture[start:i])
		if strings.HasPrefix(picture[i:], "[[") {
			literal("[")
			i += 2
			start = i
			continue
		}
		end := strings.IndexByte(picture[i:], ']')
		if end < 0 {
			m.fail("D3135", picture)
		}
		next := m.marker(picture[i+1 : i+end])
		if n := len(parts); n > 0 && parts[n-1].number != nil && next.number != nil {
			parts[n-1].number.width = parts[n-1].number.least
		}
		parts = append(parts, next)
		i += end + 1
		start = i
	}
	literal(picture[start:])
	return parts
}

// marker reads what stands in brackets: a letter, how to write it, and a
// width behind a comma.
func (m *machine) marker(text string) component {
	text = strings.Join(strings.Fields(text), "")
	if text == "" || defaultPresentations[text[0]] == "" {
		m.fail("D3132", text)
	}
	c := component{letter: text[0]}
	how := text[1:]
	if comma := strings.LastIndexByte(how, ','); comma >= 0 {
		low, high, both := strings.Cut(how[comma+1:], "-")
		c.min, c.max = width(low), width(high)
		if !both {
			c.max = 0
		}
		how = how[:comma]
	}
	ordinal := ""
	if n := len(how); n > 1 && strings.IndexByte("atco", how[n-1]) >= 0 {
		switch how[n-1] {
		case 'o':
			ordinal = ";o"
		case 't':
			c.zulu = true
		}
		how = how[:n-1]
	}
	if how == "" {
		how = defaultPresentations[c.letter]
	}
	switch {
	case strings.HasPrefix(how, "Nn"):
		c.names = 'T'
	case how[0] == 'N' || how[0] == 'n':
		c.names = how[0]
	case strings.IndexByte("CEP", c.letter) < 0:
		c.number = m.integerPicture(how + ordinal)
		m.widths(&c)
	}
	return c
}

func width(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 100 {
		return 0
	}
	return n
}

func (m *machine) widths(c *component) {
	c.number.least = max(c.number.least, c.min)
	if c.letter != 'Y' {
		return
	}
	switch n := c.number.most; {
	case c.max > 0:
		c.digits = c.max
		c.number.least = c.max
	case c.min > 0:
		c.digits = c.min
	case n >= 2:
		c.digits = n
	}
}

// maxMillis is the range of dates in ECMAScript.
const maxMillis = 8.64e15

// formatDate writes an instant in milliseconds since 1970. A picture and a
// zone such as +0100 are strings, or undefined.
func (m *machine) formatDate(f float64, picture, zone any) any {
	if math.Abs(f) > maxMillis || math.IsNaN(f) {
		m.fail("D1001", formatFloat(f))
	}
	text, ok := picture.(string)
	if !ok {
		text = isoPicture
	}
	offset := 0 // minutes
	if z, ok := zone.(string); ok {
		n, err := strconv.Atoi(strings.TrimPrefix(z, "+"))
		if err != nil || n < -9999 || n > 9999 {
			m.fail("D3134")
		}
		offset = n/100*60 + n%100
	}
	t := time.UnixMilli(int64(f) + int64(offset)*60_000).UTC()
	var out strings.Builder
	for _, c := range m.datePicture(text) {
		m.step()
		out.WriteString(m.component(c, t, offset))
	}
	m.text(out.Len())
	return out.String()
}

func (m *machine) component(c component, t time.Time, offset int) string {
	switch c.letter {
	case 0:
		return c.literal
	case 'C', 'E':
		return "ISO"
	case 'P':
		text := "am"
		if t.Hour() >= 12 {
			text = "pm"
		}
		return cased(text, c.names)
	case 'Z', 'z':
		return m.zone(c, offset)
	}
	n := fragment(t, c.letter)
	if c.names == 0 {
		if c.digits > 0 && c.letter == 'Y' {
			n = int(math.Mod(float64(n), math.Pow(10, float64(c.digits))))
		}
		return m.formatInteger(float64(n), c.number)
	}
	var text string
	switch c.letter {
	case 'M', 'x':
		text = months[n-1]
	case 'F':
		text = days[n-1]
	default:
		m.fail("D3133", string(c.letter))
	}
	if c.max > 0 && len(text) > c.max {
		text = text[:c.max]
	}
	return cased(text, c.names)
}

func cased(text string, names byte) string {
	switch names {
	case 'n':
		return strings.ToLower(text)
	case 'N':
		return strings.ToUpper(text)
	}
	return text
}

// fragment is the number that a letter stands for. Weeks begin on Monday and
// belong to the month and year of their Thursday.
func fragment(t time.Time, letter byte) int {
	weekday := (int(t.Weekday()) + 6) % 7 // Monday is 0
	thursday := t.AddDate(0, 0, 3-weekday)
	switch letter {
	case 'Y':
		return t.Year()
	case 'M':
		return int(t.Month())
	case 'D':
		return t.Day()
	case 'd':
		return t.YearDay()
	case 'F':
		return weekday + 1
	case 'W':
		return (thursday.YearDay()-1)/7 + 1
	case 'X':
		return thursday.Year()
	case 'w':
		return (thursday.Day()-1)/7 + 1
	case 'x':
		return int(thursday.Month())
	case 'H':
		return t.Hour()
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'P':
		return t.Hour() / 12
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	case 'f':
		return t.Nanosecond() / 1_000_000
	}
	return 0
}

func (m *machine) zone(c component, offset int) string {
	if offset == 0 && c.zulu {
		return "Z"
	}
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	hours, minutes := offset/60, offset%60
	p := c.number
	if p == nil {
		p = m.integerPicture("01:01")
	}
	var text string
	switch {
	case p.regular > 0, p.least == 3, p.least == 4:
		text = m.formatInteger(float64(100*hours+minutes), p)
	case p.least <= 2:
		text = m.formatInteger(float64(hours), p)
		if minutes != 0 {
			text += ":" + m.formatInteger(float64(minutes), &integerPicture{kind: '0', zero: p.zero, least: 2})
		}
	default:
		m.fail("D3134")
	}
	if c.letter == 'z' {
		return "GMT" + sign + text
	}
	return sign + text
}
