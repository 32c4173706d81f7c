package value_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/value"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{`null`, `null`},
		{" \t\r\n true \n", `true`},
		{`[1, -0, 0.5, -0.0, 1e3, 1E-7, 12e20]`, `[1,0,0.5,-0.0,1000.0,1e-07,1.2e+21]`},
		{`[9223372036854775807, 9223372036854775808, -9223372036854775809, 18446744073709551617]`, `[9223372036854775807,9223372036854775808,-9223372036854775809,18446744073709551617]`},
		{`{"b": 1, "a": {"c": []}}`, `{"b":1,"a":{"c":[]}}`},
		{`{}`, `{}`}, {`[]`, `[]`}, {`""`, `""`},
		{`"a\"\\\/\b\f\n\r\tb"`, `"a\"\\/\u0008\u000c\n\r\tb"`},
		{`"\u00e9\ud83d\ude00é😀` + "\u2028" + `"`, `"é😀é😀` + "\u2028" + `"`},
		{`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11}`, `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11}`},
		{`1e-999`, `0.0`},
		{strings.Repeat("9", value.MaxNumberDigits), strings.Repeat("9", value.MaxNumberDigits)},
		{strings.Repeat("[", value.MaxDepth) + strings.Repeat("]", value.MaxDepth), strings.Repeat("[", value.MaxDepth) + strings.Repeat("]", value.MaxDepth)},
	}
	for _, tt := range tests {
		v, err := value.Parse([]byte(tt.text))
		if err != nil {
			t.Errorf("%.40s: %v", tt.text, err)
		} else if got := v.String(); got != tt.want {
			t.Errorf("%.40s: %.40s, want %.40s", tt.text, got, tt.want)
		}
	}
}

// TestParseRefuses has row B45 of the bad inputs and every other fault.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text   string
		line, column int
		want         string
	}{
		{"duplicate key", `{"a": 1,` + "\n" + ` "a": 2}`, 2, 2, `duplicate key "a"`},
		{"duplicate key by escape", `{"a":1,"\u0061":2}`, 1, 8, `duplicate key "a"`},
		{"duplicate key of a large object", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"c":11}`, 1, 63, `duplicate key "c"`},
		{"number too large", `[1e999]`, 1, 2, "too large"},
		{"number too large, negative", `-1e999`, 1, 1, "too large"},
		{"depth 100k", strings.Repeat("[", 100_000), 1, 514, "nested deeper than 512"},
		{"depth 100k of objects", strings.Repeat(`{"a":`, 100_000), 1, 2566, "nested deeper than 512"},
		{"byte order mark", "\xef\xbb\xbf{}", 1, 1, "byte order mark"},
		{"trailing garbage", `{} x`, 1, 4, "after the end"},
		{"second value", "1\n2", 2, 1, "after the end"},
		{"trailing comma", `[1,]`, 1, 4, "unexpected character ']'"},
		{"trailing comma in object", `{"a":1,}`, 1, 8, "expected a key"},
		{"comma first", `{,}`, 1, 2, "expected a key"},
		{"no colon", `{"a" 1}`, 1, 6, "expected ':'"},
		{"no comma", `[1 2]`, 1, 4, "expected ',' or ']'"},
		{"wrong bracket", `{"a":1]`, 1, 7, "expected ',' or '}'"},
		{"empty", ``, 1, 1, "unexpected end"},
		{"only space", " \n ", 2, 2, "unexpected end"},
		{"unclosed list", `[1`, 1, 3, "expected ',' or ']'"},
		{"unclosed string", `"abc`, 1, 1, "without end"},
		{"unclosed string after an escape", `"abc\n`, 1, 1, "without end"},
		{"unclosed escape", `"abc\`, 1, 5, "without end"},
		{"word", `nul`, 1, 1, "unexpected character 'n'"},
		{"longer word", `truely`, 1, 5, "after the end"},
		{"key without quotes", `{a: 1}`, 1, 2, "expected a key"},
		{"single quotes", `'a'`, 1, 1, "unexpected character"},
		{"NaN", `NaN`, 1, 1, "unexpected character 'N'"},
		{"infinity", `-Infinity`, 1, 1, "not a JSON number"},
		{"leading zero", `01`, 1, 1, "not a JSON number"},
		{"leading plus", `+1`, 1, 1, "unexpected character"},
		{"no digits", `-`, 1, 1, "not a JSON number"},
		{"no digits behind the point", `1.`, 1, 1, "not a JSON number"},
		{"two points", `[1.2.3]`, 1, 2, "not a JSON number"},
		{"no exponent", `1e`, 1, 1, "not a JSON number"},
		{"long number", strings.Repeat("9", value.MaxNumberDigits+1), 1, 1, "longer than 1000"},
		{"comment", `{} // x`, 1, 4, "after the end"},
		{"control character", "\"a\x01\"", 1, 3, "control character 0x01"},
		{"control character after an escape", "\"\\n\x1f\"", 1, 4, "control character 0x1f"},
		{"line end in a string", "\"a\nb\"", 1, 3, "control character 0x0a"},
		{"NUL", "\"a\\u0000\"", 1, 3, "NUL"},
		{"unknown escape", `"\x41"`, 1, 2, `unknown escape \x`},
		{"unknown escape beyond ASCII", `"\é"`, 1, 2, `unknown escape \é`},
		{"short escape", `"\u12"`, 1, 2, "four hexadecimal digits"},
		{"escape with a sign", `"\u+123"`, 1, 2, "four hexadecimal digits"},
		{"high surrogate alone", `"\ud800"`, 1, 2, "surrogate"},
		{"low surrogate alone", `"\udc00"`, 1, 2, "surrogate"},
		{"high surrogate before a letter", `"\ud800\u0041"`, 1, 2, "surrogate"},
		{"invalid UTF-8", "[\"a\",\n \"\xff\"]", 2, 3, "invalid UTF-8"},
		{"overlong UTF-8", "\"\xc0\x80\"", 1, 2, "invalid UTF-8"},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", 1, 2, "invalid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := value.Parse([]byte(tt.text))
			var syntax *value.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("value %s, error %v", v, err)
			}
			if syntax.Line != tt.line || syntax.Column != tt.column || !strings.Contains(syntax.Msg, tt.want) {
				t.Errorf("%v; want line %d, column %d: %s", err, tt.line, tt.column, tt.want)
			}
			if !v.IsUndefined() {
				t.Errorf("value %s beside the error", v)
			}
		})
	}
}

func TestMustParsePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	value.MustParse(`{`)
}

// anyValue makes values of every kind.
func anyValue(depth int) *rapid.Generator[value.Value] {
	scalars := []*rapid.Generator[value.Value]{
		rapid.Just(value.Null),
		rapid.Map(rapid.Bool(), value.Bool),
		rapid.Map(rapid.Int64(), value.Int),
		rapid.Map(rapid.Float64(), value.Float),
		rapid.Map(rapid.Uint64(), func(u uint64) value.Value {
			b := new(big.Int).SetUint64(u)
			return value.BigInt(b.Mul(b, big.NewInt(-3)))
		}),
		rapid.Map(rapid.String(), func(s string) value.Value { return value.String(strings.ReplaceAll(s, "\x00", "")) }),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	inner := rapid.Deferred(func() *rapid.Generator[value.Value] { return anyValue(depth - 1) })
	return rapid.OneOf(append(scalars,
		rapid.Map(rapid.SliceOfN(inner, 0, 5), func(items []value.Value) value.Value { return value.List(items...) }),
		rapid.Custom(func(t *rapid.T) value.Value {
			v := value.Object()
			for range rapid.IntRange(0, 12).Draw(t, "members") {
				v = v.With(rapid.StringMatching(`[a-zé"\\]{0,3}`).Draw(t, "key"), inner.Draw(t, "value"))
			}
			return v
		}))...)
}

// TestRoundTrip: writing and reading gives the same value, kind by kind, and
// the same bytes again; encoding/json agrees with what was written.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		text := v.Append(nil)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		again, err := value.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !value.Equal(v, again) || again.Kind() != v.Kind() || again.String() != string(text) {
			t.Fatalf("%s became %s", text, again)
		}
		if pretty, err := value.Parse([]byte(v.Indent())); err != nil || !value.Equal(v, pretty) {
			t.Fatalf("indented %s: %v", v.Indent(), err)
		}
		if v.Size() < 40 {
			t.Fatalf("size %d", v.Size())
		}
	})
}

// FuzzParseJSON: Parse never panics and accepts no more than encoding/json
// does; what it accepts is the same after writing and reading again.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x\u00e9\ud83d\ude00",null,true]}`, `-0.0`, `1e21`, `18446744073709551616`, "\xef\xbb\xbf1", `{"a":1,"a":2}`, `"\u0000"`, `[[[`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Parse(text)
		if err != nil {
			var syntax *value.SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) || syntax.Line < 1 || syntax.Column < 1 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("accepted what is not JSON: %q", text)
		}
		written := v.Append(nil)
		again, err := value.Parse(written)
		if err != nil || !value.Equal(v, again) || string(again.Append(nil)) != string(written) {
			t.Fatalf("%s became %s, %v", written, again, err)
		}
	})
}

func TestInStructs(t *testing.T) {
	t.Parallel()
	type record struct {
		A value.Value `json:"a"`
		B value.Value `json:"b,omitzero"`
	}
	var r record
	if err := json.Unmarshal([]byte(`{"a": {"z": 18446744073709551616, "y": null}}`), &r); err != nil {
		t.Fatal(err)
	}
	if !r.B.IsUndefined() {
		t.Errorf("absent field is %s", r.B)
	}
	out, err := json.Marshal(r)
	if got, want := string(out), `{"a":{"z":18446744073709551616,"y":null}}`; got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"a": null}`), &r); err != nil || r.A.Kind() != value.KindNull {
		t.Errorf("null is %s, %v", r.A.Kind(), err)
	}
	if err := json.Unmarshal([]byte(`{"a": {"x":1,"x":2}}`), &r); err == nil {
		t.Error("duplicate key accepted")
	}
	if out, err := json.Marshal(record{}); string(out) != `{"a":null}` || err != nil {
		t.Errorf("undefined written as %s, %v", out, err)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    value.Value
		want string
	}{
		{value.Undefined, "undefined"},
		{value.List(value.Undefined, value.Int(1)), `[null,1]`},
		{value.Object(value.M("a", value.Undefined), value.M("b", value.Int(1))), `{"b":1}`},
		{value.String("a\xffb\xc3"), `"a` + "\ufffd" + `b` + "\ufffd" + `"`},
		{value.String("\x00\x1f\x7f\"\\"), `"\u0000\u001f` + "\x7f" + `\"\\"`},
		{value.Float(math.NaN()), `null`}, {value.Float(math.Inf(-1)), `null`},
		{value.Float(math.MaxFloat64), `1.7976931348623157e+308`}, {value.Float(5e-324), `5e-324`},
		{value.Float(1e20), `100000000000000000000.0`}, {value.Float(0.1), `0.1`}, {value.Float(-2), `-2.0`},
		{value.Int(math.MinInt64), `-9223372036854775808`},
	}
	for _, tt := range tests {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if got := fmt.Sprint(value.MustParse(`{"a":1}`)); got != `{"a":1}` {
		t.Errorf("printed as %s", got)
	}
}
