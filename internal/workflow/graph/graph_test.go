package graph_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/workflow/graph"
)

var update = flag.Bool("update", false, "rewrite what is wanted")

// TestOf draws testdata/*.txtar: a definition, then its graph, indented by what
// lies in what.
func TestOf(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p := compile(t, archive.Files[0])
			got := show(t, graph.Of(p, asl.Words))
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "graph", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 || string(archive.Files[1].Data) != got {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func compile(t *testing.T, f txtar.File) *workflow.Program {
	t.Helper()
	if strings.Contains(f.Name, ".asl.") {
		lang := jsonata.New(jsonata.Config{AWS: true})
		m, problems := asl.Read(asl.Config{JSONata: lang}, f.Name, f.Data)
		if asl.HasErrors(problems) {
			t.Fatal(problems)
		}
		p, _ := asl.Compile(asl.CompileConfig{Name: "x", JSONata: lang, Target: func(asl.Resource) (asl.Target, bool) {
			return asl.Target{Uses: "http.request"}, true
		}}, m)
		return p
	}
	set, problems := native.Load(native.Config{Expr: cel.New()}, []native.Source{{Path: f.Name, Text: f.Data}})
	if diag.HasErrors(problems) {
		t.Fatal(problems)
	}
	return set.Workflows[0].Program
}

// show writes a graph down, and checks that what is named is there.
func show(t *testing.T, g *graph.Graph) string {
	t.Helper()
	var b strings.Builder
	depth := map[string]int{"": -1}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		around, ok := depth[n.Parent]
		if _, twice := depth[n.ID]; !ok || twice {
			t.Errorf("node %q in %q: twice, or before what it lies in", n.ID, n.Parent)
		}
		depth[n.ID] = around + 1
		fmt.Fprintf(&b, "%s%s: %s", strings.Repeat("  ", around+1), n.ID, n.Kind)
		for _, of := range []struct{ key, text string }{
			{"shape", n.Shape}, {"role", string(n.Role)}, {"name", n.Name}, {"label", n.Label}, {"uses", n.Uses}, {"if", n.Condition}, {"join", n.Join},
		} {
			plain := of.text == "" || of.key == "role" && n.Role == graph.RoleStep || of.key == "name" && strings.HasSuffix(n.ID, of.text) || of.key == "shape" && of.text == n.Kind
			if !plain {
				fmt.Fprintf(&b, " %s=%q", of.key, of.text)
			}
		}
		if n.Start {
			b.WriteString(" start")
		}
		if n.Recursive {
			b.WriteString(" recursive")
		}
		if n.Line > 0 {
			fmt.Fprintf(&b, " :%d", n.Line)
		}
		b.WriteString("\n")
	}
	for _, e := range g.Edges {
		for _, end := range []string{e.From, e.To} {
			if _, ok := depth[end]; !ok {
				t.Errorf("edge %v leads nowhere", e)
			}
		}
		fmt.Fprintf(&b, "%s -> %s (%s) %s\n", e.From, e.To, e.Kind, e.Label)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestNodeOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "", "a": "a", "a/b": "a/b", "settle[0]/pay~2": "settle[]/pay", "poll[12]~3/ask#2": "poll[]/ask", "a/on_error#2/b": "a/on_error/b",
		"a~2/retry[1]#3": "a/retry[]", "a%7E1/b": "a%7E1/b", "m[0][3]": "m[][]", "a[": "a[", "a~": "a",
	} {
		if got := graph.NodeOf(path); got != want {
			t.Errorf("%q is of %q, not %q", path, got, want)
		}
	}
}

// TestBounded: bodies that call each other many times over are drawn up to a
// bound, and one that calls itself once.
func TestBounded(t *testing.T) {
	t.Parallel()
	p := &workflow.Program{Language: "test"}
	const levels = 12
	for level := range levels {
		var b workflow.Body
		for i := range 4 {
			n := workflow.Node{ID: fmt.Sprint("n", i), Kind: workflow.KindPass}
			if level < levels-1 {
				n.Kind, n.Call = workflow.KindCall, &workflow.Call{Body: workflow.BodyID(level + 1)}
			}
			b.Nodes = append(b.Nodes, n)
		}
		p.Bodies = append(p.Bodies, b)
	}
	if g := graph.Of(p, nil); len(g.Nodes) != graph.MaxNodes || !g.Truncated {
		t.Errorf("%d nodes, truncated: %v", len(g.Nodes), g.Truncated)
	}
	self := &workflow.Program{Bodies: []workflow.Body{{Nodes: []workflow.Node{{ID: "again", Kind: workflow.KindCall, Call: &workflow.Call{}}}}}}
	if g := graph.Of(self, nil); len(g.Nodes) != 1 || !g.Nodes[0].Recursive || g.Truncated {
		t.Errorf("%+v", g)
	}
	long := &workflow.Program{Bodies: []workflow.Body{{Nodes: []workflow.Node{{
		ID: "a", Kind: workflow.KindPass, If: &workflow.Expr{Source: strings.Repeat("é", graph.MaxText)},
	}}}}}
	if text := graph.Of(long, nil).Nodes[0].Condition; len(text) > graph.MaxText+len("…") || slices.Contains([]rune(text), '\uFFFD') {
		t.Errorf("a condition of %d bytes", len(text))
	}
}
