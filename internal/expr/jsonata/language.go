package jsonata

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Name is the name of the language in files and on the command line.
const Name = "jsonata"

// inputRoot is the binding that is the context of an expression.
const inputRoot = "input"

// Config says which variant of the language there is.
type Config struct {
	// AWS adds the functions of Step Functions ($partition, $range, $hash,
	// $random with a seed, $uuid, $parse) and takes $eval away.
	AWS bool
}

// Language is JSONata. It is immutable and safe for concurrent use.
type Language struct {
	functions map[string]*native
	transform *signature
}

var (
	_ expr.Language = (*Language)(nil)
	_ expr.Compiled = (*compiled)(nil)
)

// New returns the language. Make one and share it.
func New(config Config) *Language {
	l := &Language{functions: map[string]*native{}, transform: mustSignature("<(oa):o>")}
	tables := [][]*native{
		textFunctions(), patternFunctions(), numberFunctions(), listFunctions(), objectFunctions(),
		higherFunctions(), dateFunctions(), otherFunctions(),
	}
	if config.AWS {
		tables = append(tables, awsFunctions())
	}
	for _, table := range tables {
		for _, f := range table {
			l.functions[f.name] = f
		}
	}
	if config.AWS {
		delete(l.functions, "eval")
	}
	return l
}

// Name implements expr.Language.
func (*Language) Name() string { return Name }

// Compile implements expr.Language. Problems have the codes of JSONata, such
// as S0201. Names that are not declared are no problem: they are undefined.
// A root that env forbids is one when it is used as $name.
func (l *Language) Compile(src string, env *expr.Env) (out expr.Compiled, problems []expr.Problem) {
	if problem := expr.TooLong(src); problem != nil {
		return nil, []expr.Problem{*problem}
	}
	defer func() {
		if r := recover(); r != nil {
			out, problems = nil, []expr.Problem{problem(r, src)}
		}
	}()
	c := &compiled{lang: l, deepest: maxNesting}
	c.root = parse(src)
	c.free = freeOf(c.root, l, env)
	if problems := forbidden(c.root, env); len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// problem is what was recovered while compiling.
func problem(r any, src string) expr.Problem {
	if f, ok := r.(*fault); ok {
		return expr.Problem{Code: f.code, Message: f.message, Offset: max(0, f.pos), Length: 1}
	}
	return *expr.InternalProblem(r, src)
}

// compiled is an expression that can be evaluated.
type compiled struct {
	lang    *Language
	root    *node
	free    *freeWalker
	deepest int
}

// Type implements expr.Compiled: JSONata knows types only when it evaluates.
func (*compiled) Type() expr.Type { return expr.Type{} }

// Reads implements expr.Compiled. The context is the root input, and of what is
// read of it without a variable only that root is listed. Variables that the
// expression binds itself and functions are left out. Where the environment is
// not known, a name of a function that is not called may be a variable.
func (c *compiled) Reads() [][]string { return c.free.reads }

// Eval implements expr.Compiled. The root named input is the context; every
// other binding is the variable of its name.
func (c *compiled) Eval(request expr.Request) (out value.Value, err error) {
	m := newMachine(c.lang, request)
	m.deepest = c.deepest
	defer func() {
		if r := recover(); r != nil {
			out, err = value.Undefined, evaluationError(r)
		}
	}()
	return m.export(m.run(c.root, from(request.Bindings[inputRoot])), 0), nil
}

// run evaluates a whole expression with in as the context.
func (m *machine) run(root *node, in any) any {
	m.top = &frame{vars: []binding{{"$", in}}}
	return m.eval(root, whole(in), m.top)
}

// whole is the context of a whole expression: a list is one item.
func whole(in any) any {
	if a, ok := in.(*array); ok && !a.seq {
		return &array{items: []any{a}, seq: true, outer: true}
	}
	return in
}

// evaluationError is what was recovered while evaluating.
func evaluationError(r any) *expr.Error {
	if f, ok := r.(*fault); ok {
		return &expr.Error{Code: f.code, Message: f.message, Offset: f.pos}
	}
	return expr.InternalError(r)
}
