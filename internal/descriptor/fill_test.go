package descriptor_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

func TestFill(t *testing.T) {
	t.Parallel()
	o := robot()
	tests := []struct{ name, in, want string }{
		{"defaults behind what is given", `{"name":"r2","run":"x"}`, `{"name":"r2","run":"x","active":true,"warranty":"2d"}`},
		{"given values stay", `{"warranty":"1h","active":false}`, `{"warranty":"1h","active":false}`},
		{"null counts as absent", `{"active":null,"id":null,"warranty":"1h"}`, `{"warranty":"1h","active":true}`},
		{"null stays where anything fits", `{"active":false,"warranty":"1h","data":null}`, `{"active":false,"warranty":"1h","data":null}`},
		{"unknown fields stay", `{"active":false,"warranty":"1h","bogus":null}`, `{"active":false,"warranty":"1h","bogus":null}`},
		{"objects in lists", `{"active":false,"warranty":"1h","arms":[{"side":"left"},{"hands":[{}]},7]}`,
			`{"active":false,"warranty":"1h","arms":[{"side":"left","reach":2},{"hands":[{"reach":2}],"reach":2},7]}`},
		{"object", `{"active":false,"warranty":"1h","spare":{"reach":null}}`, `{"active":false,"warranty":"1h","spare":{"reach":2}}`},
		{"the option that fits", `{"active":false,"warranty":"1h","shape":{"kind":"box"}}`, `{"active":false,"warranty":"1h","shape":{"kind":"box","width":1}}`},
		{"the other option", `{"active":false,"warranty":"1h","shape":{"kind":"circle"}}`, `{"active":false,"warranty":"1h","shape":{"kind":"circle"}}`},
		{"nothing", `null`, `{"active":true,"warranty":"2d"}`},
		{"no object", `[1]`, `[1]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := descriptor.Fill(value.MustParse(tt.in), o).String(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if got := descriptor.Fill(value.Undefined, o).String(); got != `{"active":true,"warranty":"2d"}` {
		t.Errorf("undefined: %s", got)
	}
}

// TestFillKeepsFaults: filling is idempotent, and a value that was in order
// stays so.
func TestFillKeepsFaults(t *testing.T) {
	t.Parallel()
	o := robot()
	rapid.Check(t, func(t *rapid.T) {
		r := random{t, []string{"name", "arms", "shape", "kind", "side", "bogus"}}
		v := value.Object()
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			f := rapid.SampledFrom(o.Fields).Draw(t, "field")
			v = v.With(f.Name, r.likely(&f.Type, 4))
		}
		filled := descriptor.Fill(v, o)
		if again := descriptor.Fill(filled, o); again.String() != filled.String() {
			t.Fatalf("%s, filled again %s", filled, again)
		}
		before, after := descriptor.CheckValue(v, o), descriptor.CheckValue(filled, o)
		if len(after) > len(before) {
			t.Fatalf("%s: %v\nfilled %s: %v", v, before, filled, after)
		}
	})
}

func TestTexts(t *testing.T) {
	t.Parallel()
	doc := parse(t, `name: ${{ not_allowed }}
run: ${{ not_allowed }}
motto: hi ${{ secrets.x }}
if: inputs.x
price: 1.5
active: ${{ on }}
spare: {side: "${{ s }}", reach: 3, hands: "${{ h }}"}
env: {A: "${{ a }}", B: plain}
data: [x, {k: "${{ d }}"}, "$${{ literal"]
fixed: ["${{ not_allowed }}"]
bogus: ${{ unknown }}
arms: [{side: left, reach: "${{ r }}"}]
`)
	var got []string
	descriptor.Texts(doc, robot(), func(x descriptor.Text) {
		s := x.Path + " " + x.Type.Words() + " " + x.Node.Text
		if x.Bare {
			s += " bare"
		}
		if x.Secrets {
			s += " secrets"
		}
		got = append(got, s)
	})
	want := []string{
		"motto a text hi ${{ secrets.x }} secrets",
		"if an expression inputs.x bare",
		"active true or false ${{ on }}",
		"spare.side a text ${{ s }}",
		"spare.hands a list, each item a mapping (arm) ${{ h }}",
		"env.A a text, a number or true or false ${{ a }}",
		"data[1].k anything ${{ d }}",
		"data[2] anything $${{ literal",
		"arms[0].reach an integer ${{ r }}",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	descriptor.Texts(nil, robot(), func(descriptor.Text) { t.Error("visited without a node") })
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text             string
		identifier, name bool
	}{
		{"", false, false}, {"a", true, true}, {"A", true, false}, {"_", true, false}, {"1a", false, true}, {"a-b.c_d", false, true},
		{"-a", false, false}, {".a", false, false}, {"a_1", true, true}, {"é", false, false}, {"a b", false, false}, {"a\n", false, false}, {"a/b", false, false},
		{strings.Repeat("a", 63), true, true}, {strings.Repeat("a", 64), false, false},
	}
	for _, tt := range tests {
		if got := descriptor.ValidIdentifier(tt.text); got != tt.identifier {
			t.Errorf("identifier %q: %v", tt.text, got)
		}
		if got := descriptor.ValidName(tt.text); got != tt.name {
			t.Errorf("name %q: %v", tt.text, got)
		}
	}
}
