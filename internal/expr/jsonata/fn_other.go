package jsonata

import (
	"errors"

	"github.com/regie-dev/regie/internal/expr"
)

func otherFunctions() []*native {
	return []*native{
		fn("boolean", "<x-:b>", 1, func(m *machine, c call) any {
			if c.arg(0) == nil {
				return nil
			}
			return !isFunction(c.arg(0)) && m.truth(c.arg(0))
		}),
		fn("not", "<x-:b>", 1, func(m *machine, c call) any {
			if c.arg(0) == nil {
				return nil
			}
			return isFunction(c.arg(0)) || !m.truth(c.arg(0))
		}),
		fn("exists", "<x:b>", 1, func(_ *machine, c call) any { return c.arg(0) != nil }),
		fn("type", "<x:s>", 1, func(_ *machine, c call) any {
			if c.arg(0) == nil {
				return nil
			}
			return typeName(c.arg(0))
		}),
		fn("error", "<s?:x>", 1, func(m *machine, c call) any {
			text, ok := c.str(0)
			if !ok {
				text = "$error() function evaluated"
			}
			m.fail("D3137", text)
			return nil
		}),
		fn("assert", "<bs?:x>", 2, func(m *machine, c call) any {
			if ok, _ := c.arg(0).(bool); !ok {
				text, ok := c.str(1)
				if !ok {
					text = "$assert() statement failed"
				}
				m.fail("D3141", text)
			}
			return nil
		}),
		fn("uuid", "<:s>", 0, func(m *machine, _ call) any { return m.random.UUID() }),
		fn("eval", "<sx?:x>", 1, fnEval),
	}
}

func fnEval(m *machine, c call) any {
	src, ok := c.str(0)
	if !ok {
		return nil
	}
	if len(src) > expr.MaxLength {
		m.fail("D3120", "it is longer than an expression may be")
	}
	m.spend(len(src))
	root, err := tryParse(src)
	if err != nil {
		m.fail("D3120", err.Error())
	}
	in := c.in
	if focus := c.arg(1); focus != nil {
		in = whole(focus)
	}
	nesting := m.nesting
	defer func() {
		switch f := recover().(type) {
		case nil:
		case *fault:
			if f.code != expr.CostExceeded && f.code != "U1001" {
				f = newFault("D3121", m.pos, f.message)
			}
			panic(f)
		default:
			panic(f) // a defect, which the caller tells from an error of the expression
		}
		m.nesting = nesting
	}()
	return m.eval(root, in, &frame{parent: m.top})
}

// tryParse is parse with the fault as an error.
func tryParse(src string) (root *node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(problem(r, src).Message)
		}
	}()
	return parse(src), nil
}
