package jsonata

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// integerPicture says how an integer is written.
type integerPicture struct {
	kind    byte // A, a, I, i, w, W, T (words with capitals) or 0 (digits)
	ordinal bool
	zero    rune
	least   int // digits that must be there
	most    int // digits in the picture
	groups  []group
	regular int // distance of equal separators, 0 if they are not
	width   int // digits that are read where another number follows, else 0
}

// group is a separator, with its place in digits from the right.
type group struct {
	at   int
	mark rune
}

// digitZeros are the zeros of the scripts whose digits can be used.
const digitZeros = "0٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０"

// zeroOf is the zero of the script of a digit, 0 for what is no digit.
func zeroOf(r rune) rune {
	for _, zero := range digitZeros {
		if r >= zero && r <= zero+9 {
			return zero
		}
	}
	return 0
}

func (m *machine) integerPicture(picture string) *integerPicture {
	m.picture(picture)
	p := &integerPicture{kind: '0'}
	primary := picture
	if i := strings.LastIndexByte(picture, ';'); i >= 0 {
		primary = picture[:i]
		p.ordinal = strings.HasPrefix(picture[i+1:], "o")
	}
	switch primary {
	case "A", "a", "I", "i", "w", "W":
		p.kind = primary[0]
		return p
	case "Ww":
		p.kind = 'T'
		return p
	}
	rs := []rune(primary)
	for _, r := range slices.Backward(rs) {
		zero := zeroOf(r)
		switch {
		case zero != 0:
			if p.zero != 0 && p.zero != zero {
				m.fail("D3131", picture)
			}
			p.zero = zero
			p.least++
			p.most++
		case r == '#':
			p.most++
		default:
			p.groups = append(p.groups, group{p.most, r})
		}
	}
	if p.least == 0 {
		m.fail("D3130", picture)
	}
	if len(p.groups) > 0 {
		p.regular = p.groups[0].at
		for i, g := range p.groups {
			if g.at != p.groups[0].at*(i+1) || g.mark != p.groups[0].mark {
				p.regular = 0
			}
		}
	}
	return p
}

func fnFormatInteger(m *machine, c call) any {
	f, ok := c.num(0)
	if !ok {
		return nil
	}
	picture, _ := c.str(1)
	return m.formatInteger(math.Floor(f), m.integerPicture(picture))
}

// maxRoman is the largest number that is written in Roman numerals; more
// would be a long row of Ms.
const maxRoman = 1_000_000

func (m *machine) formatInteger(f float64, p *integerPicture) string {
	negative := f < 0
	f = math.Abs(f)
	var out string
	switch p.kind {
	case 'A', 'a':
		out = letters(f, rune(p.kind))
	case 'I', 'i':
		if f > maxRoman {
			m.fail("D3130", "I")
		}
		out = roman(int(f))
		if p.kind == 'i' {
			out = strings.ToLower(out)
		}
	case 'w', 'W', 'T':
		out = words(f, false, p.ordinal)
		switch p.kind {
		case 'w':
			out = strings.ToLower(out)
		case 'W':
			out = strings.ToUpper(out)
		}
	default:
		out = p.digits(f)
	}
	if negative {
		out = "-" + out
	}
	return out
}

func (p *integerPicture) digits(f float64) string {
	whole, _ := new(big.Float).SetFloat64(f).Int(nil)
	if f >= maxExact && f < 1e21 {
		whole.SetString(formatFloat(f), 10)
	}
	text := whole.String()
	text = strings.Repeat("0", max(0, p.least-len(text))) + text
	groups := p.groups
	if p.regular > 0 {
		groups = nil
		for at := p.regular; at < len(text); at += p.regular {
			groups = append(groups, group{at, p.groups[0].mark})
		}
	}
	marks := make(map[int]rune, len(groups))
	for _, g := range groups {
		marks[g.at] = g.mark
	}
	var out strings.Builder
	for i, r := range text {
		if mark, ok := marks[len(text)-i]; ok && i > 0 {
			out.WriteRune(mark)
		}
		out.WriteRune(p.zero + r - '0')
	}
	if p.ordinal {
		out.WriteString(suffix(text))
	}
	return out.String()
}

// suffix is the ending of an ordinal number in digits.
func suffix(text string) string {
	n := len(text)
	if n > 1 && text[n-2] == '1' {
		return "th"
	}
	switch text[n-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	}
	return "th"
}

// letters counts A to Z, AA, AB and so on.
func letters(f float64, a rune) string {
	var out []rune
	for n := f; n > 0; {
		digit := math.Mod(n-1, 26)
		out = append([]rune{a + rune(digit)}, out...)
		n = math.Floor((n - 1 - digit) / 26)
	}
	return string(out)
}

var romans = []struct {
	value int
	text  string
}{
	{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"},
	{10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
}

func roman(n int) string {
	var out strings.Builder
	for _, r := range romans {
		for ; n >= r.value; n -= r.value {
			out.WriteString(r.text)
		}
	}
	return out.String()
}

func fromRoman(text string) float64 {
	values := map[rune]float64{'M': 1000, 'D': 500, 'C': 100, 'L': 50, 'X': 10, 'V': 5, 'I': 1}
	total, highest := 0.0, 0.0
	rs := []rune(strings.ToUpper(text))
	for _, r := range slices.Backward(rs) {
		v := values[r]
		if v < highest {
			total -= v
		} else {
			highest = v
			total += v
		}
	}
	return total
}

var (
	few = strings.Fields("Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen " +
		"Fifteen Sixteen Seventeen Eighteen Nineteen")
	ordinals = strings.Fields("Zeroth First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth Eleventh Twelfth " +
		"Thirteenth Fourteenth Fifteenth Sixteenth Seventeenth Eighteenth Nineteenth")
	decades    = strings.Fields("Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety")
	magnitudes = strings.Fields("Thousand Million Billion Trillion")
)

// words writes a number in words; more says that it goes on from words before
// it.
func words(f float64, more, ordinal bool) string {
	and, comma := "", ""
	if more {
		and, comma = " and ", ", "
	}
	switch {
	case f < 20:
		if ordinal {
			return and + ordinals[int(f)]
		}
		return and + few[int(f)]
	case f < 100:
		out, rest := and+decades[int(f)/10-2], int(f)%10
		switch {
		case rest > 0:
			return out + "-" + words(float64(rest), false, ordinal)
		case ordinal:
			return strings.TrimSuffix(out, "y") + "ieth"
		}
		return out
	case f < 1000:
		return comma + few[int(f)/100] + " Hundred" + remainder(math.Mod(f, 100), ordinal)
	}
	unit, name := 1e3, magnitudes[0]
	for _, next := range magnitudes[1:] {
		if f < unit*1e3 {
			break
		}
		unit, name = unit*1e3, next
	}
	count := math.Floor(f / unit)
	return comma + words(count, false, false) + " " + name + remainder(f-count*unit, ordinal)
}

func remainder(rest float64, ordinal bool) string {
	switch {
	case rest > 0:
		return words(rest, true, ordinal)
	case ordinal:
		return "th"
	}
	return ""
}

// wordValues are the numbers that single words stand for.
func wordValues() map[string]float64 {
	out := map[string]float64{"hundred": 100, "hundredth": 100}
	for i := range few {
		out[strings.ToLower(few[i])] = float64(i)
		out[strings.ToLower(ordinals[i])] = float64(i)
	}
	for i, d := range decades {
		out[strings.ToLower(d)] = float64(20 + 10*i)
		out[strings.ToLower(strings.TrimSuffix(d, "y"))+"ieth"] = float64(20 + 10*i)
	}
	for i, name := range magnitudes {
		out[strings.ToLower(name)] = math.Pow(1000, float64(i+1))
		out[strings.ToLower(name)+"th"] = math.Pow(1000, float64(i+1))
	}
	return out
}

func fromWords(text string) (float64, bool) {
	values := wordValues()
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ',' || r == '-' || unicode.IsSpace(r) })
	stack := []float64{0}
	for _, part := range parts {
		if part == "and" {
			continue
		}
		v, ok := values[part]
		if !ok {
			return 0, false
		}
		top := stack[len(stack)-1]
		if v >= 100 {
			stack[len(stack)-1] = top * v
			continue
		}
		if top >= 1000 {
			stack = append(stack, v)
		} else {
			stack[len(stack)-1] = top + v
		}
	}
	return sum(stack), len(parts) > 0
}

func fnParseInteger(m *machine, c call) any {
	text, ok := c.str(0)
	if !ok {
		return nil
	}
	picture, _ := c.str(1)
	m.text(4 * len(text))
	p := m.integerPicture(picture)
	m.spend((1 + len(p.groups)) * len(text) / stepBytes)
	f, ok := p.parse(text)
	if !ok {
		return nil
	}
	return f
}

// parse reads what formatInteger writes.
func (p *integerPicture) parse(text string) (float64, bool) {
	switch p.kind {
	case 'A', 'a':
		total := 0.0
		for _, r := range strings.ToUpper(text) {
			total = total*26 + float64(r-'A'+1)
		}
		return total, text != "" && !math.IsInf(total, 0)
	case 'I', 'i':
		return fromRoman(text), true
	case 'w', 'W', 'T':
		return fromWords(text)
	}
	if p.ordinal { // two letters, whatever they are
		text = text[:max(0, len(text)-2)]
	}
	total, found := 0.0, false
	for i, r := range text {
		if r >= p.zero && r <= p.zero+9 {
			total, found = total*10+float64(r-p.zero), true
			continue
		}
		if i == 0 && (r == '-' || r == '+') {
			continue
		}
		if !p.isMark(r) {
			break // the ending of an ordinal
		}
	}
	if strings.HasPrefix(text, "-") {
		total = -total
	}
	return total, found && !math.IsInf(total, 0)
}

// isMark reports whether r is a separator that is read over. Where they stand at
// equal distances, the reference knows the comma only.
func (p *integerPicture) isMark(r rune) bool {
	if p.regular > 0 {
		return r == ','
	}
	for _, g := range p.groups {
		if g.mark == r {
			return true
		}
	}
	return false
}
