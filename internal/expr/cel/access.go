package cel

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
)

// access is one step of a reference: .name, .?name, [index] or [?index].
type access struct {
	of       ast.Expr
	name     string   // of a member, when constant
	index    ast.Expr // when computed
	optional bool
	test     bool // has(of.name)
	offset   int  // of the name or index, to mark
	length   int
}

// accessOf takes apart a selection or an index. ok is false for other nodes.
func (c *compiler) accessOf(e ast.Expr) (a access, ok bool) {
	if e.Kind() == ast.SelectKind {
		sel := e.AsSelect()
		a = access{of: sel.Operand(), name: sel.FieldName(), test: sel.IsTestOnly()}
		a.offset, a.length = c.src.memberSpan(e, a.name)
		return a, true
	}
	if e.Kind() != ast.CallKind {
		return access{}, false
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.OptSelect, operators.OptIndex:
		a.optional = true
	case operators.Index:
	default:
		return access{}, false
	}
	a.of, a.index = call.Args()[0], call.Args()[1]
	a.offset, a.length = c.src.span(a.index)
	if a.index.Kind() == ast.LiteralKind {
		if text, isText := a.index.AsLiteral().(types.String); isText {
			a.name, a.index = string(text), nil
		}
	}
	return a, true
}

// typeNames are the names that stand for types.
var typeNames = map[string]*types.Type{
	"bool": types.BoolType, "bytes": types.BytesType, "double": types.DoubleType, "int": types.IntType,
	"list": types.ListType, "map": types.MapType, "null_type": types.NullType, "string": types.StringType,
	"type": types.TypeType, "uint": types.UintType, "optional_type": types.OptionalType,
	"google.protobuf.Timestamp": types.TimestampType, "google.protobuf.Duration": types.DurationType,
	"decimal": decimalType, "date": dateType, "calendar": calendarType,
}

// reference compiles a name, or a chain of members and items.
func (c *compiler) reference(e ast.Expr) (node, typ) {
	if e.Kind() == ast.IdentKind {
		return c.name(e)
	}
	name := qualifiedName(e)
	if t := typeNames[name]; t != nil && c.root(firstName(name)) == nil {
		return &constNode{t}, typ{kind: kType}
	}
	a, _ := c.accessOf(e)
	of, t := c.compile(a.of)
	if t.kind == kOptional {
		n, t := c.step(e, a, of, t.item())
		if a.test {
			return n, typ{kind: kBool}
		}
		return n, optionalOf(t.guarded())
	}
	if !a.optional && !a.test {
		switch {
		case t.nullable:
			c.nullable(a)
		case t.kind == kNull:
			c.problem(expr.CodeType, a.offset, a.length, "null has no members")
		}
	}
	n, t := c.step(e, a, of, t)
	switch {
	case a.test:
		return n, typ{kind: kBool}
	case a.optional:
		return n, optionalOf(t.guarded())
	}
	return n, c.assume(e, t)
}

// assume is the type of a reference, without null where a guard excludes it.
func (c *compiler) assume(e ast.Expr, t typ) typ {
	if t.nullable && c.known(c.place(e)) {
		t.nullable = false
	}
	return t
}

// qualifiedName is a chain of names as text, or nothing.
func qualifiedName(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		return strings.TrimPrefix(e.AsIdent(), ".")
	}
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return ""
	}
	of := qualifiedName(e.AsSelect().Operand())
	if of == "" {
		return ""
	}
	return of + "." + e.AsSelect().FieldName()
}

// firstName is the first of a chain of names.
func firstName(qualified string) string {
	first, _, _ := strings.Cut(qualified, ".")
	return first
}

// name compiles a bare name: a variable, a root or a type.
func (c *compiler) name(e ast.Expr) (node, typ) {
	name, isRoot := strings.CutPrefix(e.AsIdent(), ".")
	if v := c.variable(name); v != nil && !isRoot {
		return &localNode{v.slot}, c.assume(e, v.typ)
	}
	offset, length := c.src.span(e)
	root := c.root(name)
	switch {
	case root == nil && typeNames[name] != nil:
		return &constNode{typeNames[name]}, typ{kind: kType}
	case root == nil:
		c.unknownRoot(offset, name)
		return nothing, typ{}
	case root.Why != "":
		c.problem(expr.CodeForbidden, offset, length, "%s", root.Why)
		return nothing, typ{}
	}
	c.reads = append(c.reads, readAt{offset, []string{name}})
	return &pathNode{root: name, decl: &root.Type, at: offset}, c.assume(e, declared(&root.Type))
}

// step compiles one access to a value of the type.
func (c *compiler) step(e ast.Expr, a access, of node, t typ) (node, typ) {
	if a.index != nil {
		return c.indexed(e, a, of, t)
	}
	member, known := t.member(a.name)
	switch {
	case !known:
		c.unknownMember(a, t)
		return nothing, typ{}
	case t.kind != kObject && t.kind != kAny && t.kind != kNull:
		c.noMembers(a, t)
		return nothing, typ{}
	}
	if path, ok := of.(*pathNode); ok {
		c.extendRead(path.at, a.name)
		if !a.optional && !a.test {
			longer := &pathNode{root: path.root, at: path.at, decl: member.decl}
			longer.steps = append(append(longer.steps, path.steps...), step{a.name, a.offset})
			return longer, member
		}
	}
	if a.test {
		return &hasNode{of, a.name, a.offset}, member
	}
	return &selectNode{of, a.name, a.optional, a.offset}, member
}

// extendRead adds a member to the reference that begins at the offset.
func (c *compiler) extendRead(offset int, name string) {
	for i := len(c.reads) - 1; i >= 0; i-- {
		if c.reads[i].offset == offset {
			c.reads[i].path = append(c.reads[i].path, name)
			return
		}
	}
}

func (c *compiler) indexed(e ast.Expr, a access, of node, t typ) (node, typ) {
	index, ti := c.operand(a.index)
	n := &indexNode{of, index, a.optional, c.src.start(e)}
	switch t.kind {
	case kAny, kNull:
		return n, typ{}
	case kList:
		if ti.kind != kAny && !ti.kind.numeric() {
			c.problem(expr.CodeType, a.offset, a.length, "positions in a list are integers, and this is %s", ti)
		}
		return n, t.item()
	case kObject:
		if ti.kind != kAny && ti.kind != kString && ti.kind != kBool && !ti.kind.numeric() {
			c.problem(expr.CodeType, a.offset, a.length, "keys are texts, and this is %s", ti)
		}
		if t.elem != nil {
			return n, *t.elem
		}
		return n, typ{}
	default:
		c.problem(expr.CodeType, a.offset, a.length, "%s has no items", t)
		return nothing, typ{}
	}
}

// noMembers is the problem of a member of something that has none.
func (c *compiler) noMembers(a access, t typ) {
	p := c.problem(expr.CodeType, a.offset, a.length, "%s has no members, so %q cannot be read", t, a.name)
	if text := c.text(a.of); text != "" && t.kind == kList {
		p.Hint = fmt.Sprintf("write %s[0].%s for the first item, or %s.map(x, x.%s) for all", text, a.name, text, a.name)
	}
}

// maxListedNames bounds the names that a hint lists.
const maxListedNames = 12

// unknownMember is the problem of a member that a closed object does not have.
func (c *compiler) unknownMember(a access, t typ) {
	of := c.text(a.of)
	if of == "" {
		of = "the object"
	}
	p := c.problem(expr.CodeUnknownName, a.offset, a.length, "%s has no member %q", of, a.name)
	names := t.memberNames()
	p.Hint = diag.DidYouMean(a.name, names)
	if p.Hint == "" && len(names) > 0 && len(names) <= maxListedNames {
		p.Hint = "it has " + strings.Join(names, ", ")
	}
}

// text is the source of a reference, or nothing where it is not simple.
func (c *compiler) text(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent()
	}
	a, ok := c.accessOf(e)
	if !ok || a.optional || a.test || a.index != nil {
		return ""
	}
	of := c.text(a.of)
	switch {
	case of == "":
		return ""
	case e.Kind() == ast.SelectKind:
		return of + "." + a.name
	}
	return of + "[" + strconv.Quote(a.name) + "]"
}
