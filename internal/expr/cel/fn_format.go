package cel

import (
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/cockroachdb/apd/v3"

	"github.com/regie-dev/regie/internal/expr"
)

// maxPrecision bounds the places of a formatted number.
const maxPrecision = 100

// formatText is CEL's string.format, to which it hands decimals, big integers
// and dates as texts. Precision is bounded before anything is written.
func formatText(c *call) (ref.Val, *expr.Error) {
	format, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	l, n, fault := c.list(1)
	if fault != nil {
		return nil, fault
	}
	if fault := c.m.allocate(len(format), c.at); fault != nil {
		return nil, fault
	}
	var out strings.Builder
	args := make([]ref.Val, 0, n)
	for rest := format; rest != ""; {
		literal, after, found := strings.Cut(rest, "%")
		out.WriteString(literal)
		if !found {
			break
		}
		digits := len(after) - len(strings.TrimLeft(after, ".0123456789"))
		if digits == len(after) {
			return nil, c.fail(expr.InvalidValue, "the format ends within a clause; write %%%% for a percent sign")
		}
		precision, verb := after[:digits], after[digits]
		rest = after[digits+1:]
		if verb == '%' || len(args) == n {
			// A clause too many is the native function's error.
			out.WriteString("%" + precision + string(verb))
			continue
		}
		places := 6
		if text, ok := strings.CutPrefix(precision, "."); ok {
			p, err := strconv.Atoi(text)
			if err != nil || p > maxPrecision {
				return nil, c.fail(expr.InvalidValue, "the precision %q is not one from .0 to .%d", precision, maxPrecision)
			}
			places = p
		}
		v, fault := unwrapErr(itemAt(l, len(args)))
		if fault != nil {
			return nil, at(fault, c.at)
		}
		arg, replaced, fault := c.formatArg(v, verb, places)
		if fault != nil {
			return nil, fault
		}
		args = append(args, arg)
		if replaced {
			out.WriteString("%s")
		} else {
			out.WriteString("%" + precision + string(verb))
		}
	}
	for i := len(args); i < n; i++ {
		args = append(args, itemAt(l, i))
	}
	native := *c
	native.args = []ref.Val{types.String(out.String()), &vector{args}}
	return native.callNative()
}

// formatArg is the value as the native function takes it; replaced says that
// it is the finished text of its clause.
func (c *call) formatArg(v ref.Val, verb byte, places int) (arg ref.Val, replaced bool, fault *expr.Error) {
	switch x := v.(type) {
	case *decimal:
		switch verb {
		case 'f':
			fixed, fault := x.places(places, apd.RoundHalfUp)
			if fault != nil {
				return nil, false, at(fault, c.at)
			}
			return types.String(ownText(fixed)), true, nil
		case 'e':
			f, _ := asFloat(x)
			return types.Double(f), false, nil
		}
	case *bigInt:
		if verb == 'd' {
			return types.String(ownText(x)), true, nil
		}
	}
	if verb == 's' {
		v, fault = c.plain(v)
	}
	return v, false, fault
}

// plain is a value of CEL's own types: ours as their texts, also within lists
// and objects.
func (c *call) plain(v ref.Val) (ref.Val, *expr.Error) {
	if fault := c.m.spend(costFormat, c.at); fault != nil {
		return nil, fault
	}
	switch v := v.(type) {
	case *decimal, *bigInt, date:
		return types.String(ownText(v)), nil
	case traits.Lister:
		all, fault := c.collect(v)
		if fault != nil {
			return nil, fault
		}
		for i := range all {
			if all[i], fault = c.plain(all[i]); fault != nil {
				return nil, fault
			}
		}
		return &vector{all}, nil
	case traits.Mapper:
		out := newDict(sizeOf(v))
		if fault := c.m.allocate(memberBytes*sizeOf(v), c.at); fault != nil {
			return nil, fault
		}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			found, _ := v.Find(key)
			member, fault := c.plain(found)
			if fault != nil {
				return nil, fault
			}
			out.insert(key, member)
		}
		return out, nil
	case types.String:
		return v, c.m.allocate(len(v), c.at)
	}
	return v, c.m.allocate(scalarBytes, c.at)
}
