package descriptor_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The documents below are a robot each: base, then the lines of the case.
const base = "name: r2\nrun: beep\n"

// good documents are accepted by Check and by the schema.
var good = []struct{ name, text string }{
	{"smallest", base},
	{"every field", base + `id: r_2
motto: beep
script: echo $NAME
age: -3
weight: 1.5
price: "1234.50"
active: false
warranty: 1h30m
built: 2026-01-31
started_at: 2026-01-31T06:30:00+01:00
if: inputs.x > 1
arms: [{side: left, hands: [{side: right, reach: 9}]}]
spare: {side: "${{ inputs.side }}", reach: 1}
env: {A: x, B: 1.5, C: true}
needs: [a, b]
limit: none
shape: {kind: box, width: 2}
data: [null, {a: 1}]
fixed: null
free: {a: [1]}
wheels: 4
`},
	{"other forms", base + "needs: {a: [failed], b: []}\nlimit: 3\nshape: {kind: circle, radius: 1}\nif: true\nprice: 7\nage: 3.0\n"},
	{"third form", base + "limit: 90s\nif: 1\nprice: -0.5\nlegs: 2\nstarted_at: 2026-01-31T06:30:00.123Z"},
	{"templates", base + `motto: a very long ${{ text }}
price: ${{ a }}
active: ${{ a }}
built: 20${{ year }}-01-01
env: {A: "${{ secrets.X }}", B: "x ${{ y }}"}
data: {a: ["${{ b }}"]}
arms: [{side: left, reach: "${{ n }}"}]
spare: ${{ whole }}
`},
	{"whole map as template", base + "env: ${{ map }}\n"},
}

// bad documents are refused by Check with these diagnostics, and by the schema
// unless lax.
var bad = []struct {
	name, text string
	lax        bool
	want       string
}{
	{"no mapping", "- 1\n", false, `
1:1: error[wrong_type]: the robot must be a mapping; this is a list
`},
	{"unknown field", base + "scirpt: x\nxyzzy: 1\n", false, `
3:1: error[unknown_field]: unknown field "scirpt" in the robot (did you mean "script"?)
4:1: error[unknown_field]: unknown field "xyzzy" in the robot
`},
	{"unknown field of a small object", base + "spare: {side: left, paws: 1}\n", false, `
3:21: error[unknown_field]: unknown field "paws" in ` + "`spare`" + ` (known fields: side, reach, hands)
`},
	{"missing fields", "id: x\nspare: {}\n", false, `
1:1: error[missing_field]: ` + "`name` is missing in the robot" + `
1:1: error[missing_field]: ` + "`run` or `uses` (what it does) is missing in the robot" + `
2:8: error[missing_field]: ` + "`side` is missing in `spare`" + `
`},
	{"conflicting fields", base + "uses: x\nlegs: 1\nwheels: 2\n", false, `
3:1: error[conflicting_fields]: ` + "`run` and `uses` exclude each other in the robot" + ` (keep one of them)
5:1: error[conflicting_fields]: ` + "`legs` and `wheels` exclude each other in the robot" + ` (keep one of them)
`},
	{"wrong scalars", base + `motto: 12
age: "3"
weight: many
active: yes
warranty: 90
built: 1
if: [1]
id: 7
`, false, `
3:8: error[wrong_type]: ` + "`motto` must be a text; this is an integer, 12" + ` (write it in quotes: "12")
4:6: error[wrong_type]: ` + "`age` must be an integer; this is a text, \"3\"" + ` (write it without quotes)
5:9: error[wrong_type]: ` + "`weight` must be a number; this is a text, \"many\"" + `
6:9: error[wrong_type]: ` + "`active` must be true or false; this is a text, \"yes\"" + ` (write true)
7:11: error[wrong_type]: ` + "`warranty` must be a duration such as 90s, 10m or 1h30m; this is an integer, 90" + ` (write a unit: 90s for seconds, 90m for minutes)
8:8: error[wrong_type]: ` + "`built` must be a date such as 2026-01-31; this is an integer, 1" + `
9:5: error[wrong_type]: ` + "`if` must be an expression; this is a list" + `
10:5: error[wrong_type]: ` + "`id` must be an identifier; this is an integer, 7" + `
`},
	{"wrong shapes", base + "arms: {side: left}\nspare: [1]\nenv: x\nneeds: a\nfree: []\nshape: 1\n", false, `
3:7: error[wrong_type]: ` + "`arms` must be a list, each item a mapping (arm); this is a mapping" + `
4:8: error[wrong_type]: ` + "`spare` must be a mapping; this is a list" + `
5:6: error[wrong_type]: ` + "`env` must be a mapping, each value a text, a number or true or false; this is a text, \"x\"" + `
6:8: error[wrong_type]: ` + "`needs` must be a list, each item an identifier or a mapping, each value a list, each item a text; this is a text, \"a\"" + `
7:7: error[wrong_type]: ` + "`free` must be a mapping; this is a list" + `
8:8: error[wrong_type]: ` + "`shape` must be a mapping (circle) or a mapping (box); this is an integer, 1" + `
`},
	{"scalar for a list", base + "spare: {side: left, hands: x}\n", false, `
3:28: error[wrong_type]: ` + "`spare.hands` must be a list, each item a mapping (arm); this is a text, \"x\" (write a list: [x])" + `
`},
	{"nothing", "name:\nrun: ~\narms:\nenv:\nneeds:\nspare:\n", false, `
1:6: error[wrong_type]: ` + "`name` must be a name; nothing stands here" + ` (give it a value or remove the key)
2:6: error[wrong_type]: ` + "`run` must be a text; nothing stands here" + ` (give it a value or remove the key)
3:6: error[wrong_type]: ` + "`arms` must be a list, each item a mapping (arm); nothing stands here" + ` (give it a value or remove the key)
4:5: error[wrong_type]: ` + "`env` must be a mapping, each value a text, a number or true or false; nothing stands here" + ` (give it a value or remove the key)
5:7: error[wrong_type]: ` + "`needs` must be a list, each item an identifier or a mapping, each value a list, each item a text; nothing stands here" + ` (give it a value or remove the key)
6:7: error[wrong_type]: ` + "`spare` must be a mapping; nothing stands here" + ` (give it a value or remove the key)
`},
	{"enum", base + "arms: [{side: lfet}, {side: Up}]\nneeds: {a: [fialed]}\n", false, `
3:15: error[unknown_value]: ` + "`arms[0].side` must be `left` or `right`; this is a text, \"lfet\"" + ` (did you mean "left"?)
3:29: error[unknown_value]: ` + "`arms[1].side` must be `left` or `right`; this is a text, \"Up\"" + `
4:13: error[unknown_value]: ` + "`needs.a[0]` must be `failed` or `skipped`; this is a text, \"fialed\"" + ` (did you mean "failed"?)
`},
	{"forms", "name: My Robot\nid: 1-x\nwarranty: 10 minutes\nbuilt: 2026-02-30\nstarted_at: 2026-01-31\nprice: 1,50\nif: ''\nrun: x\n", false, `
1:7: error[invalid_value]: ` + "`name` must be a name (a-z, 0-9, then also . _ -, at most 63); this is a text, \"My Robot\"" + ` (for example "my-robot")
2:5: error[invalid_value]: ` + "`id` must be an identifier (a letter or _, then letters, digits and _, at most 63); this is a text, \"1-x\"" + ` (for example "_1_x")
3:11: error[invalid_value]: ` + "`warranty` must be a duration such as 90s, 10m or 1h30m; this is a text, \"10 minutes\"" + ` (units are w d h m s ms, the larger first)
4:8: error[invalid_value]: ` + "`built` must be a date such as 2026-01-31; this is a text, \"2026-02-30\"" + `
5:13: error[invalid_value]: ` + "`started_at` must be a date and time such as 2026-01-31T06:30:00Z; this is a text, \"2026-01-31\"" + `
6:8: error[invalid_value]: ` + "`price` must be a decimal number; this is a text, \"1,50\"" + ` (write digits with a point, such as "1234.50")
7:5: error[invalid_value]: ` + "`if` must be an expression; this is empty" + `
`},
	{"bounds", base + "motto: ''\nweight: -0.5\nspare: {side: left, reach: 10, hands: [{side: left}, {side: left}, {side: left}]}\nneeds: []\nenv: {A: 1, B: 2, C: 3, D: 4}\nlimit: 0\n", false, `
3:8: error[out_of_range]: ` + "`motto` must be a text; this is empty" + `
4:9: error[out_of_range]: ` + "`weight` must be at least 0; this is a number, -0.5" + `
5:28: error[out_of_range]: ` + "`spare.reach` must be at most 9; this is an integer, 10" + `
5:39: error[out_of_range]: ` + "`spare.hands` must have at most 2 items; it has 3" + `
6:8: error[out_of_range]: ` + "`needs` must have at least 1 item; it has 0" + `
7:6: error[out_of_range]: ` + "`env` must have at most 3 keys; it has 4" + `
8:8: error[out_of_range]: ` + "`limit` must be at least 1; this is an integer, 0" + `
`},
	{"too long", base + "motto: 12345678901\nspare: {side: left, reach: 1.5}\n", false, `
3:8: error[wrong_type]: ` + "`motto` must be a text; this is an integer, 12345678901" + ` (write it in quotes: "12345678901")
4:28: error[wrong_type]: ` + "`spare.reach` must be an integer; this is a number, 1.5" + `
`},
	{"integers of 64 bits", base + "age: 9223372036854775808\n", true, `
3:6: error[out_of_range]: ` + "`age` must be an integer of at most 63 bits; this is an integer, 9223372036854775808" + `
`},
	{"options", base + "limit: non\nenv: {A: [1]}\nshape: {kind: box, radius: 1}\n", false, `
3:8: error[wrong_type]: ` + "`limit` must be `none`, an integer or a duration such as 90s, 10m or 1h30m; this is a text, \"non\" (did you mean \"none\"?)" + `
4:10: error[wrong_type]: ` + "`env.A` must be a text, a number or true or false; this is a list" + `
5:8: error[missing_field]: ` + "`width` is missing in `shape`" + `
5:20: error[unknown_field]: unknown field "radius" in ` + "`shape`" + ` (known fields: kind, width)
`},
	{"keys", base + "env: {a-b: 1, \"${{ x }}\": 2}\nneeds: {1x: [failed]}\n", false, `
3:7: error[invalid_value]: ` + "the key \"a-b\" of `env` must be an identifier (a letter or _, then letters, digits and _, at most 63)" + ` (for example "a_b")
3:15: error[template_not_allowed]: expressions (${{ }}) cannot stand in a key
4:9: error[invalid_value]: ` + "the key \"1x\" of `needs` must be an identifier (a letter or _, then letters, digits and _, at most 63)" + ` (for example "_1x")
`},
	{"templates", "name: ${{ a }}\nrun: x\nscript: echo ${{ a }}\nage: ${{ a }}\nif: ${{ a }}\nfixed: {a: ['${{ a }}']}\nactive: x ${{ a }}\nspare: x ${{ a }}\nwarranty: ${{ a }}\n", false, `
1:7: error[template_not_allowed]: ` + "expressions (${{ }}) cannot stand in `name`" + ` (write the value itself)
3:9: error[template_not_allowed]: ` + "expressions (${{ }}) cannot stand in `script`" + " (pass the value in `env`)" + `
4:6: error[template_not_allowed]: ` + "expressions (${{ }}) cannot stand in `age`" + ` (write the value itself)
5:5: error[template_not_allowed]: ` + "`if` is an expression by itself" + ` (write it without ${{ and }})
6:13: error[template_not_allowed]: ` + "expressions (${{ }}) cannot stand in `fixed.a[0]`" + ` (write the value itself)
7:9: error[wrong_type]: ` + "`active` must be true or false; ${{ }} beside other characters gives a text" + ` (leave nothing outside of one pair of ${{ and }})
8:8: error[wrong_type]: ` + "`spare` must be a mapping (arm); ${{ }} beside other characters gives a text" + ` (leave nothing outside of one pair of ${{ and }})
9:11: error[template_not_allowed]: ` + "expressions (${{ }}) cannot stand in `warranty`" + ` (write the value itself)
`},
	{"order of units", base + "warranty: 30m1h\n", true, `
3:11: error[invalid_value]: ` + "`warranty` must be a duration such as 90s, 10m or 1h30m; this is a text, \"30m1h\"" + ` (units are w d h m s ms, the larger first)
`},
	{"later and ignored", base + "child: X\npaint: red\n", false, `
3:1: error[not_available_yet]: ` + "`child` is not available yet: child robots come with a later release" + `
3:8: error[invalid_value]: ` + "`child` must be a name (a-z, 0-9, then also . _ -, at most 63); this is a text, \"X\" (for example \"x\")" + `
4:1: warning[ignored_field]: ` + "`paint` has no effect: robots are grey" + `
`},
	{"later", base + "child: x\n", true, `
3:1: error[not_available_yet]: ` + "`child` is not available yet: child robots come with a later release" + `
`},
}

func TestCheck(t *testing.T) {
	t.Parallel()
	o := robot()
	for _, tt := range good {
		t.Run("good/"+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := check(parse(t, tt.text), o); len(got) > 0 {
				t.Errorf("refused:\n%s", lines(got))
			}
		})
	}
	for _, tt := range bad {
		t.Run("bad/"+tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, "\n"+lines(check(parse(t, tt.text), o))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCheckMarksTheText(t *testing.T) {
	t.Parallel()
	got := check(parse(t, base+"scirpt: x\nage: 'ab'\n"), robot())
	if len(got) != 2 || got[0].Length != 6 || got[1].Length != 4 {
		t.Errorf("%+v", got)
	}
	if len(check(nil, robot())) != 0 {
		t.Error("no node gives diagnostics")
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	for _, d := range check(parse(t, base+long+": 1\nenv: {'"+long+"': [1], '': [1]}\nlimit: "+long+"\n"), robot()) {
		if len(d.Message)+len(d.Hint) > 1000 {
			t.Errorf("message of %d bytes: %.100s", len(d.Message), d.Message)
		}
	}
	got := lines(check(parse(t, base+"env: {'': [1]}\n"), robot()))
	if !strings.Contains(got, "`env.` must be") {
		t.Errorf("empty key:\n%s", got)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	n := parse(t, base+"needs: ["+strings.Repeat("1, ", 5000)+"]\n")
	if got := check(n, robot()); len(got) != descriptor.MaxFindings {
		t.Errorf("%d findings", len(got))
	}
	if got := descriptor.CheckValue(n.ToValue(), robot()); len(got) != descriptor.MaxFindings {
		t.Errorf("%d faults", len(got))
	}
}

func TestOnlyWarningsForIgnored(t *testing.T) {
	t.Parallel()
	got := check(parse(t, base+"paint: red\n"), robot())
	if len(got) != 1 || got[0].Severity != diag.Warning || got[0].Code != descriptor.CodeIgnored {
		t.Errorf("%+v", got)
	}
}

// TestEveryWrongKind is row B52 of the bad inputs: every field with a value of
// every kind gives either nothing or errors within the field, and what does not
// fit is never accepted.
func TestEveryWrongKind(t *testing.T) {
	t.Parallel()
	o := robot()
	values := map[string]yamldoc.Kind{
		"null": yamldoc.Null, "true": yamldoc.Bool, "7": yamldoc.Int, "7.5": yamldoc.Float, "'Some text!'": yamldoc.String,
		"[[[]]]": yamldoc.List, "[null]": yamldoc.List, "{Q?: {}}": yamldoc.Map, "{}": yamldoc.Map, "[{}]": yamldoc.List,
	}
	anything := map[string]bool{"data": true, "fixed": true}
	for _, f := range o.Fields {
		accepted := 0
		for text, kind := range values {
			n := parse(t, fmt.Sprintf("%s: %s\n", f.Name, text))
			if n.Entries[0].Value.Kind != kind {
				t.Fatalf("%s is %v", text, n.Entries[0].Value.Kind)
			}
			ok := true
			for _, d := range check(n, o) {
				if d.Severity == diag.Error && (d.Line != 1 || d.Column > 1) {
					ok = false
				}
			}
			if ok {
				accepted++
			}
			if ok && kind == yamldoc.Null && !anything[f.Name] {
				t.Errorf("%s: null accepted", f.Name)
			}
		}
		if anything[f.Name] != (accepted == len(values)) {
			t.Errorf("%s accepts %d of %d values", f.Name, accepted, len(values))
		}
	}
}

func TestCheckValue(t *testing.T) {
	t.Parallel()
	o := robot()
	tests := []struct{ name, json, want string }{
		{"good", `{"name":"r2","run":"echo ${{ not a template }}","age":3.0,"id":null,"data":null,"env":{"A":"${{x}}"}}`, ""},
		{"null counts as absent", `{"name":null,"run":null,"wheels":null,"legs":2}`,
			"missing_field: `name` is missing in the robot\n|missing_field: `run` or `uses` (what it does) is missing in the robot\n"},
		{"texts are not repeated", `{"name":"Secret Name","run":"x","age":"hunter2","motto":"secret secret secret","needs":{"a":["hunter2"]},"limit":"hunter2"}`,
			"name|invalid_value: `name` must be a name (a-z, 0-9, then also . _ -, at most 63); this is a text\n" +
				"age|wrong_type: `age` must be an integer; this is a text\n" +
				"motto|out_of_range: `motto` must be at most 10 characters long; this has 20\n" +
				"needs.a[0]|unknown_value: `needs.a[0]` must be `failed` or `skipped`; this is a text\n" +
				"limit|wrong_type: `limit` must be `none`, an integer or a duration such as 90s, 10m or 1h30m; this is a text\n"},
		{"paths", `{"name":"x","run":"y","arms":[{"side":"left"},{"side":"left","hands":[{"side":1}]}],"bogus":1,"child":"later is checked elsewhere"}`,
			"arms[1].hands[0].side|wrong_type: `arms[1].hands[0].side` must be `left` or `right`; this is an integer\n" +
				"|unknown_field: unknown field \"bogus\" in the robot\n" +
				"child|invalid_value: `child` must be a name (a-z, 0-9, then also . _ -, at most 63); this is a text\n"},
		{"no object", `[1]`, "|wrong_type: the robot must be a mapping; this is a list\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, f := range descriptor.CheckValue(value.MustParse(tt.json), o) {
				fmt.Fprintf(&b, "%s|%s: %s\n", f.Path, f.Code, f.Message)
			}
			want := tt.want
			if strings.HasPrefix(want, "missing") {
				want = "|" + want
			}
			if d := cmp.Diff(want, b.String()); d != "" {
				t.Error(d)
			}
		})
	}
	if got := descriptor.CheckValue(value.Undefined, o); len(got) != 1 || got[0].Code != descriptor.CodeWrongType {
		t.Errorf("undefined: %v", got)
	}
}

// FuzzCheck: no file makes the descriptor's functions panic, and everything
// reported has a place in the file.
func FuzzCheck(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.text))
	}
	for _, tt := range bad {
		f.Add([]byte(tt.text))
	}
	o := robot()
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, _ := yamldoc.Parse("f.yaml", text)
		for _, doc := range docs {
			for _, d := range check(doc, o) {
				if d.Line < 1 || d.Column < 1 || d.File != "f.yaml" || d.Message == "" || d.Code == "" {
					t.Fatalf("%+v", d)
				}
			}
			descriptor.Texts(doc, o, func(x descriptor.Text) {
				if x.Path == "" || x.Type == nil {
					t.Fatalf("%+v", x)
				}
			})
			v := doc.ToValue()
			descriptor.CheckValue(v, o)
			descriptor.Fill(v, o)
		}
	})
}
