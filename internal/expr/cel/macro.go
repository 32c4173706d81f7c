package cel

import (
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/regie-dev/regie/internal/expr"
)

// macroFunctions are the rows whose arguments are not all values: a variable
// and what is computed for each item, a member, a default.
func macroFunctions() []function {
	const lists, optionals, other = "Lists", "Optional values", "Other"
	return []function{
		{group: other, name: "has", sigs: []string{"(any) -> bool"}, special: hasMacro,
			doc: "Whether the member is there: `has(x.name)`. A member that is declared nullable is there when it is not null.", examples: []example{{`has({"a": 1}.a)`, `true`}, {`has({"a": 1}.b)`, `false`}}},
		{group: lists, name: "map", member: true, sigs: []string{"(list,any,any,any?) -> list"}, special: mapMacro,
			doc:      "What the expression gives for each item: `list.map(x, expr)`; with a condition, `list.map(x, condition, expr)`, for the items that meet it. For an object, x is the key.",
			examples: []example{{`[1, 2].map(x, x * 2)`, `[2,4]`}, {`[1, 2, 3].map(x, x > 1, x * 2)`, `[4,6]`}}},
		{group: lists, name: "filter", member: true, sigs: []string{"(list,any,any) -> same"}, special: filterMacro,
			doc: "The items that meet the condition: `list.filter(x, condition)`.", examples: []example{{`[1, 2, 3].filter(x, x > 1)`, `[2,3]`}}},
		{group: lists, name: "all", member: true, sigs: []string{"(list,any,any,any?) -> bool"}, special: quantifier(true),
			doc: "Whether all items meet the condition: `list.all(x, condition)`; with position or key, `list.all(i, x, condition)`.", examples: []example{{`[1, 2].all(x, x > 0)`, `true`}, {`[1, 2].all(i, x, x > i)`, `true`}}},
		{group: lists, name: "exists", member: true, sigs: []string{"(list,any,any,any?) -> bool"}, special: quantifier(false),
			doc: "Whether an item meets the condition: `list.exists(x, condition)`; with position or key, `list.exists(i, x, condition)`.", examples: []example{{`[1, 2].exists(x, x > 1)`, `true`}, {`{"a": 1}.exists(k, v, v == 1)`, `true`}}},
		{group: lists, name: "exists_one", member: true, sigs: []string{"(list,any,any,any?) -> bool"}, special: existsOneMacro,
			doc: "Whether exactly one item meets the condition. Also written `existsOne`.", examples: []example{{`[1, 2, 2].exists_one(x, x == 2)`, `false`}}},
		{group: lists, name: "existsOne", member: true, sigs: []string{"(list,any,any,any?) -> bool"}, special: existsOneMacro},
		{group: lists, name: "sortBy", member: true, sigs: []string{"(list,any,any) -> same"}, special: sortByMacro,
			doc: "The items in the order of what the expression gives: `list.sortBy(x, expr)`.", examples: []example{{`[{"n": 2}, {"n": 1}].sortBy(x, x.n)`, `[{"n":1},{"n":2}]`}}},
		{group: lists, name: "transformList", member: true, sigs: []string{"(list,any,any,any,any?) -> list"}, special: transformListMacro,
			doc:      "What the expression gives for each position and item, or key and value: `list.transformList(i, x, expr)`, with a condition `list.transformList(i, x, condition, expr)`.",
			examples: []example{{`["a", "b"].transformList(i, x, string(i) + x)`, `["0a","1b"]`}}},
		{group: lists, name: "transformMap", member: true, sigs: []string{"(object,any,any,any,any?) -> object"}, special: transformMapMacro(false),
			doc:      "The object with what the expression gives for each member: `object.transformMap(k, v, expr)`, with a condition `object.transformMap(k, v, condition, expr)`.",
			examples: []example{{`{"a": 1, "b": 2}.transformMap(k, v, v > 1, v * 10)`, `{"b":20}`}}},
		{group: lists, name: "transformMapEntry", member: true, sigs: []string{"(object,any,any,any,any?) -> object"}, special: transformMapMacro(true),
			doc:      "An object of the members that the expression gives for each position and item, or key and value: `list.transformMapEntry(i, x, {key: value})`.",
			examples: []example{{`["a", "b"].transformMapEntry(i, x, {x: i})`, `{"a":0,"b":1}`}}},
		{group: other, name: "cel.bind", sigs: []string{"(any,any,any) -> any"}, special: bindMacro,
			doc: "The expression with a name for a value: `cel.bind(x, value, expr)`.", examples: []example{{`cel.bind(x, 2 + 3, x * x)`, `25`}}},
		{group: optionals, name: "optMap", member: true, sigs: []string{"(optional,any,any) -> optional"}, special: optMapMacro(false),
			doc: "What the expression gives for the value, if there is one: `optional.optMap(x, expr)`.", examples: []example{{`{"a": 2}.?a.optMap(x, x * 2).orValue(0)`, `4`}}},
		{group: optionals, name: "optFlatMap", member: true, sigs: []string{"(optional,any,any) -> optional"}, special: optMapMacro(true),
			doc: "Like `optMap`, for an expression that is optional itself.", examples: []example{{`{"a": {"b": 2}}.?a.optFlatMap(x, x.?b).orValue(0)`, `2`}}},
		{group: optionals, name: "orValue", member: true, sigs: []string{"(optional,any) -> any"}, special: orMacro(true),
			doc: "The value, or the default if there is none. The default is computed only then.", examples: []example{{`{"a": 1}.?b.orValue(0)`, `0`}, {`[1, 2][?5].orValue(9)`, `9`}}},
		{group: optionals, name: "or", member: true, sigs: []string{"(optional,optional) -> optional"}, special: orMacro(false),
			doc: "The first of two optional values that is there.", examples: []example{{`{"a": 1}.?b.or({"a": 1}.?a).orValue(0)`, `1`}}},
	}
}

// variableName is the name that a macro gives a variable.
func (c *compiler) variableName(e ast.Expr) (string, bool) {
	if e.Kind() == ast.IdentKind {
		if name := e.AsIdent(); !strings.HasPrefix(name, ".") {
			return name, true
		}
	}
	offset := c.src.firstByte(e)
	c.problem(expr.CodeSyntax, offset, c.src.tokenLength(offset), "this must be the name of a variable")
	return "", false
}

// declare brings variables into scope; the result takes them out again.
func (c *compiler) declare(names []string, kinds []typ) (slots []int, end func()) {
	before, guards := len(c.locals), len(c.guards)
	for i, name := range names {
		slot := len(c.locals)
		c.locals = append(c.locals, local{name, kinds[i], slot})
		slots = append(slots, slot)
	}
	c.slots = max(c.slots, len(c.locals))
	return slots, func() { c.locals, c.guards = c.locals[:before], c.guards[:guards] }
}

// wrongCount is the problem of a macro with too few or too many arguments.
func (c *compiler) wrongCount(i *invocation, usage string) (node, typ) {
	c.problem(expr.CodeType, i.offset, i.length, "%s() cannot be called with %d arguments", i.name, len(i.args)).Hint = "write " + usage
	return nothing, typ{}
}

// overItems compiles the range and the variables of a macro, and then its
// body in their scope. names says how many of the arguments are variables.
func (c *compiler) overItems(i *invocation, variables int, body func(f *fold, over typ, rest []ast.Expr) (node, typ)) (node, typ) {
	over, t := c.compile(i.target)
	t = c.mustNotBeNull(i.target, t)
	var types []typ
	switch t.kind {
	case kAny:
		types = []typ{{}, {}}
	case kList:
		types = []typ{t.item()}
		if variables == 2 {
			types = []typ{{kind: kInt}, t.item()}
		}
	case kObject:
		member := typ{}
		if t.elem != nil {
			member = *t.elem
		}
		types = []typ{{}, member}
		if t.decl != nil {
			types[0] = typ{kind: kString}
		}
	default:
		offset := c.src.firstByte(i.target)
		c.problem(expr.CodeType, offset, c.src.tokenLength(offset), "only lists and objects have %s(), and this is %s", i.name, t)
		return nothing, typ{}
	}
	names := make([]string, variables)
	for at := range names {
		name, ok := c.variableName(i.args[at])
		if !ok {
			return nothing, typ{}
		}
		names[at] = name
	}
	slots, end := c.declare(names, types[:variables])
	defer end()
	f := &fold{over: over, slot: slots[0], slot2: -1, at: i.offset}
	if variables == 2 {
		f.slot2 = slots[1]
	}
	return body(f, t, i.args[variables:])
}

// condition compiles a filter or predicate.
func (c *compiler) condition(e ast.Expr) node {
	n, t := c.operand(e)
	c.needBool(e, t)
	return n
}

// filtered compiles the last argument, after a condition if there are two.
func (c *compiler) filtered(f *fold, rest []ast.Expr) typ {
	if len(rest) == 2 {
		f.filter = c.condition(rest[0])
		c.guards = append(c.guards, c.notNull(rest[0], true)...)
	}
	var t typ
	f.body, t = c.compile(rest[len(rest)-1])
	return t
}

func mapMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 2 && len(i.args) != 3 {
		return c.wrongCount(i, "list.map(x, expr)")
	}
	return c.overItems(i, 1, func(f *fold, _ typ, rest []ast.Expr) (node, typ) {
		t := c.filtered(f, rest)
		return &mapNode{*f}, listOf(t)
	})
}

func filterMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 2 {
		return c.wrongCount(i, "list.filter(x, condition)")
	}
	return c.overItems(i, 1, func(f *fold, over typ, rest []ast.Expr) (node, typ) {
		f.filter = c.condition(rest[0])
		if over.kind == kList {
			return &mapNode{*f}, over
		}
		return &mapNode{*f}, listOf(typ{})
	})
}

// variablesOf is 1 for the form with a variable and one more argument, 2 for
// the form with two, else 0.
func variablesOf(i *invocation) int {
	if n := len(i.args); n == 2 || n == 3 {
		return n - 1
	}
	return 0
}

func quantifier(all bool) func(*compiler, *invocation) (node, typ) {
	return func(c *compiler, i *invocation) (node, typ) {
		n := variablesOf(i)
		if n == 0 {
			return c.wrongCount(i, "list."+i.name+"(x, condition)")
		}
		return c.overItems(i, n, func(f *fold, _ typ, rest []ast.Expr) (node, typ) {
			f.body = c.condition(rest[0])
			return &quantifierNode{*f, all}, typ{kind: kBool}
		})
	}
}

func existsOneMacro(c *compiler, i *invocation) (node, typ) {
	n := variablesOf(i)
	if n == 0 {
		return c.wrongCount(i, "list."+i.name+"(x, condition)")
	}
	return c.overItems(i, n, func(f *fold, _ typ, rest []ast.Expr) (node, typ) {
		f.body = c.condition(rest[0])
		return &existsOneNode{*f}, typ{kind: kBool}
	})
}

func sortByMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 2 {
		return c.wrongCount(i, "list.sortBy(x, expr)")
	}
	return c.overItems(i, 1, func(f *fold, over typ, rest []ast.Expr) (node, typ) {
		f.body, _ = c.operand(rest[0])
		if over.kind == kList {
			return &sortByNode{*f}, over
		}
		return &sortByNode{*f}, listOf(typ{})
	})
}

func transformListMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 3 && len(i.args) != 4 {
		return c.wrongCount(i, "list.transformList(i, x, expr)")
	}
	return c.overItems(i, 2, func(f *fold, _ typ, rest []ast.Expr) (node, typ) {
		t := c.filtered(f, rest)
		return &mapNode{*f}, listOf(t)
	})
}

func transformMapMacro(entries bool) func(*compiler, *invocation) (node, typ) {
	return func(c *compiler, i *invocation) (node, typ) {
		if len(i.args) != 3 && len(i.args) != 4 {
			return c.wrongCount(i, "object."+i.name+"(k, v, expr)")
		}
		return c.overItems(i, 2, func(f *fold, _ typ, rest []ast.Expr) (node, typ) {
			t := c.filtered(f, rest)
			if entries {
				if t.kind != kAny && t.kind != kObject {
					offset := c.src.firstByte(rest[len(rest)-1])
					c.problem(expr.CodeType, offset, c.src.tokenLength(offset), "transformMapEntry() needs an object, and this is %s", t)
				}
				return &transformMapNode{*f, true}, typ{kind: kObject}
			}
			return &transformMapNode{*f, false}, objectOf(t)
		})
	}
}

func hasMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 1 || i.args[0].Kind() != ast.SelectKind {
		c.problem(expr.CodeType, i.offset, i.length, "has() asks for a member").Hint = "write has(x.name)"
		return nothing, typ{kind: kBool}
	}
	sel := i.args[0].AsSelect()
	test := ast.NewExprFactory().NewPresenceTest(i.args[0].ID(), sel.Operand(), sel.FieldName())
	return c.reference(test)
}

func bindMacro(c *compiler, i *invocation) (node, typ) {
	if len(i.args) != 3 {
		return c.wrongCount(i, "cel.bind(x, value, expr)")
	}
	value, t := c.compile(i.args[1])
	name, ok := c.variableName(i.args[0])
	if !ok {
		return nothing, typ{}
	}
	slots, end := c.declare([]string{name}, []typ{t})
	defer end()
	body, result := c.compile(i.args[2])
	return &bindNode{slots[0], value, body, i.offset}, result
}

// optional compiles the target of a macro on optional values.
func (c *compiler) optional(i *invocation) (node, typ, bool) {
	of, t := c.compile(i.target)
	if t.kind != kAny && t.kind != kOptional {
		c.problem(expr.CodeType, i.offset, i.length, "only an optional value has %s(), and this is %s", i.name, t).Hint = "write x.?member." + i.name + "(…)"
		return nothing, typ{}, false
	}
	return of, t.item(), true
}

func optMapMacro(flat bool) func(*compiler, *invocation) (node, typ) {
	return func(c *compiler, i *invocation) (node, typ) {
		if len(i.args) != 2 {
			return c.wrongCount(i, "optional."+i.name+"(x, expr)")
		}
		of, inner, ok := c.optional(i)
		if !ok {
			return nothing, typ{}
		}
		name, ok := c.variableName(i.args[0])
		if !ok {
			return nothing, typ{}
		}
		slots, end := c.declare([]string{name}, []typ{inner})
		defer end()
		body, t := c.compile(i.args[1])
		if flat {
			t = c.unwrapOptional(i.args[1], t)
		}
		return &optMapNode{slots[0], of, body, flat, i.offset}, optionalOf(t)
	}
}

func orMacro(value bool) func(*compiler, *invocation) (node, typ) {
	return func(c *compiler, i *invocation) (node, typ) {
		if len(i.args) != 1 {
			return c.wrongCount(i, "x.?member."+i.name+"(…)")
		}
		of, inner, ok := c.optional(i)
		other, t := c.compile(i.args[0])
		if !ok {
			return nothing, typ{}
		}
		n := &orNode{of, other, value, i.offset}
		if value {
			return n, join(inner, t)
		}
		return n, optionalOf(join(inner, c.unwrapOptional(i.args[0], t)))
	}
}
