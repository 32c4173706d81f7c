package yamldoc

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

// TestAt looks for § in the text of the value under a, and says where At finds
// it in the file.
func TestAt(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain", "a: xx §\n", "1:7"},
		{"plain after wide characters", "é😀: 1\na: 'é😀' \nb: 2\n", ""},
		{"plain after wide characters in the value", "a: é😀 §\n", "1:7"},
		{"single quoted", "a: 'xx §'\n", "1:8"},
		{"single quoted with quotes", "a: 'it''s §'\n", "1:11"},
		{"double quoted", "a: \"xx §\"\n", "1:8"},
		{"double quoted with escapes", `a: "x\t\"\\\n\u00e9\x41\U0001F600\/ §"`, "1:37"},
		{"double quoted with a rare escape", `a: "x\e §"`, "1:4"},
		{"JSON", `{"a": "x\ud83d\ude00 §"}`, "1:22"},
		{"anchor and tag", "a: &x !!str xx §\n", "1:16"},
		{"tag on its own line", "a: !!str\n  xx §\n", "2:6"},
		{"literal", "a: |\n  x\n\n   y §\n", "4:6"},
		{"literal with indentation indicator", "a: |2-\n    x §\n", "2:7"},
		{"literal with comment and CRLF", "a: | # text\r\n  x\r\n  y §\r\n", "3:5"},
		{"literal after an anchor", "a: &x |\n  x §\n", "2:5"},
		{"literal in a list", "a:\n  - |\n    x\n    y §\n", "4:7"},
		{"folded", "a: >-\n  x\n  y\n\n  z §\n", "5:5"},
		{"folded with comment", "a: > # text\n  x §\n", "2:5"},
		{"plain over lines", "a: x\n  y §\n", "2:5"},
		{"double quoted over lines", "a: \"x\n\n  y §\"\n", "3:5"},
		{"double quoted with line continuation", "a: \"x\\\n  y §\"\n", "1:4"},
		{"plain in flow", "{a: [x, y §]}", "1:11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			docs, problems := Parse("f", []byte(tt.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			n := docs[0].Get("a")
			for n.Kind == List {
				n = n.Items[len(n.Items)-1]
			}
			i := strings.Index(n.Text, "§")
			if i < 0 {
				if tt.want != "" {
					t.Fatalf("no § in %q", n.Text)
				}
				return
			}
			at := n.At(i)
			if got := fmt.Sprintf("%d:%d", at.Line, at.Column); got != tt.want || at.File != "f" {
				t.Errorf("%s:%s, want %s", at.File, got, tt.want)
			}
		})
	}
}

func TestAtOutside(t *testing.T) {
	t.Parallel()
	docs, _ := Parse("f", []byte("a: [x]\n"))
	list := docs[0].Get("a")
	for _, offset := range []int{-1, 2, 1 << 40} {
		if got := list.Items[0].At(offset); got != list.Items[0].Pos {
			t.Errorf("At(%d) = %v", offset, got)
		}
	}
	if got := list.At(0); got != list.Pos {
		t.Errorf("of a list: %v", got)
	}
	if got, want := list.Items[0].At(1), (diag.Pos{File: "f", Line: 1, Column: 6}); got != want {
		t.Errorf("end of text: %v, want %v", got, want)
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	docs, problems := Parse("f", []byte("a: café\n'b c': \"x\\ny\"\nc: 'it''s'\nd: |\n  x\ne: [1]\nf:\ng: 012\n"))
	if diag.HasErrors(problems) {
		t.Fatal(problems)
	}
	want := map[string]int{"a": 4, "b c": 6, "c": 7, "d": 1, "e": 1, "f": 1, "g": 3}
	for _, e := range docs[0].Entries {
		if got := e.Value.Length(); got != want[e.Key.Text] {
			t.Errorf("%s: %d, want %d", e.Key.Text, got, want[e.Key.Text])
		}
	}
	if got := docs[0].Entry("b c").Key.Length(); got != 5 {
		t.Errorf("quoted key: %d, want 5", got)
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	docs, _ := Parse("f", []byte("a: {b: 1}\nc: [x, 'y']\n"))
	doc := docs[0]
	if got := strings.Join(doc.Keys(), " "); got != "a c" {
		t.Errorf("keys %q", got)
	}
	if got := doc.Get("a").Get("b").Text; got != "1" {
		t.Errorf("a.b = %q", got)
	}
	if doc.Get("x") != nil || doc.Get("x").Get("y") != nil || doc.Get("c").Get("x") != nil || doc.Get("c").Keys() != nil {
		t.Error("absent keys are not nil")
	}
	var none *Node
	if !none.ToValue().IsUndefined() {
		t.Error("value of no node is not undefined")
	}
	items := doc.Get("c").Items
	if items[0].Quoted() || !items[1].Quoted() || !items[0].IsScalar() || doc.Get("c").IsScalar() || doc.Quoted() {
		t.Error("Quoted or IsScalar wrong")
	}
	if got := doc.Get("c").Kind.String(); got != "a list" {
		t.Errorf("kind %q", got)
	}
}

func TestFromValue(t *testing.T) {
	t.Parallel()
	v := value.MustParse(`{"n":null,"b":true,"i":-3,"big":18446744073709551616,"f":1.5,"s":"012","l":[1,[]],"o":{"k":{}}}`)
	n := FromValue(v)
	if !value.Equal(n.ToValue(), v) {
		t.Errorf("%s, want %s", n.ToValue(), v)
	}
	docs, _ := Parse("f", []byte(v.String()))
	for i, e := range docs[0].Entries {
		got := n.Entries[i]
		if got.Key.Text != e.Key.Text || got.Value.Kind != e.Value.Kind || got.Value.Kind != Null && got.Value.Text != e.Value.Text || got.Value.IsScalar() != e.Value.IsScalar() {
			t.Errorf("%s: %+v, want %+v", e.Key.Text, got.Value, e.Value)
		}
	}
	if s := n.Get("s"); s.At(1) != s.Pos || s.Length() != 1 {
		t.Error("a node without file has positions")
	}
	if FromValue(value.Undefined).Kind != Null {
		t.Error("undefined is not null")
	}
}

// FuzzParse: no text makes Parse panic; what it returns is bounded; every
// position lies in the file; and where At leads away from a scalar's start, the
// character of Text stands there, or an escape.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: [x, 'y', \"z\\n\"]\nc: |\n  x\n  y\n", "a: &a {x: >\n  y\n}\nb: *a", "{\"a\": [1e3, -0, \"\\ud83d\\ude00\"]}",
		"? x\n: - y\n  - !!str 12\n", "a: 'x\n\n  y'' z'\r\nb: \"\\\n  q\"\r\n", "é: \u2028x\n---\n...\n%YAML 1.2\n---\n~", "&a : *a", "a: |2+\n   x\n\n\n# c\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, problems := Parse("f", text)
		lines := strings.Split(string(text), "\n")
		inside := func(what string, pos diag.Pos) {
			if pos.Line < 1 || pos.Line > len(lines) || pos.Column < 1 || pos.Column > utf8.RuneCountInString(lines[pos.Line-1])+1 {
				t.Fatalf("%s at %v, outside of the file", what, pos)
			}
		}
		for _, p := range problems {
			inside(p.Message, diag.Pos{Line: p.Line, Column: p.Column})
		}
		if !diag.HasErrors(problems) && len(docs) == 0 && strings.ContainsAny(string(text), "abc") && !strings.ContainsAny(string(text), "#%") {
			t.Fatal("neither documents nor problems")
		}
		nodes := 0
		var walk func(n *Node, depth int)
		walk = func(n *Node, depth int) {
			if nodes++; nodes > MaxNodes || depth > MaxDepth {
				t.Fatalf("%d nodes, %d levels", nodes, depth)
			}
			inside("node", n.Pos)
			if n.IsScalar() {
				checkAt(t, n, lines, inside)
			}
			for _, item := range n.Items {
				walk(item, depth+1)
			}
			for _, e := range n.Entries {
				walk(e.Key, depth+1)
				walk(e.Value, depth+1)
			}
		}
		for _, doc := range docs {
			walk(doc, 1)
			doc.ToValue()
		}
	})
}

func checkAt(t *testing.T, n *Node, lines []string, inside func(string, diag.Pos)) {
	for i, r := range n.Text {
		at := n.At(i)
		inside("At", at)
		if at == n.Pos || isSpace(byte(r)) || r == 0x85 || r == 0x2028 || r == 0x2029 {
			continue
		}
		line := []rune(lines[at.Line-1])
		if at.Column > len(line) || line[at.Column-1] != r && line[at.Column-1] != '\\' {
			t.Fatalf("At(%d) of %q is %v, where %q does not stand", i, n.Text, at, r)
		}
	}
	n.Length()
}
