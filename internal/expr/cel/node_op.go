package cel

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// pair evaluates two operands and pays for a step.
func pair(m *machine, a, b node, at int) (x, y ref.Val, fault *expr.Error) {
	if x, fault = a.eval(m); fault != nil {
		return nil, nil, fault
	}
	if y, fault = b.eval(m); fault != nil {
		return nil, nil, fault
	}
	return x, y, m.spend(costStep, at)
}

// arithmeticNode is a op b.
type arithmeticNode struct {
	op   string
	a, b node
	at   int
}

func (n *arithmeticNode) eval(m *machine) (ref.Val, *expr.Error) {
	x, y, fault := pair(m, n.a, n.b, n.at)
	if fault != nil {
		return nil, fault
	}
	return operate(m, n.op, x, y, n.at)
}

// orderNode is a comparison; holds says for which orders it is true.
type orderNode struct {
	holds func(order int) bool
	a, b  node
	at    int
}

func (n *orderNode) eval(m *machine) (ref.Val, *expr.Error) {
	x, y, fault := pair(m, n.a, n.b, n.at)
	if fault != nil {
		return nil, fault
	}
	order, ordered, fault := compare(m, x, y, n.at)
	if fault != nil {
		if fault.Offset < 0 {
			fault.Offset = n.at
		}
		return nil, fault
	}
	return types.Bool(ordered && n.holds(order)), nil
}

// equalNode is == or, with not, !=.
type equalNode struct {
	a, b node
	not  bool
	at   int
}

func (n *equalNode) eval(m *machine) (ref.Val, *expr.Error) {
	x, y, fault := pair(m, n.a, n.b, n.at)
	if fault != nil {
		return nil, fault
	}
	same, fault := equal(m, x, y, n.at)
	if fault != nil {
		return nil, fault
	}
	return types.Bool(same != n.not), nil
}

// inNode is a in b.
type inNode struct {
	a, b node
	at   int
}

func (n *inNode) eval(m *machine) (ref.Val, *expr.Error) {
	x, y, fault := pair(m, n.a, n.b, n.at)
	if fault != nil {
		return nil, fault
	}
	switch y := y.(type) {
	case traits.Lister:
		for i := range sizeOf(y) {
			same, fault := equal(m, itemAt(y, i), x, n.at)
			if fault != nil || same {
				return types.Bool(same), fault
			}
		}
		return types.False, nil
	case traits.Mapper:
		return y.Contains(x), nil
	}
	return nil, fail(n.at, expr.TypeMismatch, operatorMismatch("in", typeName(x), typeName(y)))
}

// logicNode is a chain of && or, with or, of ||. A term that decides the
// chain does so whatever errors the others have.
type logicNode struct {
	or    bool
	terms []node
	at    int
}

func (n *logicNode) eval(m *machine) (ref.Val, *expr.Error) {
	if fault := m.spend(costStep, n.at); fault != nil {
		return nil, fault
	}
	var failed *expr.Error
	for _, term := range n.terms {
		b, fault := evalBool(m, term, n.at)
		switch {
		case fault != nil && final(fault):
			return nil, fault
		case fault != nil && failed == nil:
			failed = fault
		case fault == nil && b == n.or:
			return types.Bool(b), nil
		}
	}
	if failed != nil {
		return nil, failed
	}
	return types.Bool(!n.or), nil
}

// final reports whether an error ends the evaluation, wherever it occurs.
func final(fault *expr.Error) bool {
	return fault.Code == expr.CostExceeded || fault.Code == expr.Internal
}

// evalBool evaluates a condition.
func evalBool(m *machine, n node, at int) (bool, *expr.Error) {
	v, fault := n.eval(m)
	if fault != nil {
		return false, fault
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, fail(at, expr.TypeMismatch, fmt.Sprintf("a condition must be true or false, and this is %s", typeName(v)))
	}
	return bool(b), nil
}

// notNode is !x.
type notNode struct {
	of node
	at int
}

func (n *notNode) eval(m *machine) (ref.Val, *expr.Error) {
	b, fault := evalBool(m, n.of, n.at)
	return types.Bool(!b), fault
}

// negateNode is -x.
type negateNode struct {
	of node
	at int
}

func (n *negateNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	out, ok, fault := negate(v)
	if fault != nil {
		return nil, at(fault, n.at)
	}
	if !ok {
		return nil, fail(n.at, expr.TypeMismatch, fmt.Sprintf("operator - does not work on %s", typeName(v)))
	}
	return out, nil
}

// choiceNode is cond ? yes : no.
type choiceNode struct {
	cond, yes, no node
	at            int
}

func (n *choiceNode) eval(m *machine) (ref.Val, *expr.Error) {
	if fault := m.spend(costStep, n.at); fault != nil {
		return nil, fault
	}
	b, fault := evalBool(m, n.cond, n.at)
	if fault != nil {
		return nil, fault
	}
	if b {
		return n.yes.eval(m)
	}
	return n.no.eval(m)
}

// orNode is optional.or(other) or, with value, optional.orValue(other). The
// other is evaluated only where it is needed.
type orNode struct {
	of, other node
	value     bool
	at        int
}

func (n *orNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	o, ok := v.(*types.Optional)
	if !ok {
		return nil, fail(n.at, expr.TypeMismatch, fmt.Sprintf("only an optional has a default, and this is %s; write x.?member", typeName(v)))
	}
	switch {
	case o.HasValue() && n.value:
		return o.GetValue(), nil
	case o.HasValue():
		return o, nil
	}
	other, fault := n.other.eval(m)
	if _, isOptional := other.(*types.Optional); fault == nil && !n.value && !isOptional {
		return nil, fail(n.at, expr.TypeMismatch, fmt.Sprintf("or() needs an optional, and this is %s; use orValue()", typeName(other)))
	}
	return other, fault
}
