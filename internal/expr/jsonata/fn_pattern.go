package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func patternFunctions() []*native {
	return []*native{
		fn("match", "<s-f<s:o>n?:a<o>>", 3, fnMatch),
		fn("contains", "<s-(sf):b>", 2, fnContains),
		fn("replace", "<s-(sf)(sf)n?:s>", 4, fnReplace),
		fn("split", "<s-(sf)n?:a<s>>", 3, fnSplit),
	}
}

// match is one match of a pattern: places in bytes.
type match struct {
	text       string
	start, end int
	groups     []any   // strings, nil for those that take no part
	object     *object // of a matching function, else nil
}

// matches calls yield with the matches of a regular expression or matching
// function in s, until it answers false.
func (m *machine) matches(f any, s string, yield func(match) bool) {
	re, ok := f.(*regex)
	if !ok {
		m.custom(f, s, yield)
		return
	}
	m.spend(1 + re.re.Cost(len(s)))
	// All matches are found at once, so that ^ and \b see what stands before a
	// match; no more of them than there is memory for.
	size := itemBytes * (4 + 2*re.re.NumSubexp())
	for _, found := range re.re.FindAllStringSubmatchIndex(s, m.memory/size+1) {
		m.step()
		m.allocate(size)
		if !yield(m.found(s, found)) {
			return
		}
	}
}

// found is a match as places in s.
func (m *machine) found(s string, at []int) match {
	if at[0] == at[1] {
		m.fail("D1004")
	}
	out := match{text: s[at[0]:at[1]], start: at[0], end: at[1]}
	for i := 2; i+1 < len(at); i += 2 {
		if at[i] >= 0 {
			out.groups = append(out.groups, s[at[i]:at[i+1]])
		} else {
			out.groups = append(out.groups, nil)
		}
	}
	return out
}

// custom walks the matches of a function that returns {match, start, end,
// groups, next}.
func (m *machine) custom(f any, s string, yield func(match) bool) {
	got := m.higher(f, s, 0.0)
	for got != nil {
		o, ok := got.(*object)
		if !ok {
			m.fail("T1010")
		}
		text, okText := o.get("match").(string)
		start, okStart := num(o.get("start"))
		end, okEnd := num(o.get("end"))
		next := o.get("next")
		groups, okGroups := o.get("groups").(*array)
		if !okText || !okStart || !okEnd || !okGroups || !isFunction(next) {
			m.fail("T1010")
		}
		m.read(s)
		one := match{text: text, start: offset(s, start), end: offset(s, end), object: o}
		one.end = max(one.start, one.end)
		one.groups = m.all(groups)
		if !yield(one) {
			return
		}
		got = m.higher(next)
	}
}

// offset turns a place counted in UTF-16 units into bytes.
func offset(s string, units float64) int {
	n := 0.0
	for i, r := range s {
		if n >= units {
			return i
		}
		if n++; r > 0xFFFF {
			n++
		}
	}
	return len(s)
}

// place turns places in bytes, of which none is before the one asked for
// last, into UTF-16 units.
type place struct {
	s     string
	at    int
	units float64
}

func (p *place) of(at int) float64 {
	for _, r := range p.s[p.at:max(p.at, at)] {
		if p.units++; r > 0xFFFF {
			p.units++
		}
	}
	p.at = max(p.at, at)
	return p.units
}

// matcher is a regular expression called as a function.
func (m *machine) matcher(re *regex, args []any) any {
	s, ok := argument(args, 0).(string)
	if !ok {
		return nil
	}
	m.read(s)
	from, _ := num(argument(args, 1))
	return m.matchFrom(re, s, offset(s, from))
}

func (m *machine) matchFrom(re *regex, s string, from int) any {
	var got match
	ok := false
	m.matches(re, s, func(one match) bool {
		got, ok = one, one.start >= from
		return !ok
	})
	if !ok {
		return nil
	}
	m.read(s)
	return m.matchObject(re, got, &place{s: s})
}

// nextSignature is that of the function that finds the next match.
var nextSignature = mustSignature("<:o>")

// matchObject is what a matching function returns.
func (m *machine) matchObject(re *regex, got match, p *place) *object {
	out, s := newObject(), p.s
	out.set(m, "match", got.text)
	out.set(m, "start", p.of(got.start))
	out.set(m, "end", p.of(got.end))
	out.set(m, "groups", m.groups(got))
	if re != nil { // not of a text
		out.set(m, "next", &native{sig: nextSignature, run: func(m *machine, _ call) any {
			return m.matchFrom(re, s, got.end)
		}})
	}
	return out
}

func (m *machine) groups(got match) *array {
	out := &array{items: []any{}}
	for _, g := range got.groups {
		out.put(m, g)
	}
	return out
}

func fnMatch(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	limit, limited := c.num(2)
	if limited && limit < 0 {
		m.fail("D3040")
	}
	out, p := sequence(), place{s: s}
	if limited && limit == 0 {
		return out
	}
	m.matches(c.arg(1), s, func(got match) bool {
		one := newObject()
		one.set(m, "match", got.text)
		one.set(m, "index", p.of(got.start))
		one.set(m, "groups", m.groups(got))
		out.put(m, one)
		return !limited || float64(out.len()) < limit
	})
	return out
}

func fnContains(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	if part, ok := c.str(1); ok {
		m.spend(len(s) / stepBytes)
		return strings.Contains(s, part)
	}
	found := false
	if c.arg(1) != nil {
		m.matches(c.arg(1), s, func(match) bool { found = true; return false })
	}
	return found
}

func fnSplit(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	limit, limited := c.num(2)
	if limited && limit < 0 {
		m.fail("D3020")
	}
	out := &array{items: []any{}}
	by, isText := c.str(1)
	if isText {
		limit = math.Floor(limit)
	}
	room := func() bool { return !limited || float64(len(out.items)) < limit }
	if isText || c.arg(1) == nil {
		m.text(len(s))
		parts := []string{s}
		if isText {
			m.allocate((strings.Count(s, by) + 1) * itemBytes)
			parts = strings.Split(s, by)
		}
		for _, part := range parts {
			if room() {
				out.put(m, part)
			}
		}
		return out
	}
	at := 0
	m.matches(c.arg(1), s, func(got match) bool {
		if room() {
			out.put(m, s[at:max(at, got.start)])
		}
		at = got.end
		return room()
	})
	if room() {
		out.put(m, s[at:])
	}
	return out
}

func fnReplace(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	if c.arg(1) == "" {
		m.fail("D3010")
	}
	limit, limited := c.num(3)
	if limited && limit < 0 {
		m.fail("D3011")
	}
	if limited && limit == 0 {
		return s
	}
	by, isText := c.str(2)
	if pattern, ok := c.str(1); ok && isText {
		n := -1
		if limited {
			n = int(math.Min(math.Ceil(limit), float64(len(s))))
		}
		count := strings.Count(s, pattern)
		if n >= 0 {
			count = min(count, n)
		}
		m.text(len(s) + count*len(by))
		return strings.Replace(s, pattern, by, n)
	}
	var out strings.Builder
	at, count, p := 0, 0.0, place{s: s}
	add := func(text string) { m.text(len(text)); out.WriteString(text) }
	each := func(got match) bool {
		if limited && count >= limit {
			return false
		}
		add(s[at:max(at, got.start)])
		if isText {
			m.expand(&out, by, got)
		} else {
			re, _ := c.arg(1).(*regex)
			add(m.replacement(re, c.arg(2), got, &p))
		}
		at = got.end
		count++
		return true
	}
	if pattern, ok := c.str(1); ok {
		m.literal(pattern, s, each)
	} else {
		m.matches(c.arg(1), s, each)
	}
	add(s[at:])
	return out.String()
}

// literal walks the places where a string stands.
func (m *machine) literal(pattern, s string, yield func(match) bool) {
	for at := 0; ; {
		i := strings.Index(s[at:], pattern)
		if i < 0 || !yield(match{text: pattern, start: at + i, end: at + i + len(pattern)}) {
			return
		}
		m.step()
		at += i + len(pattern)
	}
}

// replacement asks a function what to write for a match.
func (m *machine) replacement(re *regex, f any, got match, p *place) string {
	o := got.object
	if o == nil {
		o = m.matchObject(re, got, p)
	}
	text, ok := m.higher(f, o).(string)
	if !ok {
		m.fail("D3012")
	}
	return text
}

// expand writes a replacement: $$ is a dollar sign, $0 the match, and $ with a
// number a group. Of more digits than groups have, the last are text.
func (m *machine) expand(out *strings.Builder, by string, got match) {
	m.text(len(by))
	group := func(text string) { m.text(len(text)); out.WriteString(text) }
	for i := 0; i < len(by); {
		if by[i] != '$' || i+1 >= len(by) {
			_, n := utf8.DecodeRuneInString(by[i:])
			out.WriteString(by[i : i+n])
			i += n
			continue
		}
		rest := by[i+1:]
		switch {
		case rest[0] == '$':
			out.WriteByte('$')
			i += 2
		case rest[0] == '0':
			group(got.text)
			i += 2
		case rest[0] >= '1' && rest[0] <= '9':
			digits := len(strconv.Itoa(max(1, len(got.groups))))
			n := 0
			for n < len(rest) && n < digits && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			number := atoi(rest[:n])
			if n > 1 && number > len(got.groups) {
				n--
				number = atoi(rest[:n])
			}
			if number >= 1 && number <= len(got.groups) {
				text, _ := got.groups[number-1].(string)
				group(text)
			}
			i += 1 + n
		default:
			out.WriteByte('$')
			i++
		}
	}
}
