package jsonata

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of one evaluation beside its cost.
const (
	maxNesting   = 4000     // evaluations within each other, hence the depth of calls
	maxDataDepth = 1000     // lists and objects within each other
	maxMemory    = 64 << 20 // bytes, estimated, of all that an evaluation makes
	maxRange     = 10_000_000
	itemBytes    = 16
	stepBytes    = 1 << 10 // of text that cost as much as one step
	maxPicture   = 1 << 10 // bytes of a picture of numbers or dates
)

// fault is how an error travels from where it is found to Compile or Eval,
// which recover it; no panic leaves the package.
type fault struct {
	code    string
	message string
	pos     int
}

func newFault(code string, pos int, args ...any) *fault {
	return &fault{code: code, message: message(code, args...), pos: pos}
}

// machine is the state of one evaluation.
type machine struct {
	lang     *Language
	bindings *object // the variables from outside
	now      time.Time
	random   *expr.Random
	left     uint64
	memory   int
	nesting  int
	deepest  int // bound of nesting
	pos      int // of the call that runs, for errors
	name     string
	top      *frame // with the variables of the whole expression
}

// frame is a scope of variables.
type frame struct {
	vars   []binding
	parent *frame
}

func newMachine(lang *Language, r expr.Request) *machine {
	bindings := make([]value.Member, 0, len(r.Bindings))
	for name, v := range r.Bindings {
		if name != inputRoot {
			bindings = append(bindings, value.M(name, v))
		}
	}
	m := &machine{
		lang: lang, bindings: &object{src: value.Object(bindings...)}, now: r.Now, left: r.Cost, memory: maxMemory, deepest: maxNesting, pos: -1,
		random: expr.NewRandom(r.Seed),
	}
	if m.left == 0 {
		m.left = expr.InlineCost
	}
	return m
}

// fail ends the evaluation with an error at the call that runs.
func (m *machine) fail(code string, args ...any) {
	panic(newFault(code, m.pos, args...))
}

func (m *machine) failAt(pos int, code string, args ...any) {
	panic(newFault(code, pos, args...))
}

func (m *machine) step() { m.spend(1) }

func (m *machine) spend(n int) {
	if uint64(n) > m.left {
		m.left = 0
		m.fail(expr.CostExceeded, "steps")
	}
	m.left -= uint64(n)
}

// allocate counts bytes of what is made; nothing is given back.
func (m *machine) allocate(n int) {
	if n > m.memory {
		m.fail(expr.CostExceeded, "memory")
	}
	m.memory -= n
}

// text counts a string that was or will be made.
func (m *machine) text(size int) {
	m.allocate(size)
	m.spend(size / stepBytes)
}

// read counts a string that is looked at from end to end.
func (m *machine) read(s string) { m.spend(len(s) / stepBytes) }

// picture refuses a picture that is too long to be read more than once.
func (m *machine) picture(text string) {
	if len(text) > maxPicture {
		panic(&fault{code: "D3130", message: fmt.Sprintf("a picture has at most %d bytes, and this has %d", maxPicture, len(text)), pos: m.pos})
	}
}

func (f *frame) bind(name string, val any) {
	for i := range f.vars {
		if f.vars[i].name == name {
			f.vars[i].val = val
			return
		}
	}
	f.vars = append(f.vars, binding{name, val})
}

// within is the scope of a tuple's variables.
func (f *frame) within(t *tuple) *frame {
	return &frame{parent: &frame{vars: slices.Clip(t.vars), parent: f}}
}

func (m *machine) lookup(f *frame, name string) any {
	for ; f != nil; f = f.parent {
		for i := range f.vars {
			if f.vars[i].name == name {
				return f.vars[i].val
			}
		}
	}
	if v := m.bindings.get(name); v != nil {
		return v
	}
	if fn, ok := m.lang.functions[name]; ok {
		return fn
	}
	return nil
}

// finite refuses what is no JSON number.
func (m *machine) finite(f float64) float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		m.fail("D1001", formatFloat(f))
	}
	return f
}

var messages = map[string]string{
	expr.CostExceeded: "the evaluation used up its budget of %s",
	expr.CodeLimit:    "the expression is nested too deep",
	"S0101":           "a string does not end",
	"S0102":           "the number %s is out of range",
	"S0103":           "a string cannot have the escape \\%s",
	"S0104":           "\\u in a string must be followed by four hexadecimal digits",
	"S0105":           "a name in backticks does not end",
	"S0106":           "a comment does not end",
	"S0201":           "%s is not expected here",
	"S0202":           "%q is expected here, and this is %s",
	"S0203":           "%q is expected before the end of the expression",
	"S0204":           "there is no operator %q",
	"S0207":           "the expression ends too early",
	"S0208":           "parameter %d of a function must be a variable, such as $x, not %s",
	"S0209":           "a filter cannot follow a grouping",
	"S0210":           "a step can be grouped only once",
	"S0211":           "%q cannot begin an operand",
	"S0212":           "only a variable such as $x can stand before :=, not %s",
	"S0213":           "the literal %s cannot be a step of a path",
	"S0214":           "a variable such as $x must follow %s",
	"S0215":           "a variable must be bound with @ before the filters of its step",
	"S0216":           "a variable must be bound with @ before the sort of its step",
	"S0217":           "the parent of this %s cannot be found",
	"S0301":           "a regular expression cannot be empty",
	"S0302":           "a regular expression does not end",
	"S0303":           "the regular expression cannot be used: %s",
	"S0401":           "the signature %s gives items to something that has none",
	"S0402":           "the signature %s gives items within a choice",
	"T0410":           "argument %d of $%s does not match what the function takes",
	"T0411":           "the context is not what argument %d of $%s must be",
	"T0412":           "argument %d of $%s must be an array of %s",
	"T1003":           "a key must be a string, and this is %s",
	"T1005":           "%s is not a function; did you mean $%[1]s?",
	"T1006":           "%s is not a function",
	"T1007":           "%s is not a function, so it cannot be applied in part; did you mean $%[1]s?",
	"T1008":           "%s is not a function, so it cannot be applied in part",
	"T1010":           "a function that matches must return an object of match, start, end, groups and next",
	"T2001":           "the left side of %s must be a number, and this is %s",
	"T2002":           "the right side of %s must be a number, and this is %s",
	"T2003":           "the left side of .. must be an integer",
	"T2004":           "the right side of .. must be an integer",
	"T2006":           "the right side of ~> must be a function",
	"T2007":           "%s and %s cannot be sorted together",
	"T2008":           "only strings and numbers can be sorted, and this is %s",
	"T2009":           "%s and %s cannot be compared with %s",
	"T2010":           "%s compares strings or numbers only",
	"T2011":           "the update of a transform must be an object, and this is %s",
	"T2012":           "the deletion of a transform must be a string or an array of strings",
	"T2013":           "the transform needs $clone to be a function",
	"D1001":           "the number is out of range: %s",
	"D1002":           "only numbers can be negated, and this is %s",
	"D1004":           "the regular expression matches an empty string",
	"D1009":           "more than one key evaluates to %q",
	"D2014":           "a range has at most %d items, and this would have %s",
	"D3001":           "%s has no form as a string",
	"D3010":           "the pattern of $replace cannot be empty",
	"D3011":           "the limit of $replace cannot be negative",
	"D3012":           "the function given to $replace must return a string",
	"D3020":           "the limit of $split cannot be negative",
	"D3030":           "%s cannot be read as a number",
	"D3040":           "the limit of $match cannot be negative",
	"D3050":           "the function given to $reduce must take at least two arguments",
	"D3060":           "the square root of a negative number is not a number: %s",
	"D3061":           "the power is not a number in range: base %s, exponent %s",
	"D3070":           "$sort without a function sorts strings only or numbers only",
	"D3080":           "the picture has more than two parts",
	"D3081":           "the picture has more than one decimal separator in a part",
	"D3082":           "the picture has more than one percent sign in a part",
	"D3083":           "the picture has more than one per-mille sign in a part",
	"D3084":           "the picture has both percent and per-mille signs in a part",
	"D3085":           "the picture has no digit in the mantissa of a part",
	"D3086":           "the picture has a text between digits of a part",
	"D3087":           "the picture has a grouping separator beside the decimal separator",
	"D3088":           "the picture has a grouping separator at the end of the integer part",
	"D3089":           "the picture has two grouping separators side by side",
	"D3090":           "the picture has an optional digit behind a required one in the integer part",
	"D3091":           "the picture has an optional digit before a required one in the fraction",
	"D3092":           "the picture has percent or per-mille signs with an exponent",
	"D3093":           "the picture has an exponent of other than digits",
	"D3100":           "the base must be between 2 and 36, and this is %s",
	"D3110":           "%q is not an ISO 8601 time",
	"D3120":           "the expression of $eval cannot be parsed: %s",
	"D3121":           "the expression of $eval failed: %s",
	"D3130":           "the picture %q is not supported",
	"D3131":           "the picture %q mixes the digits of several scripts",
	"D3132":           "there is no component %q in pictures of dates",
	"D3133":           "the component %q has no names",
	"D3134":           "a time zone has at most four digits",
	"D3135":           "the picture %q has an opening bracket without its closing one",
	"D3136":           "the picture %q leaves parts of the date or time open",
	"D3137":           "%s",
	"D3138":           "$single found more than one match",
	"D3139":           "$single found no match",
	"D3140":           "%s cannot be done with this text",
	"D3141":           "%s",
	"D3200":           "the text is not JSON: %s",
	"D3201":           "%s",
	"D3202":           "there is no hash algorithm %q; there are " + expr.HashAlgorithms,
	"U1001":           "the evaluation nests too deep; look for endless recursion",
}

func message(code string, args ...any) string {
	text := messages[code]
	if text == "" {
		return code
	}
	return fmt.Sprintf(text, args...)
}
