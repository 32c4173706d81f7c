package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// errKind is an operation that meets something that it is not for.
var errKind = errors.New("wrong kind")

// apply applies one operation, an object with one field.
func apply(op, v value.Value) (value.Value, error) {
	m := op.Members()[0]
	arg := m.Value
	switch m.Key {
	case "get":
		p, err := parsePath(textOf(arg))
		return orNull(p.get(v)), err
	case "pick", "omit", "rename", "set", "default", "merge":
		return eachObject(v, func(object value.Value) (value.Value, error) { return onObject(m.Key, arg, object) })
	case "parse":
		return parse(textOf(arg), v)
	case "format":
		return format(textOf(arg), v)
	}
	if v.Kind() != value.KindList {
		return value.Undefined, fmt.Errorf("%w: want a list, found %s", errKind, kindOf(v))
	}
	return onList(m.Key, arg, v.Items())
}

// kindOf names the kind of a value in a message.
func kindOf(v value.Value) string {
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		return "nothing"
	case value.KindInt, value.KindBigInt, value.KindObject:
		return "an " + v.Kind().String()
	}
	return "a " + v.Kind().String()
}

func textOf(v value.Value) string {
	s, _ := v.Str()
	return s
}

func orNull(v value.Value) value.Value {
	if v.IsUndefined() {
		return value.Null
	}
	return v
}

// eachObject applies f to an object, or to each object of a list.
func eachObject(v value.Value, f func(value.Value) (value.Value, error)) (value.Value, error) {
	switch v.Kind() {
	case value.KindObject:
		return f(v)
	case value.KindList:
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			if item.Kind() != value.KindObject {
				return value.Undefined, fmt.Errorf("%w: want objects, item %d is %s", errKind, i, kindOf(item))
			}
			changed, err := f(item)
			if err != nil {
				return value.Undefined, fmt.Errorf("item %d: %w", i, err)
			}
			items[i] = changed
		}
		return value.List(items...), nil
	}
	return value.Undefined, fmt.Errorf("%w: want an object or a list of objects, found %s", errKind, kindOf(v))
}

func onObject(name string, arg, object value.Value) (value.Value, error) {
	switch name {
	case "rename":
		members := make([]value.Member, 0, object.Len())
		for _, m := range object.Members() {
			if to, ok := arg.Get(m.Key).Str(); ok {
				m.Key = to
			}
			members = append(members, m)
		}
		return value.Object(members...), nil
	case "merge":
		return merge(object, arg), nil
	case "pick", "omit":
		paths, err := parsePaths(arg)
		if err != nil {
			return value.Undefined, err
		}
		return pickOrOmit(name, paths, object)
	}
	for _, m := range arg.Members() {
		p, err := parsePath(m.Key)
		if err != nil {
			return value.Undefined, err
		}
		if name == "default" && !p.get(object).IsNull() {
			continue
		}
		if object, err = p.set(object, m.Value); err != nil {
			return value.Undefined, err
		}
	}
	return object, nil
}

func pickOrOmit(name string, paths []path, object value.Value) (value.Value, error) {
	if name == "omit" {
		for _, p := range paths {
			object = p.omit(object)
		}
		return object, nil
	}
	picked := value.Object()
	for _, p := range paths {
		x := p.get(object)
		if x.IsUndefined() {
			continue
		}
		var err error
		if picked, err = p.set(picked, x); err != nil {
			return value.Undefined, err
		}
	}
	return picked, nil
}

func parsePaths(v value.Value) ([]path, error) {
	paths := make([]path, v.Len())
	for i, item := range v.Items() {
		p, err := parsePath(textOf(item))
		if err != nil {
			return nil, err
		}
		paths[i] = p
	}
	return paths, nil
}

func merge(into, from value.Value) value.Value {
	if into.Kind() != value.KindObject || from.Kind() != value.KindObject {
		return from
	}
	members := slices.Clone(into.Members())
	for _, m := range from.Members() {
		members = append(members, value.M(m.Key, merge(into.Get(m.Key), m.Value)))
	}
	return value.Object(members...)
}

func onList(name string, arg value.Value, items []value.Value) (value.Value, error) {
	switch name {
	case "where":
		return where(arg, items)
	case "sort_by":
		return sortBy(arg, items)
	case "unique_by":
		return uniqueBy(arg, items)
	case "group_by":
		return groupBy(arg, items)
	case "index_by":
		return indexBy(arg, items)
	case "aggregate":
		return aggregated(arg, items)
	case "flatten":
		depth, _ := arg.Int()
		return value.List(flatten(nil, items, int(depth))...), nil
	case "limit":
		n, _ := arg.Int()
		return value.List(items[:min(int64(len(items)), n)]...), nil
	}
	reversed := slices.Clone(items)
	if yes, _ := arg.Bool(); yes {
		slices.Reverse(reversed)
	}
	return value.List(reversed...), nil
}

func where(arg value.Value, items []value.Value) (value.Value, error) {
	kept := items
	for _, m := range arg.Members() {
		p, err := parsePath(m.Key)
		if err != nil {
			return value.Undefined, err
		}
		wanted := []value.Value{m.Value}
		if m.Value.Kind() == value.KindList {
			wanted = m.Value.Items()
		}
		var next []value.Value
		for _, item := range kept {
			got := orNull(p.get(item))
			if slices.ContainsFunc(wanted, func(w value.Value) bool { return value.Equal(w, got) }) {
				next = append(next, item)
			}
		}
		kept = next
	}
	return value.List(kept...), nil
}

func sortBy(arg value.Value, items []value.Value) (value.Value, error) {
	type column struct {
		path path
		sign int
	}
	columns := make([]column, arg.Len())
	for i, item := range arg.Items() {
		text, down := strings.CutPrefix(textOf(item), "-")
		p, err := parsePath(text)
		if err != nil {
			return value.Undefined, err
		}
		columns[i] = column{p, 1}
		if down {
			columns[i].sign = -1
		}
	}
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b value.Value) int {
		for _, c := range columns {
			if order := compare(c.path.get(a), c.path.get(b)); order != 0 {
				return c.sign * order
			}
		}
		return 0
	})
	return value.List(sorted...), nil
}

// keyOf is the identity of what an item has at the paths.
func keyOf(paths []path, item value.Value) string {
	if len(paths) == 0 {
		return identity(item)
	}
	parts := make([]value.Value, len(paths))
	for i, p := range paths {
		parts[i] = p.get(item)
	}
	return identity(value.List(parts...))
}

func uniqueBy(arg value.Value, items []value.Value) (value.Value, error) {
	paths, err := parsePaths(arg)
	if err != nil {
		return value.Undefined, err
	}
	seen := map[string]bool{}
	var kept []value.Value
	for _, item := range items {
		if key := keyOf(paths, item); !seen[key] {
			seen[key] = true
			kept = append(kept, item)
		}
	}
	return value.List(kept...), nil
}

// grouped returns the items with the same values at the paths, in the order in
// which they first occur.
func grouped(paths []path, items []value.Value) [][]value.Value {
	index := map[string]int{}
	var groups [][]value.Value
	for _, item := range items {
		key := keyOf(paths, item)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], item)
	}
	return groups
}

func groupBy(arg value.Value, items []value.Value) (value.Value, error) {
	p, err := parsePath(textOf(arg))
	if err != nil {
		return value.Undefined, err
	}
	groups := grouped([]path{p}, items)
	out := make([]value.Value, len(groups))
	for i, g := range groups {
		out[i] = value.Object(value.M("key", orNull(p.get(g[0]))), value.M("items", value.List(g...)))
	}
	return value.List(out...), nil
}

func indexBy(arg value.Value, items []value.Value) (value.Value, error) {
	p, err := parsePath(textOf(arg))
	if err != nil {
		return value.Undefined, err
	}
	seen := map[string]bool{}
	members := make([]value.Member, len(items))
	for i, item := range items {
		at := p.get(item)
		key, ok := at.Str()
		if !ok && rank(at) == 2 {
			key, ok = at.String(), true
		}
		if !ok {
			return value.Undefined, fmt.Errorf("%w: item %d has %s where the key should be", errKind, i, kindOf(at))
		}
		if seen[key] {
			return value.Undefined, fmt.Errorf("%w: two items have the key %q; use group_by or unique_by", errKind, key)
		}
		seen[key] = true
		members[i] = value.M(key, item)
	}
	return value.Object(members...), nil
}

func flatten(out, items []value.Value, depth int) []value.Value {
	for _, item := range items {
		if item.Kind() == value.KindList && depth > 0 {
			out = flatten(out, item.Items(), depth-1)
			continue
		}
		out = append(out, item)
	}
	return out
}

func aggregated(arg value.Value, items []value.Value) (value.Value, error) {
	by, err := parsePaths(arg.Get("by"))
	if err != nil {
		return value.Undefined, err
	}
	groups := [][]value.Value{items}
	if len(by) > 0 {
		groups = grouped(by, items)
	}
	out := make([]value.Value, len(groups))
	for i, g := range groups {
		var members []value.Member
		for _, p := range by {
			if len(p) > 0 {
				members = append(members, value.M(p[len(p)-1], orNull(p.get(g[0]))))
			}
		}
		if key, ok := arg.Get("count").Str(); ok {
			members = append(members, value.M(key, value.Int(int64(len(g)))))
		}
		for _, function := range []string{"sum", "min", "max"} {
			for _, m := range arg.Get(function).Members() {
				x, err := fold(function, textOf(m.Value), g)
				if err != nil {
					return value.Undefined, fmt.Errorf("%s.%s: %w", function, m.Key, err)
				}
				members = append(members, value.M(m.Key, x))
			}
		}
		out[i] = value.Object(members...)
	}
	return value.List(out...), nil
}

func fold(function, at string, items []value.Value) (value.Value, error) {
	p, err := parsePath(at)
	if err != nil {
		return value.Undefined, err
	}
	var total sum
	best := value.Null
	for _, item := range items {
		x := p.get(item)
		switch {
		case function == "sum":
			if err := total.add(x); err != nil {
				return value.Undefined, fmt.Errorf("%w: %w", errKind, err)
			}
		case x.IsNull():
		case best.IsNull(), function == "min" && compare(x, best) < 0, function == "max" && compare(x, best) > 0:
			best = x
		}
	}
	if function == "sum" {
		return total.value(), nil
	}
	return best, nil
}

func sortedMembers(v value.Value) []value.Member {
	members := slices.Clone(v.Members())
	slices.SortFunc(members, func(a, b value.Member) int { return strings.Compare(a.Key, b.Key) })
	return members
}
