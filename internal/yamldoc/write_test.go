package yamldoc_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func text(s string) *yamldoc.Draft { return &yamldoc.Draft{Kind: yamldoc.String, Text: s} }

func TestWrite(t *testing.T) {
	t.Parallel()
	flow := &yamldoc.Draft{Kind: yamldoc.List, Style: yamldoc.Flow, Items: []*yamldoc.Draft{text("12"), {Text: "12"}, text("no")}}
	step := &yamldoc.Draft{Kind: yamldoc.Map, Comment: "one\r2\nthree"}
	step.Put("run", text("a\nb\n"))
	doc := &yamldoc.Draft{Kind: yamldoc.Map}
	doc.Put("list", flow)
	doc.Put("steps", &yamldoc.Draft{Kind: yamldoc.List, Items: []*yamldoc.Draft{step}})
	got, err := yamldoc.Write(doc)
	if err != nil {
		t.Fatal(err)
	}
	const want = `list: ['12', 12, no]
steps:
# one 2
# three
- run: |
    a
    b
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWriteKeepsTexts: whatever a text is, it is read as it was written. NUL
// cannot be read.
func TestWriteKeepsTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
		key, s := texts.Draw(t, "key"), texts.Draw(t, "text")
		inner := &yamldoc.Draft{Kind: yamldoc.Map, Comment: rapid.String().Draw(t, "comment")}
		inner.Put(key, text(s))
		doc := &yamldoc.Draft{Kind: yamldoc.Map}
		doc.Put("in", inner)
		written, err := yamldoc.Write(doc)
		if err != nil {
			t.Fatal(err)
		}
		docs, problems := yamldoc.Parse("x.yaml", written)
		if len(problems) > 0 || len(docs) != 1 {
			t.Fatalf("%v\n%q", problems, written)
		}
		if got := docs[0].Get("in").ToValue(); !value.Equal(got, value.Object(value.M(key, value.String(s)))) {
			t.Fatalf("got %s of %q", got, written)
		}
	})
}
