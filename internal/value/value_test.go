package value_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/value"
)

func TestAccessors(t *testing.T) {
	t.Parallel()
	huge := value.MustParse(`18446744073709551616`)
	values := []value.Value{
		value.Undefined, value.Null, value.True, value.False, value.Int(1), huge, value.Float(1.5), value.Float(2), value.String("1"),
		value.MustParse(`[1,"x"]`), value.MustParse(`{"a":1}`),
	}
	kinds := []string{"undefined", "null", "boolean", "boolean", "integer", "integer", "number", "number", "string", "list", "object"}
	for i, v := range values {
		if got := v.Kind().String(); got != kinds[i] {
			t.Errorf("kind of %s is %s, want %s", v, got, kinds[i])
		}
		if v.IsUndefined() != (i == 0) || v.IsNull() != (i < 2) || v.IsZero() != (i == 0) {
			t.Errorf("%s: IsUndefined %v, IsNull %v, IsZero %v", v, v.IsUndefined(), v.IsNull(), v.IsZero())
		}
		if b, ok := v.Bool(); ok != (i == 2 || i == 3) || b != (i == 2) {
			t.Errorf("%s: Bool %v, %v", v, b, ok)
		}
		if n, ok := v.Int(); ok != (i == 4 || i == 7) || ok && n != int64(map[int]int{4: 1, 7: 2}[i]) {
			t.Errorf("%s: Int %v, %v", v, n, ok)
		}
		if n, ok := v.BigInt(); ok != (i == 4 || i == 5) || ok && n.String() != v.String() {
			t.Errorf("%s: BigInt %v, %v", v, n, ok)
		}
		if f, ok := v.Float(); ok != (i >= 4 && i <= 7) || ok && f != map[int]float64{4: 1, 5: 1 << 64, 6: 1.5, 7: 2}[i] {
			t.Errorf("%s: Float %v, %v", v, f, ok)
		}
		if s, ok := v.Str(); ok != (i == 8) || ok && s != "1" {
			t.Errorf("%s: Str %q, %v", v, s, ok)
		}
		if got := v.Len(); got != map[int]int{8: 1, 9: 2, 10: 1}[i] {
			t.Errorf("%s: Len %d", v, got)
		}
		if (v.Items() != nil) != (i == 9) || (v.Members() != nil) != (i == 10) {
			t.Errorf("%s: Items %v, Members %v", v, v.Items(), v.Members())
		}
		if got := v.Get("a"); got.IsUndefined() != (i != 10) {
			t.Errorf("%s: Get %s", v, got)
		}
		if got := v.At(1); got.IsUndefined() != (i != 9) {
			t.Errorf("%s: At %s", v, got)
		}
	}
	if !values[9].At(-1).IsUndefined() || !values[9].At(2).IsUndefined() {
		t.Error("items outside of a list")
	}
	if _, ok := value.Object(value.M("a", value.Null)).Lookup("a"); !ok {
		t.Error("null member not found")
	}
}

func TestIntOfFloat(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{1 << 53, -(1 << 53), 1e300, 0.5} {
		if n, ok := value.Float(f).Int(); ok {
			t.Errorf("%v is the integer %d", f, n)
		}
	}
	if n, ok := value.Float(-(1<<53 - 1)).Int(); !ok || n != -(1<<53-1) {
		t.Errorf("%d, %v", n, ok)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for text, v := range map[string]value.Value{"": value.Undefined, "x y": value.String("x y"), "12": value.Int(12), `["a"]`: value.MustParse(`["a"]`), "true": value.True} {
		if got := v.Text(); got != text {
			t.Errorf("%s: %q, want %q", v, got, text)
		}
	}
	if got := value.Null.Text(); got != "" {
		t.Errorf("null: %q", got)
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	v := value.Object(value.M("a", value.Int(1)), value.M("b", value.Int(2)), value.M("a", value.Int(3)))
	if got := v.String(); got != `{"a":3,"b":2}` {
		t.Errorf("the last of equal keys wins at the first place: %s", got)
	}
	w := v.With("c", value.Null).With("b", value.Int(9)).With("a", value.Undefined)
	if got := w.String(); got != `{"a":3,"b":9,"c":null}` {
		t.Errorf("With: %s", got)
	}
	if got := v.String(); got != `{"a":3,"b":2}` {
		t.Errorf("With changed its receiver: %s", got)
	}
	for _, empty := range []value.Value{value.Undefined, value.Null} {
		if got := empty.With("k", value.True).String(); got != `{"k":true}` {
			t.Errorf("With on %s: %s", empty, got)
		}
	}
}

// TestObjectIsAMap: an object behaves like a map with the order of first
// insertion, whether it is small or has an index.
func TestObjectIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, model, order := value.Object(), map[string]int64{}, []string{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			key := rapid.StringMatching(`[a-f]{1,2}`).Draw(t, "key")
			n := rapid.Int64().Draw(t, "n")
			if _, there := model[key]; !there {
				order = append(order, key)
			}
			model[key] = n
			v = v.With(key, value.Int(n))
		}
		if v.Len() != len(order) {
			t.Fatalf("%d members, want %d", v.Len(), len(order))
		}
		for i, m := range v.Members() {
			if n, _ := m.Value.Int(); m.Key != order[i] || n != model[m.Key] {
				t.Fatalf("member %d is %s: %d, want %s: %d", i, m.Key, n, order[i], model[order[i]])
			}
			if got := v.Get(m.Key); !value.Equal(got, m.Value) {
				t.Fatalf("Get(%s) = %s", m.Key, got)
			}
		}
		if _, ok := v.Lookup("zz"); ok {
			t.Fatal("found what is not there")
		}
	})
}

func TestEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b value.Value
		want bool
	}{
		{value.Undefined, value.Undefined, true},
		{value.Undefined, value.Null, false},
		{value.Int(1), value.Float(1), true},
		{value.Int(1), value.True, false},
		{value.Int(0), value.Float(math.Copysign(0, -1)), true},
		{value.Int(math.MaxInt64), value.Float(math.MaxInt64), false}, // the float is one more
		{value.MustParse(`9223372036854775808`), value.Float(math.MaxInt64), true},
		{value.Float(0.1), value.MustParse(`0.1`), true},
		{value.String("1"), value.Int(1), false},
		{value.Int(1), value.String("1"), false},
		{value.String("a"), value.String("b"), false},
		{value.MustParse(`{"a":1,"b":[2]}`), value.MustParse(`{"b":[2.0],"a":1}`), true},
		{value.MustParse(`{"a":1}`), value.MustParse(`{"a":1,"b":2}`), false},
		{value.MustParse(`{"a":1}`), value.MustParse(`{"b":1}`), false},
		{value.MustParse(`{"a":1}`), value.MustParse(`{"a":2}`), false},
		{value.MustParse(`[1,2]`), value.MustParse(`[2,1]`), false},
		{value.MustParse(`[1]`), value.MustParse(`[1,2]`), false},
		{value.MustParse(`[]`), value.MustParse(`{}`), false},
		{value.True, value.False, false},
	}
	for _, tt := range tests {
		if got := value.Equal(tt.a, tt.b); got != tt.want || value.Equal(tt.b, tt.a) != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   any
		want string
	}{
		{nil, `null`}, {true, `true`}, {3, `3`}, {int32(-3), `-3`}, {int64(4), `4`}, {uint64(math.MaxUint64), `18446744073709551615`},
		{big.NewInt(7), `7`}, {float32(0.5), `0.5`}, {2.0, `2.0`}, {"x", `"x"`}, {value.Int(1), `1`},
		{[]string{"b", "a"}, `["b","a"]`}, {[]any{1, nil, []any{}}, `[1,null,[]]`}, {[]value.Value{value.True}, `[true]`}, {[]value.Value(nil), `[]`},
		{map[string]string{"b": "1", "a": "2"}, `{"a":"2","b":"1"}`}, {map[string]value.Value{"a": value.Null}, `{"a":null}`},
		{map[string]any{"z": 1, "k": map[string]any{}}, `{"k":{},"z":1}`},
	}
	for _, tt := range tests {
		got, err := value.From(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("%#v: %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []any{struct{}{}, []any{make(chan int)}, map[string]any{"a": []int{1}}, complex(1, 2)} {
		if got, err := value.From(in); err == nil {
			t.Errorf("%#v: %s", in, got)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	small, large := value.MustParse(`{"a":"x"}`), value.MustParse(`{"a":"xxxxxxxxxxxxxxxxxxxx"}`)
	if large.Size() != small.Size()+19 {
		t.Errorf("sizes %d and %d", small.Size(), large.Size())
	}
	if n := value.BigInt(new(big.Int).Lsh(big.NewInt(1), 3000)).Size(); n < 375 {
		t.Errorf("size of a large integer %d", n)
	}
}
