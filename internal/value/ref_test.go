package value_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/value"
)

func ref(path ...string) value.Value {
	return value.Reference(value.Ref{SHA256: strings.Repeat("ab", 32), Size: 1 << 20, Kind: value.KindList, Len: 5, Parts: true, Path: path})
}

// TestRef: a reference is known wherever it lies, and comes back as it was
// stored.
func TestRef(t *testing.T) {
	t.Parallel()
	for _, v := range []value.Value{
		ref(), ref("3", "name"), value.List(value.Null, ref()), value.Object(value.M("a", value.List(ref()))),
		value.Object(value.M("a", value.Int(1))).With("b", ref()),
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got value.Value
		if err := json.Unmarshal(text, &got); err != nil || !value.Equal(got, v) || !got.HasRef() || !v.HasRef() {
			t.Errorf("%s came back as %s, %v", text, got, err)
		}
		if len(v.Refs(nil)) != 1 {
			t.Errorf("%s has %d references", v, len(v.Refs(nil)))
		}
		resolved, err := v.Resolve(func(value.Ref) (value.Value, error) { return value.Int(7), nil })
		if err != nil || resolved.HasRef() || !strings.Contains(resolved.String(), "7") {
			t.Errorf("%s resolved to %s, %v", v, resolved, err)
		}
	}
	if got, want := ref().String(), `{"$large":{"sha256":"`+strings.Repeat("ab", 32)+`","bytes":1048576,"type":"list","length":5}}`; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
}

// TestNotForged: nothing that people send or programs compute is a reference
// afterwards.
func TestNotForged(t *testing.T) {
	t.Parallel()
	text, _ := json.Marshal(ref())
	if v, err := value.Parse(text); err == nil {
		t.Errorf("Parse took %s", v)
	}
	if v, err := value.Parse([]byte(ref().String())); err != nil || v.HasRef() {
		t.Errorf("what is shown was read as %v, %v", v.Kind(), err)
	}
	inner := value.MustParse(`{"sha256": "` + strings.Repeat("ab", 32) + `", "size": 1, "kind": "list"}`)
	rapid.Check(t, func(t *rapid.T) {
		key := strings.Repeat("\x00", rapid.IntRange(0, 3).Draw(t, "nul")) + rapid.SampledFrom([]string{"", "ref", "x"}).Draw(t, "name")
		v := value.Object(value.M(key, inner))
		if rapid.Bool().Draw(t, "deep") {
			v = value.List(v, value.Object(value.M("a", v)))
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got value.Value
		if err := json.Unmarshal(text, &got); err != nil || got.HasRef() || !value.Equal(got, v) {
			t.Fatalf("%q came back as %s, %v", v, got, err)
		}
	})
	for _, bad := range []string{
		`{"\u0000ref":1}`, `{"\u0000ref":{"sha256":"ab","size":1,"kind":"list"}}`,
		`{"\u0000ref":{"sha256":"` + strings.Repeat("ab", 32) + `","size":-1,"kind":"list"}}`,
		`{"\u0000ref":{"sha256":"` + strings.Repeat("ab", 32) + `","size":1,"kind":"number"}}`,
	} {
		var got value.Value
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read as %s", bad, got)
		}
	}
}

// TestJSONSize: it is the length of the JSON.
func TestJSONSize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := value.String(rapid.StringOf(rapid.RuneFrom([]rune{'a', '"', '\\', '\n', '\x00', '\x1f', 'é', '\u2028', '😀'})).Draw(t, "text"))
		v := value.Object(value.M("a\n", s), value.M("b", value.List(s, value.Null, value.Float(rapid.Float64().Draw(t, "f")), value.Int(rapid.Int64().Draw(t, "i")))), value.M("c", value.List()))
		if got, want := v.JSONSize(), len(v.Append(nil)); got != want {
			t.Fatalf("%d, want %d: %s", got, want, v)
		}
	})
}
