package native

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
)

// testDocument is the first document of a test file.
func testDocument(tb testing.TB, name string) []byte {
	tb.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		tb.Fatal(err)
	}
	return archive.Files[0].Data
}

// FuzzLoad loads any text: it never panics, every diagnostic stands in the
// file, and a workflow without errors is one that the engine takes.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		f.Add(testDocument(f, strings.TrimSuffix(filepath.Base(name), ".txtar")))
	}
	languages := map[string]expr.Language{cel.Name: cel.New()}
	cfg := testConfig()
	f.Fuzz(func(t *testing.T, text []byte) {
		set, problems := Load(cfg, []Source{{Path: "x.yaml", Text: text}})
		lines := strings.Count(string(text), "\n") + 1
		for _, p := range problems {
			if p.File != "x.yaml" || p.Line < 1 || p.Line > lines || p.Column < 1 || p.Code == "" || p.Message == "" {
				t.Errorf("diagnostic %+v", p)
			}
		}
		if diag.HasErrors(problems) {
			return
		}
		for _, w := range set.Workflows {
			if _, err := engine.Prepare(w.Program, languages); err != nil {
				t.Errorf("the engine refuses the program: %v", err)
			}
		}
	})
}
