package descriptor_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/descriptor"
)

var update = flag.Bool("update", false, "rewrite testdata/robot.md")

func TestMarkdown(t *testing.T) {
	t.Parallel()
	const golden = "testdata/robot.md"
	got := descriptor.Markdown(robot())
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("run with -update and read the difference:\n%s", d)
	}
}

// TestMarkdownLinks: every link leads to a heading, and every object has one.
func TestMarkdownLinks(t *testing.T) {
	t.Parallel()
	type T = descriptor.Type
	one := &descriptor.Object{Name: "HTTP Request"}
	two := &descriptor.Object{Name: "http request"}
	root := &descriptor.Object{Name: "a.b", Fields: []descriptor.Field{
		{Name: "one", Type: T{Kind: descriptor.Struct, Object: one}}, {Name: "two", Type: T{Kind: descriptor.Map, Elem: &T{Kind: descriptor.Struct, Object: two}}},
		{Name: "self", Type: T{Kind: descriptor.OneOf, Options: []T{{Kind: descriptor.Boolean}, {Kind: descriptor.List, Elem: &T{Kind: descriptor.Struct}}}}},
	}}
	root.Fields[2].Type.Options[1].Elem.Object = root
	page := descriptor.Markdown(root)
	var links []string
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		links = append(links, m[1])
	}
	if got, want := strings.Join(links, " "), "http-request http-request-1 ab"; got != want {
		t.Errorf("links %q, want %q", got, want)
	}
	if got := strings.Count(page, "## "); got != 3 {
		t.Errorf("%d headings, want 3:\n%s", got, page)
	}
}
