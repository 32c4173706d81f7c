package jsonata

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// symbols are the characters of a number picture.
type symbols struct {
	decimal, grouping, minus, percent, permille, zero, digit, pattern, exponent string
}

// subpicture is one half of a picture, taken apart.
type subpicture struct {
	text                       string
	prefix, suffix             string
	active                     string
	integer, fraction          string
	exponent                   string
	hasExponent                bool
	minInteger, scaling        int
	minFraction, maxFraction   int
	minExponent                int
	integerGroups, fractGroups []int
	regular                    int
}

func fnFormatNumber(m *machine, c call) any {
	f, ok := c.num(0)
	if !ok {
		return nil
	}
	picture, _ := c.str(1)
	m.picture(picture)
	s := symbols{".", ",", "-", "%", "‰", "0", "#", ";", "e"}
	if o, ok := c.arg(2).(*object); ok {
		for key, to := range map[string]*string{
			"decimal-separator": &s.decimal, "grouping-separator": &s.grouping, "minus-sign": &s.minus, "percent": &s.percent,
			"per-mille": &s.permille, "zero-digit": &s.zero, "digit": &s.digit, "pattern-separator": &s.pattern, "exponent-separator": &s.exponent,
		} {
			if v, ok := o.get(key).(string); ok && v != "" {
				*to = v
			}
		}
	}
	parts := strings.Split(picture, s.pattern)
	if len(parts) > 2 {
		m.fail("D3080")
	}
	var subs []subpicture
	for _, part := range parts {
		sub := s.cut(part)
		s.check(m, sub)
		s.analyse(&sub)
		subs = append(subs, sub)
	}
	use := subs[0]
	if f < 0 {
		if len(subs) == 2 {
			use = subs[1]
		} else {
			m.text(len(s.minus))
			use.prefix = s.minus + use.prefix
		}
	}
	m.text(64 + len(picture))
	return s.format(m, use, math.Abs(f))
}

// isDigit reports whether r is a digit of the family.
func (s *symbols) isDigit(r rune) bool {
	zero, _ := utf8.DecodeRuneInString(s.zero)
	return r >= zero && r < zero+10
}

func (s *symbols) isActive(r rune) bool {
	c := string(r)
	return s.isDigit(r) || c == s.decimal || c == s.grouping || c == s.digit
}

func (s *symbols) cut(text string) subpicture {
	sub := subpicture{text: text, active: text}
	first := strings.IndexFunc(text, s.isActive)
	if first < 0 {
		sub.prefix = text
		sub.active = ""
		return sub
	}
	last := strings.LastIndexFunc(text, s.isActive)
	_, n := utf8.DecodeRuneInString(text[last:])
	sub.prefix, sub.active, sub.suffix = text[:first], text[first:last+n], text[last+n:]
	mantissa := sub.active
	if i := strings.Index(mantissa, s.exponent); i >= 0 {
		sub.hasExponent = true
		mantissa, sub.exponent = mantissa[:i], mantissa[i+len(s.exponent):]
	}
	sub.integer, sub.fraction, _ = strings.Cut(mantissa, s.decimal)
	return sub
}

// check refuses what pictures must not have.
func (s *symbols) check(m *machine, sub subpicture) {
	percents, permilles := strings.Count(sub.text, s.percent), strings.Count(sub.text, s.permille)
	mantissa := sub.integer + sub.fraction
	hasDigit := strings.IndexFunc(mantissa, func(r rune) bool { return s.isDigit(r) || string(r) == s.digit }) >= 0
	passive := strings.IndexFunc(sub.active, func(r rune) bool { return !s.isActive(r) && (!sub.hasExponent || string(r) != s.exponent) }) >= 0
	i := strings.IndexFunc(sub.integer, s.isDigit)
	j := strings.LastIndexFunc(sub.fraction, s.isDigit)
	switch {
	case strings.Count(sub.text, s.decimal) > 1:
		m.fail("D3081")
	case percents > 1:
		m.fail("D3082")
	case permilles > 1:
		m.fail("D3083")
	case percents > 0 && permilles > 0:
		m.fail("D3084")
	case !hasDigit:
		m.fail("D3085")
	case passive:
		m.fail("D3086")
	case strings.Contains(sub.active, s.grouping+s.decimal) || strings.Contains(sub.active, s.decimal+s.grouping):
		m.fail("D3087")
	case !strings.Contains(sub.active, s.decimal) && strings.HasSuffix(sub.integer, s.grouping):
		m.fail("D3088")
	case strings.Contains(sub.text, s.grouping+s.grouping):
		m.fail("D3089")
	case i >= 0 && strings.Contains(sub.integer[i:], s.digit):
		m.fail("D3090")
	case j >= 0 && strings.Contains(sub.fraction[:j], s.digit):
		m.fail("D3091")
	case sub.hasExponent && (percents > 0 || permilles > 0):
		m.fail("D3092")
	case sub.hasExponent && (sub.exponent == "" || strings.ContainsFunc(sub.exponent, func(r rune) bool { return !s.isDigit(r) })):
		m.fail("D3093")
	}
}

// groups are the places of grouping separators, in digits: of the integer
// part counted from the right, of the fraction from the left.
func (s *symbols) groups(part string, fromRight bool) []int {
	pieces := strings.Split(part, s.grouping)
	out := make([]int, len(pieces)-1)
	before := 0
	for i, piece := range pieces[:len(pieces)-1] {
		before += utf8.RuneCountInString(piece)
		out[i] = before
	}
	if fromRight {
		all := before + utf8.RuneCountInString(pieces[len(pieces)-1])
		for i := range out {
			out[i] = all - out[i]
		}
	}
	return out
}

func (s *symbols) digits(part string) int {
	n := 0
	for _, r := range part {
		if s.isDigit(r) {
			n++
		}
	}
	return n
}

func (s *symbols) analyse(sub *subpicture) {
	sub.integerGroups = s.groups(sub.integer, true)
	sub.fractGroups = s.groups(sub.fraction, false)
	sub.regular = regularGroups(sub.integerGroups)
	sub.minInteger = s.digits(sub.integer)
	sub.scaling = sub.minInteger
	sub.minFraction = s.digits(sub.fraction)
	sub.maxFraction = sub.minFraction + strings.Count(sub.fraction, s.digit)
	if sub.minInteger == 0 && sub.maxFraction == 0 {
		if sub.hasExponent {
			sub.minFraction, sub.maxFraction = 1, 1
		} else {
			sub.minInteger = 1
		}
	}
	if sub.hasExponent && sub.minInteger == 0 && strings.Contains(sub.integer, s.digit) {
		sub.minInteger = 1
	}
	if sub.minInteger == 0 && sub.minFraction == 0 {
		sub.minFraction = 1
	}
	if sub.hasExponent {
		sub.minExponent = s.digits(sub.exponent)
	}
}

// regularGroups is the distance of separators that stand at equal distances,
// else 0. Places count from the right.
func regularGroups(places []int) int {
	if len(places) == 0 {
		return 0
	}
	unit := places[len(places)-1]
	for i, p := range places {
		if p != unit*(len(places)-i) {
			return 0
		}
	}
	return unit
}

func (s *symbols) format(m *machine, sub subpicture, f float64) string {
	exponent := 0
	switch {
	case strings.Contains(sub.text, s.percent):
		f *= 100
	case strings.Contains(sub.text, s.permille):
		f *= 1000
	case sub.hasExponent:
		high := math.Pow(10, float64(sub.scaling))
		low := math.Pow(10, float64(sub.scaling-1))
		for f != 0 && f < low {
			f, exponent = f*10, exponent-1
		}
		for f > high {
			f, exponent = f/10, exponent+1
		}
	}
	text := fixed(m.finite(f), sub.maxFraction)
	integer, fraction, _ := strings.Cut(text, ".")
	integer, fraction = strings.TrimLeft(integer, "0"), strings.TrimRight(fraction, "0")
	integer = strings.Repeat("0", max(0, sub.minInteger-len(integer))) + integer
	fraction += strings.Repeat("0", max(0, sub.minFraction-len(fraction)))
	m.text(len(integer) + len(fraction))
	out := separated(sub, integer, fraction)
	if !strings.Contains(sub.text, s.decimal) || strings.HasSuffix(out, ".") {
		out = out[:len(out)-1]
	}
	if sub.hasExponent {
		digits := fixed(math.Abs(float64(exponent)), 0)
		digits = strings.Repeat("0", max(0, sub.minExponent-len(digits))) + digits
		if exponent < 0 {
			digits = "-" + digits
		}
		out += "e" + digits
	}
	return sub.prefix + s.localized(m, out) + sub.suffix
}

// fixed rounds half to even to a number of decimal places.
func fixed(f float64, places int) string {
	r := round(f, min(places, 300))
	text := new(big.Float).SetFloat64(r).Text('f', places)
	if short := formatFloat(r); !strings.Contains(short, "e") {
		integer, fraction, _ := strings.Cut(short, ".")
		text = integer
		if places > 0 {
			text += "." + fraction + strings.Repeat("0", max(0, places-len(fraction)))
		}
	}
	return text
}

// separated is a number with its decimal point and grouping separators. Where
// the picture has more of them than there are digits, they stand where the
// reference puts them: places count from the other end when they are negative,
// and those of the fraction do not know of separators before them.
func separated(sub subpicture, integer, fraction string) string {
	out, point := integer+"."+fraction, len(integer)
	insert := func(at int) {
		if at < 0 {
			at = max(0, len(out)+at)
		}
		at = min(at, len(out))
		out = out[:at] + "," + out[at:]
	}
	if sub.regular > 0 {
		for p := sub.regular; p < point; p += sub.regular {
			insert(point - p)
		}
	} else {
		for _, p := range sub.integerGroups {
			insert(point - p)
			point++
		}
	}
	point = strings.IndexByte(out, '.')
	for _, p := range sub.fractGroups {
		insert(point + 1 + p)
	}
	return out
}

// localized writes digits and separators as the symbols have them.
func (s *symbols) localized(m *machine, text string) string {
	zero, _ := utf8.DecodeRuneInString(s.zero)
	var out strings.Builder
	symbol := func(text string) { m.text(len(text)); out.WriteString(text) }
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			out.WriteRune(zero + r - '0')
		case r == '.':
			symbol(s.decimal)
		case r == ',':
			symbol(s.grouping)
		case r == '-':
			symbol(s.minus)
		case r == 'e':
			symbol(s.exponent)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
