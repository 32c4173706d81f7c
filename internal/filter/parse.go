package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
)

// Parse reads a line; an empty one has everything. Errors are *[Error].
func Parse(line string, context Context) (Filter, error) {
	p := &parser{line: line, filter: Filter{context: context}}
	if err := p.parse(); err != nil {
		return Filter{}, err
	}
	return p.filter, nil
}

// parser goes through a line from left to right.
type parser struct {
	line   string
	at     int // byte that is next
	filter Filter
}

// word is a value as it was written, with where.
type word struct {
	at     int
	glob   Glob   // stars are not joined yet
	text   string // without wildcards, or bare
	quoted bool
}

func (p *parser) fail(at int, hint, format string, args ...any) *Error {
	return &Error{Column: utf8.RuneCountInString(p.line[:at]) + 1, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (p *parser) parse() error {
	if err := p.checkText(); err != nil {
		return err
	}
	for count := 0; ; count++ {
		for p.at < len(p.line) && p.line[p.at] == ' ' {
			p.at++
		}
		if p.at == len(p.line) {
			return nil
		}
		if count == MaxTerms {
			return p.fail(p.at, "", "there are more than %d terms", MaxTerms)
		}
		if err := p.term(); err != nil {
			return err
		}
	}
}

// checkText refuses what nobody sees, or could write into a terminal.
func (p *parser) checkText() error {
	if len(p.line) > MaxLine {
		return &Error{Column: 1, Message: fmt.Sprintf("the line is longer than %d bytes", MaxLine)}
	}
	for i, r := range p.line {
		if r == utf8.RuneError {
			return p.fail(i, "", "the character is broken")
		}
		if !unicode.IsPrint(r) {
			return p.fail(i, "remove it", "the character %U cannot be seen", r)
		}
	}
	return nil
}

// term reads one term.
func (p *parser) term() error {
	start := p.at
	switch p.line[p.at] {
	case '!':
		return p.fail(start, "write - before a term to turn it round, as in -state:failed", "! means nothing here")
	case '"':
		return p.fail(start, `write name~"*text*" to search names`, "a term begins with a key")
	case '-':
		p.at++
	}
	not := p.at > start
	begin := p.at
	for p.at < len(p.line) && !strings.ContainsRune(` :~<>="\,`, rune(p.line[p.at])) {
		p.at++
	}
	name := p.line[begin:p.at]
	if name == "" {
		return p.fail(begin, "write key:value, as in state:failed", "a key is missing")
	}
	op, at := p.operator(), p.at
	if op == "" && p.at < len(p.line) && p.line[p.at] != ' ' {
		return p.fail(p.at, "write key:value, as in state:failed", "%q means nothing here", p.line[p.at:p.at+1])
	}
	k, err := p.key(begin, name, op)
	if err != nil {
		return err
	}
	if k == nil {
		return p.sorting(start, op, not)
	}
	t := term{key: k, column: utf8.RuneCountInString(p.line[:start]) + 1, not: not}
	if k.kind != flagKind {
		if err := p.value(&t, op, at); err != nil {
			return err
		}
	}
	p.filter.terms = append(p.filter.terms, t)
	return nil
}

func (p *parser) operator() string {
	for _, op := range []string{":", "~", ">=", "<=", ">", "<", "="} {
		if strings.HasPrefix(p.line[p.at:], op) {
			p.at += len(op)
			return op
		}
	}
	return ""
}

const sortName = "sort"

// key finds the key of a term; of sort it is nil.
func (p *parser) key(at int, name, op string) (*key, error) {
	if name == sortName {
		return nil, nil
	}
	if name == "workflow" {
		name = "name"
	}
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	switch {
	case name == "predicted-late":
		return nil, p.fail(at, "late has the runs that are late by now", "predicted-late is not available yet")
	case i >= 0 && keys[i].kind == flagKind && op != "":
		return nil, p.fail(at, "write "+name+", or -"+name, "%s takes no value", name)
	case i >= 0 && keys[i].kind != flagKind && op == "":
		return nil, p.fail(at, "write "+keys[i].example, "%s needs a value", name)
	case i >= 0:
		return &keys[i], nil
	}
	if lower := strings.ToLower(name); op == "" && (lower == "or" || lower == "and") {
		return nil, p.fail(at, "a space joins terms, a comma alternatives: state:failed,running late", "%s means nothing here", name)
	}
	var flags, others []string
	for _, k := range keys {
		if k.kind == flagKind {
			flags = append(flags, k.name)
		} else {
			others = append(others, k.name)
		}
	}
	others = append(others, "workflow", sortName)
	if op == "" {
		hint := diag.DidYouMean(name, flags)
		if hint == "" {
			hint = `write name~"*` + cut(name) + `*" to search names`
		}
		return nil, p.fail(at, hint, "there is no flag %q", cut(name))
	}
	hint := diag.DidYouMean(name, others)
	if hint == "" {
		hint = "keys are " + strings.Join(others, " ")
	}
	return nil, p.fail(at, hint, "there is no key %q", cut(name))
}

// cut shortens what is quoted in a message.
func cut(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) > most {
		return string([]rune(text)[:most-1]) + "…"
	}
	return text
}

// words reads values separated by commas.
func (p *parser) words(op string) ([]word, error) {
	var out []word
	for {
		w, err := p.word(op)
		if err != nil {
			return nil, err
		}
		if out = append(out, w); len(out) > MaxValues {
			return nil, p.fail(w.at, "", "a term has more than %d values", MaxValues)
		}
		if p.at == len(p.line) || p.line[p.at] == ' ' {
			return out, nil
		}
		if p.line[p.at] != ',' {
			return nil, p.fail(p.at, "put the whole value into quotes", "%q cannot stand here", p.line[p.at:p.at+1])
		}
		p.at++
	}
}

func (p *parser) word(op string) (word, error) {
	if p.at < len(p.line) && p.line[p.at] == '"' {
		return p.quoted(op)
	}
	w := word{at: p.at}
	for p.at < len(p.line) && bareByte(p.line[p.at]) {
		p.at++
	}
	w.text = p.line[w.at:p.at]
	if w.text == "" {
		if p.at < len(p.line) && p.line[p.at] == '\\' {
			return w, p.fail(p.at, "put the whole value into quotes", `"\\" cannot stand here`)
		}
		return w, p.fail(w.at, `write "" for the empty text`, "a value is missing")
	}
	if len(w.text) > MaxValue {
		return w, p.fail(w.at, "", "the value is longer than %d bytes", MaxValue)
	}
	w.glob, _ = parseGlob(w.text) // without backslashes all is well
	return w, nil
}

func bareByte(b byte) bool { return b != ' ' && b != ',' && b != '"' && b != '\\' }

func (p *parser) quoted(op string) (word, error) {
	w := word{at: p.at, quoted: true}
	for p.at++; p.at < len(p.line); {
		r, size := utf8.DecodeRuneInString(p.line[p.at:])
		switch {
		case r == '"':
			p.at++
			if w.glob.size() > MaxValue {
				return w, p.fail(w.at, "", "the value is longer than %d bytes", MaxValue)
			}
			w.text, _ = w.glob.Literal()
			return w, nil
		case r == '\\':
			if p.at+1 == len(p.line) || !strings.ContainsRune(`"\*?`, rune(p.line[p.at+1])) {
				return w, p.fail(p.at, `write \\ for a backslash`, `after a backslash comes ", \, * or ?`)
			}
			r, size = rune(p.line[p.at+1]), 2
		case r == '*' && op == "~":
			r = anyText
		case r == '?' && op == "~":
			r = anyChar
		}
		w.glob.chars = append(w.glob.chars, r)
		p.at += size
	}
	return w, p.fail(w.at, `write " at the end of the value`, "the quotes are not closed")
}

// sorting reads the keys of sort.
func (p *parser) sorting(start int, op string, not bool) error {
	const hint = "write sort:-time; keys are time name date state attempt wait duration"
	switch {
	case not:
		return p.fail(start, "write sort:-time to turn the order round", "sort cannot be turned round as a term")
	case op != ":":
		return p.fail(start, hint, "sort is followed by a colon")
	case p.filter.sort != nil:
		return p.fail(start, "write several keys as in sort:name,-time", "sort stands here for the second time")
	}
	words, err := p.words(op)
	if err != nil {
		return err
	}
	for _, w := range words {
		text, descending := strings.CutPrefix(w.text, "-")
		if w.quoted || !slices.Contains(sortKeys, sortBy(text)) {
			return p.fail(w.at, hint, "there is no order %q", cut(w.text))
		}
		if slices.ContainsFunc(p.filter.sort, func(k sortKey) bool { return k.by == sortBy(text) }) {
			return p.fail(w.at, "", "the order %q stands here for the second time", text)
		}
		p.filter.sort = append(p.filter.sort, sortKey{
			by: sortBy(text), descending: descending, column: utf8.RuneCountInString(p.line[:w.at]) + 1,
		})
	}
	return nil
}
