package cel

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// function is one row of the table: what users read, what the checker checks
// and what is called.
type function struct {
	group string
	name  string // with its namespace, such as date.add
	// member functions are called on their first parameter: text.trim().
	member bool
	// sigs are signatures such as "(string,int?) -> list<string>". Parameters
	// are kinds, several separated by |; ? marks one that may be left out, ...
	// one that repeats. Results are kinds, "same" (the type of the first
	// argument), "item" (of its items), and lists and optionals of these.
	sigs     []string
	doc      string // Markdown; the first sentence stands alone in lists
	examples []example
	// literals checks texts that stand as literals, by position.
	literals map[int]func(string) error
	// fold says that a call on literals is computed when the expression is
	// compiled, and that what it cannot read is a problem then.
	fold bool
	// zoned says that the call computes in the zone of the environment.
	zoned bool
	// pattern says that argument 1 is a regular expression, compiled once if
	// it is a literal.
	pattern bool
	// run computes the call; nil calls CEL's own implementation.
	run func(*call) (ref.Val, *expr.Error)
	// special compiles calls that are more than a function of their arguments.
	special func(*compiler, *invocation) (node, typ)

	parsed []signature
	native *functions.Overload
}

// example is an expression with the JSON of its result.
type example struct{ source, result string }

// call is one evaluation of a function.
type call struct {
	m    *machine
	fn   *function
	args []ref.Val
	at   int
	re   *regexp.Regexp // of a literal pattern
}

type signature struct {
	params   []param
	required int
	variadic bool
	result   resultType
}

type param struct{ kinds []kind }

// resultType is a kind, or what is taken from the first argument, perhaps in
// a list or optional.
type resultType struct {
	kind       kind
	same, item bool
	within     kind // kList or kOptional, else kAny
}

func parseSignature(text string) (signature, error) {
	head, result, ok := strings.Cut(text, " -> ")
	inner, wrapped := strings.CutPrefix(head, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !wrapped || !closed {
		return signature{}, fmt.Errorf("signature %q is not of the form (params) -> result", text)
	}
	var s signature
	for field := range strings.SplitSeq(inner, ",") {
		if field == "" {
			continue
		}
		name, optional := strings.CutSuffix(field, "?")
		name, variadic := strings.CutSuffix(name, "...")
		if !optional {
			s.required++
		}
		s.variadic = variadic
		var p param
		for word := range strings.SplitSeq(name, "|") {
			k, err := parseKindName(word)
			if err != nil {
				return signature{}, err
			}
			p.kinds = append(p.kinds, k)
		}
		s.params = append(s.params, p)
	}
	var err error
	s.result, err = parseResult(result)
	return s, err
}

func parseResult(text string) (resultType, error) {
	for _, outer := range []kind{kList, kOptional} {
		if inner, ok := strings.CutPrefix(text, outer.String()+"<"); ok {
			r, err := parseResult(strings.TrimSuffix(inner, ">"))
			r.within = outer
			return r, err
		}
	}
	switch text {
	case "same":
		return resultType{same: true}, nil
	case "item":
		return resultType{item: true}, nil
	}
	k, err := parseKindName(text)
	return resultType{kind: k}, err
}

func parseKindName(word string) (kind, error) {
	for k, name := range kindNames {
		if name == word {
			return kind(k), nil
		}
	}
	return kAny, fmt.Errorf("there is no kind %q", word)
}

// accepts reports whether an argument of the static type can be right.
func (p param) accepts(t typ) bool {
	if t.kind == kAny {
		return true
	}
	for _, k := range p.kinds {
		switch {
		case k == kAny, k == t.kind:
			return true
		case k.numeric() && t.kind == kNumber && k != kDecimal: // may turn out to be one
			return true
		case k == kNumber && t.kind.numeric():
			return true
		}
	}
	return false
}

// matches reports whether the static types can be right together.
func (s signature) matches(args []typ) bool {
	if len(args) < s.required || len(args) > len(s.params) && !s.variadic {
		return false
	}
	for i, t := range args {
		if !s.params[min(i, len(s.params)-1)].accepts(t) {
			return false
		}
	}
	return true
}

// of is the result for the static types.
func (r resultType) of(args []typ) typ {
	var t typ
	switch {
	case r.same && len(args) > 0:
		t = args[0].guarded()
	case r.item && len(args) > 0:
		t = args[0].item()
	default:
		t = typ{kind: r.kind}
	}
	switch r.within {
	case kList:
		return listOf(t)
	case kOptional:
		return optionalOf(t)
	default:
		return t
	}
}

// check finds the result type of a call. ok is false when no signature fits.
func (f *function) check(args []typ) (result typ, ok bool) {
	found := 0
	for _, s := range f.parsed {
		if !s.matches(args) {
			continue
		}
		r := s.result.of(args)
		if found > 0 {
			r = join(result, r)
		}
		result = r
		found++
	}
	return result, found > 0
}

// usage is the call as users write it, for messages and pages.
func (f *function) usage(sig string) string {
	params, result, _ := strings.Cut(sig, ")")
	fields := strings.Split(strings.TrimPrefix(params, "("), ",")
	name := f.name
	if f.member {
		name, fields = fields[0]+"."+name, fields[1:]
	}
	return name + "(" + strings.Join(fields, ", ") + ")" + result
}

// eval runs the call.
func (c *call) eval() (ref.Val, *expr.Error) {
	if c.fn.run != nil {
		v, fault := c.fn.run(c)
		if fault != nil && fault.Offset < 0 {
			fault.Offset = c.at
		}
		return v, fault
	}
	return c.callNative()
}

// callNative calls CEL's implementation. Its cost is that of reading the
// arguments; the implementations that make more than they read are ours.
func (c *call) callNative() (ref.Val, *expr.Error) {
	size := 0
	for _, arg := range c.args {
		size += bytesIn(arg)
	}
	if fault := c.m.scan(size, c.at); fault != nil {
		return nil, fault
	}
	o := c.fn.native
	if first := c.first(); o.OperandTrait != 0 && (first == nil || !first.Type().HasTrait(o.OperandTrait)) {
		return nil, c.mismatch()
	}
	var v ref.Val
	switch {
	case o.Unary != nil && len(c.args) == 1:
		v = o.Unary(c.args[0])
	case o.Binary != nil && len(c.args) == 2:
		v = o.Binary(c.args[0], c.args[1])
	case o.Function != nil:
		v = o.Function(c.args...)
	default:
		return nil, c.mismatch()
	}
	out, fault := unwrapErr(v)
	if fault != nil {
		switch text, isText := c.first().(types.String); {
		case isText && c.fn.fold: // a conversion
			return nil, c.fail(expr.InvalidValue, "%s() cannot read %.40q", c.fn.name, string(text))
		case fault.Code == expr.TypeMismatch:
			return nil, c.mismatch()
		}
		return nil, at(fault, c.at)
	}
	return out, c.m.allocate(bytesIn(out), c.at)
}

// first is the first argument, or nil.
func (c *call) first() ref.Val {
	if len(c.args) == 0 {
		return nil
	}
	return c.args[0]
}

// mismatch says that the function does not take the arguments.
func (c *call) mismatch() *expr.Error {
	names := make([]string, len(c.args))
	for i, arg := range c.args {
		names[i] = typeName(arg)
	}
	return fail(c.at, expr.TypeMismatch, mismatchText(c.fn, names))
}

func mismatchText(f *function, args []string) string {
	on := ""
	if f.member && len(args) > 0 {
		on, args = " on "+args[0], args[1:]
	}
	if len(args) == 0 {
		return fmt.Sprintf("%s() cannot be called%s without arguments", f.name, on)
	}
	return fmt.Sprintf("%s() cannot be called%s with (%s)", f.name, on, strings.Join(args, ", "))
}

// fail is an error at the call.
func (c *call) fail(code, format string, args ...any) *expr.Error {
	return fail(c.at, code, fmt.Sprintf(format, args...))
}

// text is argument i, which must be a text.
func (c *call) text(i int) (string, *expr.Error) {
	s, ok := c.args[i].(types.String)
	if !ok {
		return "", c.mismatch()
	}
	return string(s), nil
}

// integer is argument i, which must be an Int, or fallback if it was left out.
func (c *call) integer(i, fallback int) (int, *expr.Error) {
	if i >= len(c.args) {
		return fallback, nil
	}
	n, ok := c.args[i].(types.Int)
	if !ok {
		return 0, c.mismatch()
	}
	return int(n), nil
}

// list is argument i, which must be a list, and its length.
func (c *call) list(i int) (traits.Lister, int, *expr.Error) {
	l, ok := c.args[i].(traits.Lister)
	if !ok {
		return nil, 0, c.mismatch()
	}
	return l, sizeOf(l), nil
}

// collect reads the items of a list; an item that cannot be read is an error.
func (c *call) collect(l traits.Lister) ([]ref.Val, *expr.Error) {
	n := sizeOf(l)
	if fault := c.m.allocateItems(n, c.at); fault != nil {
		return nil, fault
	}
	out := make([]ref.Val, n)
	for i := range n {
		v, fault := unwrapErr(itemAt(l, i))
		if fault != nil {
			return nil, at(fault, c.at)
		}
		out[i] = v
	}
	return out, nil
}
