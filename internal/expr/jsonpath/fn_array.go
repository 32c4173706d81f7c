package jsonpath

import (
	"math/big"
	"sort"
	"strconv"

	"github.com/regie-dev/regie/internal/value"
)

// maxRange is the most items that ArrayRange makes, as on AWS.
const maxRange = 1000

func array(_ *machine, c *call) value.Value { return value.List(c.args...) }

func arrayPartition(m *machine, c *call) value.Value {
	items, size := c.list(), c.integer(1)
	if size < 1 {
		c.refuse("the size of a part must be at least 1")
	}
	out := []value.Value{}
	for len(items) > 0 {
		n := len(items)
		if size < int64(n) {
			n = int(size)
		}
		m.step()
		m.allocate(itemBytes)
		out = append(out, value.List(items[:n:n]...))
		items = items[n:]
	}
	return value.List(out...)
}

func arrayContains(m *machine, c *call) value.Value {
	items, wanted := c.list(), c.args[1]
	size := nodes(wanted, m.limit())
	for _, item := range items {
		m.step()
		if item.Len() == wanted.Len() {
			m.spend(size - 1)
		}
		if value.Equal(item, wanted) {
			return value.True
		}
	}
	return value.False
}

func arrayRange(m *machine, c *call) value.Value {
	first, last, step := c.integer(0), c.integer(1), c.integer(2)
	if step == 0 {
		c.refuse("the step cannot be 0")
	}
	if first != last && (last < first) != (step < 0) {
		return value.List([]value.Value{}...)
	}
	// In big numbers, because the distance of two integers can pass 64 bits.
	n := new(big.Int).Sub(big.NewInt(last), big.NewInt(first))
	n.Quo(n, big.NewInt(step))
	if n.Cmp(big.NewInt(maxRange)) >= 0 {
		c.refuse("the range has more than %d items", maxRange)
	}
	count := int(n.Int64()) + 1
	m.spend(count)
	m.allocate(count * itemBytes)
	out := make([]value.Value, count)
	for i := range out {
		out[i] = value.Int(first + int64(i)*step)
	}
	return value.List(out...)
}

func arrayGetItem(_ *machine, c *call) value.Value {
	items, at := c.list(), c.integer(1)
	if len(items) == 0 && at >= 0 {
		return value.Null // as on AWS
	}
	if at < 0 || at >= int64(len(items)) {
		c.refuse("there is no item %d in an array of %d", at, len(items))
	}
	return items[at]
}

func arrayLength(_ *machine, c *call) value.Value { return value.Int(int64(len(c.list()))) }

// arrayUnique keeps the first of equal items.
func arrayUnique(m *machine, c *call) value.Value {
	items := c.list()
	seen := make(map[string]bool, len(items))
	out := []value.Value{}
	for _, item := range items {
		key := string(m.canonical(nil, item, 0))
		if !seen[key] {
			seen[key] = true
			m.allocate(2 * itemBytes)
			out = append(out, item)
		}
	}
	return value.List(out...)
}

// canonical writes a value so that equal values give equal bytes: members are
// sorted, and a number has one form.
func (m *machine) canonical(b []byte, v value.Value, depth int) []byte {
	m.deep(depth)
	m.step()
	switch v.Kind() {
	case value.KindFloat:
		f, _ := v.Float()
		whole, accuracy := new(big.Float).SetFloat64(f).Int(nil)
		if accuracy == big.Exact {
			return whole.Append(b, 10)
		}
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	case value.KindList:
		b = append(b, '[')
		for _, item := range v.Items() {
			b = append(m.canonical(b, item, depth+1), ',')
		}
		return append(b, ']')
	case value.KindObject:
		members := append([]value.Member{}, v.Members()...)
		m.allocate(len(members) * 2 * itemBytes)
		sort.Slice(members, func(i, j int) bool { return members[i].Key < members[j].Key })
		b = append(b, '{')
		for _, member := range members {
			m.text(len(member.Key))
			b = append(value.AppendString(b, member.Key), ':')
			b = append(m.canonical(b, member.Value, depth+1), ',')
		}
		return append(b, '}')
	default:
		m.text(v.Size())
		return v.Append(b)
	}
}
