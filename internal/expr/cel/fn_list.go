package cel

import (
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// listFunctions are the rows about lists. Those with a body, such as
// map(x, …), stand in the table of macros.
func listFunctions() []function {
	const group = "Lists"
	return []function{
		{group: group, name: "sum", member: true, sigs: []string{"(list) -> item"}, run: sum,
			doc: "Sum of the numbers, decimals or durations of the list; 0 for an empty list.", examples: []example{{`[1, 2, 3].sum()`, `6`}, {`[decimal("1.10"), decimal("2.20")].sum()`, `"3.30"`}}},
		{group: group, name: "min", member: true, sigs: []string{"(list) -> item"}, run: func(c *call) (ref.Val, *expr.Error) { return c.extreme(-1) },
			doc: "The smallest item; an error for an empty list.", examples: []example{{`[3, 1, 2].min()`, `1`}}},
		{group: group, name: "max", member: true, sigs: []string{"(list) -> item"}, run: func(c *call) (ref.Val, *expr.Error) { return c.extreme(1) },
			doc: "The largest item; an error for an empty list.", examples: []example{{`[3, 1, 2].max()`, `3`}}},
		{group: group, name: "first", member: true, sigs: []string{"(list) -> optional<item>"},
			doc: "The first item, if there is one.", examples: []example{{`[1, 2].first().orValue(0)`, `1`}, {`[].first().orValue(0)`, `0`}}},
		{group: group, name: "last", member: true, sigs: []string{"(list) -> optional<item>"},
			doc: "The last item, if there is one.", examples: []example{{`[1, 2].last().orValue(0)`, `2`}}},
		{group: group, name: "slice", member: true, sigs: []string{"(list,int,int) -> same"}, run: slice,
			doc: "The items from the first position up to, without, the second.", examples: []example{{`[1, 2, 3, 4].slice(1, 3)`, `[2,3]`}}},
		{group: group, name: "sort", member: true, sigs: []string{"(list) -> same"}, run: sortList,
			doc: "The items from the smallest to the largest.", examples: []example{{`[3, 1, 2].sort()`, `[1,2,3]`}}},
		{group: group, name: "distinct", member: true, sigs: []string{"(list) -> same"}, run: distinct,
			doc: "The items without repetitions.", examples: []example{{`[1, 2, 1.0].distinct()`, `[1,2]`}}},
		{group: group, name: "flatten", member: true, sigs: []string{"(list,int?) -> list"}, run: flatten,
			doc: "The list with the items of its lists in place of them, one level deep or as many as the number says.", examples: []example{{`[1, [2, [3]]].flatten()`, `[1,2,[3]]`}, {`[1, [2, [3]]].flatten(2)`, `[1,2,3]`}}},
		{group: group, name: "lists.range", sigs: []string{"(int) -> list<int>"}, run: listRange,
			doc: "The integers from 0 up to, without, the number.", examples: []example{{`lists.range(3)`, `[0,1,2]`}}},
		{group: group, name: "sets.contains", sigs: []string{"(list,list) -> bool"}, run: setContains,
			doc: "Whether every item of the second list is in the first.", examples: []example{{`sets.contains([1, 2, 3], [3, 1])`, `true`}}},
		{group: group, name: "sets.equivalent", sigs: []string{"(list,list) -> bool"}, run: setEquivalent,
			doc: "Whether each list has every item of the other.", examples: []example{{`sets.equivalent([1, 2], [2, 1, 1])`, `true`}}},
		{group: group, name: "sets.intersects", sigs: []string{"(list,list) -> bool"}, run: setIntersects,
			doc: "Whether the lists have an item in common.", examples: []example{{`sets.intersects([1, 2], [2, 3])`, `true`}}},
	}
}

func sum(c *call) (ref.Val, *expr.Error) {
	l, n, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	if fault := c.m.spend(uint64(n), c.at); fault != nil {
		return nil, fault
	}
	var total ref.Val = types.IntZero
	for i := range n {
		v, fault := unwrapErr(itemAt(l, i))
		if fault != nil {
			return nil, fault
		}
		if i == 0 {
			if _, isDuration := v.(types.Duration); !isDuration && rankOf(v) == notNumber {
				return nil, c.fail(expr.TypeMismatch, "sum() needs numbers, but item 0 is %s", typeName(v))
			}
			total = v
			continue
		}
		if total, fault = operate(c.m, opAdd, total, v, c.at); fault != nil {
			return nil, fault
		}
	}
	return total, nil
}

// extreme is the smallest item for sign -1, the largest for 1; the first of
// equal ones.
func (c *call) extreme(sign int) (ref.Val, *expr.Error) {
	l, n, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	all, fault := c.collect(l)
	if fault != nil {
		return nil, fault
	}
	if n == 0 {
		return nil, c.fail(expr.NoSuchIndex, "%s() of an empty list; give a default: size(x) > 0 ? x.%s() : …", c.fn.name, c.fn.name)
	}
	return c.extremeOf(all, sign)
}

func (c *call) extremeOf(all []ref.Val, sign int) (ref.Val, *expr.Error) {
	if fault := c.m.spend(uint64(len(all)), c.at); fault != nil {
		return nil, fault
	}
	best := all[0]
	if _, _, fault := compare(c.m, best, best, c.at); fault != nil {
		return nil, fault
	}
	for _, v := range all[1:] {
		order, ordered, fault := compare(c.m, v, best, c.at)
		if fault != nil {
			return nil, fault
		}
		if ordered && order == sign {
			best = v
		}
	}
	return best, nil
}

func slice(c *call) (ref.Val, *expr.Error) {
	l, n, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	from, fault := c.integer(1, 0)
	if fault != nil {
		return nil, fault
	}
	to, fault := c.integer(2, n)
	if fault != nil {
		return nil, fault
	}
	if from < 0 || from > to || to > n {
		return nil, c.fail(expr.NoSuchIndex, "slice(%d, %d) is out of bounds: the list has %d items", from, to, n)
	}
	if fault := c.m.allocateItems(to-from, c.at); fault != nil {
		return nil, fault
	}
	out := make([]ref.Val, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, itemAt(l, i))
	}
	return &vector{out}, nil
}

func sortList(c *call) (ref.Val, *expr.Error) {
	l, _, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	all, fault := c.collect(l)
	if fault != nil {
		return nil, fault
	}
	return c.sortBy(all, all)
}

// sortBy sorts the items by their keys; equal keys keep their order.
func (c *call) sortBy(all, keys []ref.Val) (ref.Val, *expr.Error) {
	if fault := c.m.allocateItems(len(all), c.at); fault != nil {
		return nil, fault
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	var failed *expr.Error
	slices.SortStableFunc(order, func(i, j int) int {
		if failed != nil {
			return 0
		}
		if failed = c.m.spend(costStep, c.at); failed != nil {
			return 0
		}
		var result int
		result, _, failed = compare(c.m, keys[i], keys[j], c.at)
		return result
	})
	if failed == nil && len(keys) == 1 {
		_, _, failed = compare(c.m, keys[0], keys[0], c.at)
	}
	if failed != nil {
		return nil, failed
	}
	out := make([]ref.Val, len(all))
	for i, from := range order {
		out[i] = all[from]
	}
	return &vector{out}, nil
}

// distinct keeps the first of equal items. Texts, booleans and integers are
// found by hash, the rest by comparing each with each.
func distinct(c *call) (ref.Val, *expr.Error) {
	l, _, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	all, fault := c.collect(l)
	if fault != nil {
		return nil, fault
	}
	seen := make(map[any]bool, len(all))
	out := make([]ref.Val, 0, len(all))
	var others []ref.Val
	for _, v := range all {
		key, hashed := mapKey(v)
		if hashed && seen[key] {
			continue
		}
		rivals := others
		if !hashed {
			rivals = out
		}
		found, fault := c.among(v, rivals)
		if fault != nil {
			return nil, fault
		}
		if found {
			continue
		}
		out = append(out, v)
		if hashed {
			seen[key] = true
		} else {
			others = append(others, v)
		}
	}
	return &vector{out}, nil
}

func (c *call) among(v ref.Val, all []ref.Val) (bool, *expr.Error) {
	for _, o := range all {
		same, fault := equal(c.m, v, o, c.at)
		if fault != nil || same {
			return same, fault
		}
	}
	return false, nil
}

func flatten(c *call) (ref.Val, *expr.Error) {
	l, _, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	depth, fault := c.integer(1, 1)
	if fault != nil {
		return nil, fault
	}
	if depth < 0 {
		return nil, c.fail(expr.InvalidValue, "flatten() needs a depth of at least 0")
	}
	out, fault := c.flattenInto(nil, l, depth)
	return &vector{out}, fault
}

func (c *call) flattenInto(out []ref.Val, l traits.Lister, depth int) ([]ref.Val, *expr.Error) {
	n := sizeOf(l)
	if fault := c.m.allocateItems(n, c.at); fault != nil {
		return nil, fault
	}
	for i := range n {
		v, fault := unwrapErr(itemAt(l, i))
		if fault != nil {
			return nil, at(fault, c.at)
		}
		inner, ok := v.(traits.Lister)
		if !ok || depth == 0 {
			out = append(out, v)
			continue
		}
		if out, fault = c.flattenInto(out, inner, depth-1); fault != nil {
			return nil, fault
		}
	}
	return out, nil
}

func listRange(c *call) (ref.Val, *expr.Error) {
	n, fault := c.integer(0, 0)
	if fault != nil {
		return nil, fault
	}
	n = max(n, 0)
	if fault := c.m.allocateItems(n, c.at); fault != nil {
		return nil, fault
	}
	out := make([]ref.Val, n)
	for i := range n {
		out[i] = types.Int(i)
	}
	return &vector{out}, nil
}

// containsAll reports whether every item of part is in whole.
func (c *call) containsAll(whole, part int) (bool, *expr.Error) {
	l, _, fault := c.list(whole)
	if fault != nil {
		return false, fault
	}
	all, fault := c.collect(l)
	if fault != nil {
		return false, fault
	}
	parts, n, fault := c.list(part)
	if fault != nil {
		return false, fault
	}
	for i := range n {
		found, fault := c.among(itemAt(parts, i), all)
		if fault != nil || !found {
			return false, fault
		}
	}
	return true, nil
}

func setContains(c *call) (ref.Val, *expr.Error) {
	ok, fault := c.containsAll(0, 1)
	return types.Bool(ok), fault
}

func setEquivalent(c *call) (ref.Val, *expr.Error) {
	ok, fault := c.containsAll(0, 1)
	if fault != nil || !ok {
		return types.False, fault
	}
	ok, fault = c.containsAll(1, 0)
	return types.Bool(ok), fault
}

func setIntersects(c *call) (ref.Val, *expr.Error) {
	l, _, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	all, fault := c.collect(l)
	if fault != nil {
		return nil, fault
	}
	other, n, fault := c.list(1)
	if fault != nil {
		return nil, fault
	}
	for i := range n {
		found, fault := c.among(itemAt(other, i), all)
		if fault != nil || found {
			return types.Bool(found), fault
		}
	}
	return types.False, nil
}
