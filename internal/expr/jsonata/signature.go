package jsonata

import (
	"regexp"
	"strings"
)

// signature says what arguments a function takes, such as <s-nn?:s>: letters
// for types, - for an argument that may come from the context, ? for an
// optional and + for a repeated one. What stands behind the colon says what
// comes out, and is not checked.
type signature struct {
	params []param
	shape  *regexp.Regexp
}

type param struct {
	kind    byte
	pattern string
	context *regexp.Regexp // what the context must be to stand in, or nil
	items   string         // type of the items of an array
}

// missing is the letter of an argument that is undefined.
const missing = 'm'

// parseSignature reads a signature in its angle brackets. The code is empty
// if it can be read.
func parseSignature(text string) (sig *signature, code string) {
	s := &signature{}
	for i := 1; i < len(text)-1 && text[i] != ':'; i++ {
		c := text[i]
		last := len(s.params) - 1
		switch {
		case strings.IndexByte("snblo", c) >= 0:
			s.params = append(s.params, param{kind: c, pattern: "[" + string(c) + "m]"})
		case c == 'a' || c == 'x':
			s.params = append(s.params, param{kind: c, pattern: "[asnblfom]"})
		case c == 'j':
			s.params = append(s.params, param{kind: c, pattern: "[asnblom]"})
		case c == 'f':
			s.params = append(s.params, param{kind: c, pattern: "f"})
		case c == '-' && last >= 0:
			context, err := regexp.Compile(s.params[last].pattern)
			if err != nil {
				return nil, "S0401"
			}
			s.params[last].context = context
			s.params[last].pattern += "?"
		case (c == '?' || c == '+') && last >= 0:
			s.params[last].pattern += string(c)
		case c == '(':
			end := strings.IndexByte(text[i:], ')')
			if end < 0 {
				return nil, "S0402"
			}
			choice := text[i+1 : i+end]
			if strings.Contains(choice, "<") {
				return nil, "S0402"
			}
			s.params = append(s.params, param{kind: '(', pattern: "[" + regexp.QuoteMeta(choice) + "m]"})
			i += end
		case c == '<':
			end := closing(text, i)
			if last < 0 || end < 0 || s.params[last].kind != 'a' && s.params[last].kind != 'f' {
				return nil, "S0401"
			}
			s.params[last].items = text[i+1 : end]
			i = end
		}
	}
	var all strings.Builder
	for _, p := range s.params {
		all.WriteString("(" + p.pattern + ")")
	}
	shape, err := regexp.Compile("^" + all.String() + "$")
	if err != nil {
		return nil, "S0401"
	}
	s.shape = shape
	return s, ""
}

// closing is where the angle bracket at i closes, -1 if it does not.
func closing(text string, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '<':
			depth++
		case '>':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// letter is the type of an argument as signatures write it.
func letter(x any) byte {
	switch x.(type) {
	case string:
		return 's'
	case float64, exact:
		return 'n'
	case bool:
		return 'b'
	case null:
		return 'l'
	case *array:
		return 'a'
	case *object:
		return 'o'
	case *lambda, *native, *regex:
		return 'f'
	}
	return missing
}

// arguments checks args, puts the context where it stands in for one, and
// makes lists of single values where a list is asked for.
func (m *machine) arguments(s *signature, args []any, context any) []any {
	given := make([]byte, len(args))
	for i, arg := range args {
		given[i] = letter(arg)
	}
	match := s.shape.FindSubmatchIndex(given)
	if match == nil {
		m.badArgument(s, string(given))
	}
	out := make([]any, 0, len(s.params))
	at := 0
	for i := range s.params {
		p := &s.params[i]
		letters := given[match[2*i+2]:match[2*i+3]]
		if len(letters) == 0 {
			if p.context == nil {
				out = append(out, argument(args, at))
				at++
				continue
			}
			if !p.context.Match([]byte{letter(context)}) {
				m.fail("T0411", i+1, m.name)
			}
			out = append(out, context)
			continue
		}
		for range letters {
			out = append(out, m.converted(p, args[at], at))
			at++
		}
	}
	return out
}

func argument(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// converted is an argument as its parameter wants it.
func (m *machine) converted(p *param, arg any, at int) any {
	if p.kind != 'a' || arg == nil {
		return arg
	}
	list, isList := arg.(*array)
	if p.items != "" {
		ok := true
		switch {
		case !isList:
			ok = string(letter(arg)) == p.items
		case list.len() > 0:
			items := m.all(list)
			kind := letter(items[0])
			ok = kind == p.items[0]
			for _, item := range items {
				ok = ok && letter(item) == kind
			}
		}
		if !ok {
			m.fail("T0412", at+1, m.name, plural(p.items))
		}
	}
	if !isList {
		return &array{items: []any{arg}}
	}
	return arg
}

func plural(items string) string {
	switch items {
	case "s":
		return "strings"
	case "n":
		return "numbers"
	case "o":
		return "objects"
	}
	return "<" + items + ">"
}

// badArgument tells the first argument that does not match.
func (m *machine) badArgument(s *signature, given string) {
	good, partial := 0, "^"
	for _, p := range s.params {
		partial += p.pattern
		re, err := regexp.Compile(partial)
		if err != nil {
			break
		}
		found := re.FindStringIndex(given)
		if found == nil {
			break
		}
		good = found[1]
	}
	m.fail("T0410", good+1, m.name)
}
