package archtest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/regie-dev/regie/internal/archtest"
)

var update = flag.Bool("update", false, "rewrite the wanted violations in testdata")

// root is the folder of Regie's module.
const root = "../.."

func TestRegieKeepsItsLayers(t *testing.T) {
	t.Parallel()
	violations, err := archtest.Check(os.DirFS(root), archtest.Regie())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

func TestRegieOrdersItsMaps(t *testing.T) {
	t.Parallel()
	violations, err := archtest.MapOrder(t.Context(), root, archtest.Regie())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

// fakeRules cut the modules in testdata.
var fakeRules = archtest.Rules{
	Module: "example.com/m",
	Layers: []archtest.Layer{
		{Name: "top", Packages: []string{"cmd/..."}},
		{Name: "service", Packages: []string{"service/..."}, Neighbours: true},
		{Name: "adapter", Packages: []string{"adapter/..."}},
		{Name: "test support", Packages: []string{"adapter/suite"}, TestOnly: true, Neighbours: true},
		{Name: "contract", Packages: []string{"contract"}},
		{Name: "pure", Packages: []string{"pure/..."}, Neighbours: true, Pure: true},
	},
	PureStd:     []string{"fmt", "strings", "time"},
	PureModules: []string{"example.com/parser"},
	PureNames:   map[string][]string{"time": {"Now", "Since"}, "fmt": {"Println"}},
	Ordered:     []string{"ordered/...", "absent/..."},
}

// Each file in testdata/check holds a module and, in "want", the violations
// that it has.
func TestCheck(t *testing.T) {
	t.Parallel()
	eachArchive(t, "check", func(_ *testing.T, files []txtar.File) ([]archtest.Violation, error) {
		tree := fstest.MapFS{}
		for _, f := range files {
			tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		return archtest.Check(tree, fakeRules)
	})
}

// Each file in testdata/maporder holds a module that compiles and, in "want",
// the violations that it has.
func TestMapOrder(t *testing.T) {
	t.Parallel()
	eachArchive(t, "maporder", func(t *testing.T, files []txtar.File) ([]archtest.Violation, error) {
		dir := t.TempDir()
		if err := txtar.Write(&txtar.Archive{Files: files}, dir); err != nil {
			t.Fatal(err)
		}
		return archtest.MapOrder(t.Context(), dir, fakeRules)
	})
}

func eachArchive(t *testing.T, folder string, check func(*testing.T, []txtar.File) ([]archtest.Violation, error)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no test data in %s", folder)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := len(archive.Files) - 1
			if last < 0 || archive.Files[last].Name != "want" {
				t.Fatal(`the last file must be "want"`)
			}
			violations, err := check(t, archive.Files[:last])
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, v := range violations {
				got.WriteString(v.String() + "\n")
			}
			if *update {
				archive.Files[last].Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[last].Data), got.String()); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckRefusesPatternTwice(t *testing.T) {
	t.Parallel()
	rules := archtest.Rules{Layers: []archtest.Layer{
		{Name: "a", Packages: []string{"x", "y"}},
		{Name: "b", Packages: []string{"x"}},
	}}
	violations, err := archtest.Check(fstest.MapFS{}, rules)
	if err != nil {
		t.Fatal(err)
	}
	want := []archtest.Violation{{File: "rules", What: "x stands in the table twice; keep one"}}
	if diff := cmp.Diff(want, violations); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestCheckReportsUnreadableSource(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{"pure/a/a.go": {Data: []byte("package")}}
	if _, err := archtest.Check(tree, fakeRules); err == nil {
		t.Error("no error for a file that cannot be parsed")
	}
}
