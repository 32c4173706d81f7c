package value

import (
	"fmt"
	"math/big"
	"sort"
)

// From turns Go data into a Value: nil, booleans, integers, floats, strings,
// Values, slices of any of them and maps with string keys (sorted by key).
// Anything else is an error.
func From(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null, nil
	case Value:
		return x, nil
	case bool:
		return Bool(x), nil
	case int:
		return Int(int64(x)), nil
	case int32:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case uint64:
		return BigInt(new(big.Int).SetUint64(x)), nil
	case *big.Int:
		return BigInt(x), nil
	case float32:
		return Float(float64(x)), nil
	case float64:
		return Float(x), nil
	case string:
		return String(x), nil
	case []Value:
		return List(x...), nil
	case []string:
		items := make([]Value, len(x))
		for i, s := range x {
			items[i] = String(s)
		}
		return List(items...), nil
	case []any:
		items := make([]Value, len(x))
		for i, e := range x {
			v, err := From(e)
			if err != nil {
				return Undefined, err
			}
			items[i] = v
		}
		return List(items...), nil
	case map[string]string:
		return fromMap(x)
	case map[string]Value:
		return fromMap(x)
	case map[string]any:
		return fromMap(x)
	}
	return Undefined, fmt.Errorf("no JSON form for %T", x)
}

func fromMap[T any](m map[string]T) (Value, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	members := make([]Member, 0, len(m))
	for _, k := range keys {
		v, err := From(m[k])
		if err != nil {
			return Undefined, fmt.Errorf("%s: %w", k, err)
		}
		members = append(members, Member{k, v})
	}
	return Object(members...), nil
}
