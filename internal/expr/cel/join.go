package cel

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
)

// JoinOp says what a [Join] is.
type JoinOp string

// A Join is a question about one need, or made of others.
const (
	JoinNeed JoinOp = "need"
	JoinAnd  JoinOp = "and"
	JoinOr   JoinOp = "or"
	JoinNot  JoinOp = "not"
)

// Join is the predicate of a join, taken apart: it is judged before all needs
// have ended, in three-valued logic, so it is not evaluated like other
// expressions.
type Join struct {
	Op   JoinOp
	Args []*Join // of and, or and not
	// Need and State ask whether the need ended in the state.
	Need  string
	State string
	// Offset and Length are the place of Need in the source, in bytes, or of
	// the operator.
	Offset, Length int
	// StateOffset is the place of State.
	StateOffset int
}

// JoinStates are the states that a need can be asked for: how it ended, or
// that it ended at all.
func JoinStates() []string {
	return []string{"succeeded", "failed", "canceled", "skipped", "not_run", "ended"}
}

const joinForm = "a join is made of needs.NAME.STATE with &&, ||, ! and ( )"

// ParseJoin reads the predicate of a join. It returns either the tree or at
// least one problem. Whether a need exists is the caller's to check.
func (l *Language) ParseJoin(text string) (*Join, []expr.Problem) {
	src, root, problems := parse(l.parser, text)
	if len(problems) > 0 {
		return nil, problems
	}
	p := joinParser{src: src}
	tree := p.join(root)
	if len(p.problems) > 0 {
		return nil, tidy(p.problems)
	}
	return tree, nil
}

type joinParser struct {
	src      *source
	problems []expr.Problem
}

var joinOps = map[string]JoinOp{
	operators.LogicalAnd: JoinAnd, operators.LogicalOr: JoinOr, operators.LogicalNot: JoinNot,
}

func (p *joinParser) join(e ast.Expr) *Join {
	offset, length := p.src.span(e)
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		op, ok := joinOps[call.FunctionName()]
		if !ok {
			break
		}
		tree := &Join{Op: op, Offset: offset, Length: length}
		for _, arg := range call.Args() {
			tree.Args = append(tree.Args, p.join(arg))
		}
		return tree
	case ast.SelectKind:
		return p.need(e)
	default:
	}
	offset = p.src.firstByte(e)
	p.problem(expr.CodeType, offset, p.src.tokenLength(offset), "this cannot stand in a join", joinForm)
	return nil
}

// need reads needs.NAME.STATE.
func (p *joinParser) need(e ast.Expr) *Join {
	state := e.AsSelect()
	of := state.Operand()
	if of.Kind() != ast.SelectKind || of.AsSelect().Operand().Kind() != ast.IdentKind || of.AsSelect().Operand().AsIdent() != "needs" {
		offset := p.src.firstByte(e)
		hint := joinForm
		if qualifiedName(e) != "" && strings.HasPrefix(qualifiedName(e), "needs.") {
			hint = "add the state: " + strings.Join(JoinStates(), ", ")
		}
		p.problem(expr.CodeType, offset, p.src.tokenLength(offset), "this cannot stand in a join", hint)
		return nil
	}
	tree := &Join{Op: JoinNeed, Need: of.AsSelect().FieldName(), State: state.FieldName()}
	tree.Offset, tree.Length = p.src.memberSpan(of, tree.Need)
	offset, length := p.src.memberSpan(e, tree.State)
	tree.StateOffset = offset
	if !slices.Contains(JoinStates(), tree.State) {
		hint := diag.DidYouMean(tree.State, JoinStates())
		if hint == "" {
			hint = "states are " + strings.Join(JoinStates(), ", ")
		}
		p.problem(expr.CodeUnknownName, offset, length, "a need has no state \""+tree.State+"\"", hint)
	}
	return tree
}

func (p *joinParser) problem(code string, offset, length int, message, hint string) {
	p.problems = append(p.problems, expr.Problem{Code: code, Message: message, Hint: hint, Offset: offset, Length: max(1, length)})
}
