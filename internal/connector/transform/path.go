package transform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// path is a place within a value: keys and indexes from the top.
type path []string

// parsePath reads a.b.0; "." is the value itself.
func parsePath(text string) (path, error) {
	if text == "." {
		return nil, nil
	}
	keys := strings.Split(text, ".")
	if slices.Contains(keys, "") {
		return nil, fmt.Errorf("%q is not a path; want keys with dots between, such as customer.name", text)
	}
	return keys, nil
}

// get returns what is at the path, undefined if nothing is.
func (p path) get(v value.Value) value.Value {
	for _, key := range p {
		if v.Kind() == value.KindList {
			i, err := strconv.Atoi(key)
			if err != nil {
				return value.Undefined
			}
			v = v.At(i)
			continue
		}
		v = v.Get(key)
	}
	return v
}

// set returns v with x at the path. Objects on the way are made where there is
// nothing; a list takes only indexes that it has.
func (p path) set(v, x value.Value) (value.Value, error) {
	if len(p) == 0 {
		return x, nil
	}
	switch v.Kind() {
	case value.KindUndefined, value.KindNull, value.KindObject:
		inner, err := p[1:].set(v.Get(p[0]), x)
		if err != nil {
			return value.Undefined, err
		}
		return v.With(p[0], inner), nil
	case value.KindList:
		i, err := strconv.Atoi(p[0])
		if err != nil || i < 0 || i >= v.Len() {
			return value.Undefined, fmt.Errorf("the list has no item %q", p[0])
		}
		items := slices.Clone(v.Items())
		if items[i], err = p[1:].set(items[i], x); err != nil {
			return value.Undefined, err
		}
		return value.List(items...), nil
	}
	return value.Undefined, fmt.Errorf("cannot set %q within %s", p[0], kindOf(v))
}

// omit returns v without what is at the path.
func (p path) omit(v value.Value) value.Value {
	if len(p) == 0 {
		return value.Null
	}
	switch v.Kind() {
	case value.KindObject:
		members := make([]value.Member, 0, v.Len())
		for _, m := range v.Members() {
			if m.Key == p[0] {
				if len(p) == 1 {
					continue
				}
				m.Value = p[1:].omit(m.Value)
			}
			members = append(members, m)
		}
		return value.Object(members...)
	case value.KindList:
		i, err := strconv.Atoi(p[0])
		if err != nil || i < 0 || i >= v.Len() {
			return v
		}
		items := slices.Clone(v.Items())
		if len(p) == 1 {
			return value.List(slices.Delete(items, i, i+1)...)
		}
		items[i] = p[1:].omit(items[i])
		return value.List(items...)
	}
	return v
}
