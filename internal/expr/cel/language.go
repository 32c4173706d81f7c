package cel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	celgo "cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Name is the name of the language in files and on the command line.
const Name = "cel"

// Language is CEL as Regie has it. It is immutable and safe for concurrent
// use.
type Language struct {
	parser    *parser.Parser
	table     []function
	functions map[key]*function
}

// key finds a function: its name, and whether it is called on a value.
type key struct {
	name   string
	member bool
}

var (
	_ expr.Language = (*Language)(nil)
	_ expr.Compiled = (*compiled)(nil)
)

// New returns the language. It takes about a millisecond; make one and share
// it.
func New() *Language {
	lang, err := newLanguage(table())
	if err != nil {
		panic(fmt.Sprintf("cel: %v", err)) // the table is part of the program
	}
	return lang
}

// table is the list of all functions.
func table() []function {
	return slices.Concat(conversionFunctions(), textFunctions(), listFunctions(), numberFunctions(),
		dateFunctions(), standardFunctions(), macroFunctions())
}

func newLanguage(rows []function) (*Language, error) {
	env, err := celgo.NewEnv(celgo.OptionalTypes(), ext.Strings(), ext.Math(), ext.Lists(), ext.Encoders())
	if err != nil {
		return nil, fmt.Errorf("load the functions of CEL: %w", err)
	}
	p, err := newParser()
	if err != nil {
		return nil, fmt.Errorf("make the parser: %w", err)
	}
	lang := &Language{parser: p, table: rows, functions: make(map[key]*function, len(rows))}
	natives := env.Functions()
	for i := range rows {
		if err := lang.add(&rows[i], natives); err != nil {
			return nil, fmt.Errorf("%s: %w", rows[i].name, err)
		}
	}
	return lang, nil
}

// add makes a row of the table callable.
func (l *Language) add(row *function, natives map[string]*decls.FunctionDecl) error {
	for _, sig := range row.sigs {
		parsed, err := parseSignature(sig)
		if err != nil {
			return err
		}
		row.parsed = append(row.parsed, parsed)
	}
	k := key{row.name, row.member}
	if first := l.functions[k]; first != nil {
		// The same name on another type: one function with the signatures of both.
		first.sigs, first.parsed = append(first.sigs, row.sigs...), append(first.parsed, row.parsed...)
		first.zoned = first.zoned || row.zoned
		if row.run != nil {
			first.run = row.run
		}
		return nil
	}
	name := row.name
	if name == "datetime" { // ours for what CEL calls timestamp
		name = "timestamp"
	}
	overloads, err := natives[name].Bindings()
	if err != nil {
		return err
	}
	for _, o := range overloads {
		if o.Operator == name {
			row.native = o
		}
	}
	if row.native == nil && row.run == nil && row.special == nil {
		return errors.New("the function has no implementation")
	}
	l.functions[k] = row
	return nil
}

// Name implements expr.Language.
func (*Language) Name() string { return Name }

// names lists the functions, for suggestions.
func (l *Language) names(member bool) []string {
	var out []string
	for i := range l.table {
		if l.table[i].member == member {
			out = append(out, l.table[i].name)
		}
	}
	return out
}

func (l *Language) hasName(name string) bool { return l.functions[key{name, false}] != nil }

// Compile implements expr.Language.
func (l *Language) Compile(src string, env *expr.Env) (out expr.Compiled, problems []expr.Problem) {
	defer func() {
		if r := recover(); r != nil {
			out, problems = nil, []expr.Problem{{
				Code: expr.Internal, Message: fmt.Sprintf("internal error while reading the expression: %v", r),
				Hint: "please report it with the expression", Length: max(1, len(src)),
			}}
		}
	}()
	text, root, problems := parse(l.parser, src)
	if len(problems) > 0 {
		return nil, problems
	}
	if env == nil {
		env = &expr.Env{}
	}
	c := &compiler{lang: l, src: text, env: env, zone: time.UTC}
	n, t := c.compile(root)
	if len(c.problems) > 0 {
		return nil, tidy(c.problems)
	}
	out = &compiled{node: n, typ: t.public(maxTypeDepth), reads: c.sortedReads(), slots: c.slots, zone: c.zone, path: path(src, c.sortedReads())}
	return out, nil
}

// tidy sorts problems by place and drops repetitions.
func tidy(problems []expr.Problem) []expr.Problem {
	slices.SortStableFunc(problems, func(a, b expr.Problem) int {
		if a.Offset != b.Offset {
			return a.Offset - b.Offset
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.Compact(problems)
}

// compiled is an expression that can be evaluated.
type compiled struct {
	node  node
	typ   expr.Type
	reads [][]string
	slots int
	zone  *time.Location
	path  []string
}

// path is what the expression reads, if it is no more than that.
func path(src string, reads [][]string) []string {
	if len(reads) != 1 || strings.Join(reads[0], ".") != strings.TrimSpace(src) {
		return nil
	}
	return reads[0]
}

var _ expr.Path = (*compiled)(nil)

// Path implements expr.Path.
func (c *compiled) Path() []string { return c.path }

// Type implements expr.Compiled.
func (c *compiled) Type() expr.Type { return c.typ }

// Reads implements expr.Compiled.
func (c *compiled) Reads() [][]string { return c.reads }

// Eval implements expr.Compiled.
func (c *compiled) Eval(request expr.Request) (out value.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = value.Undefined, fail(-1, expr.Internal, fmt.Sprintf("internal error in the expression: %v", r))
		}
	}()
	m := machine{bindings: request.Bindings, zone: c.zone, left: request.Cost, memory: maxMemory}
	if m.left == 0 {
		m.left = expr.InlineCost
	}
	m.slots = m.few[:]
	if c.slots > len(m.few) {
		m.slots = make([]ref.Val, c.slots)
	}
	v, fault := c.node.eval(&m)
	if fault == nil {
		out, fault = m.result(v)
	}
	if fault != nil {
		return value.Undefined, fault
	}
	return out, nil
}
