package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/guarantees.md names exists: tests, invariants, scripts, sessions.
func TestGuarantees(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	tests := regexp.MustCompile("`([a-z0-9/_]+)\\.(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(page, -1)
	if len(tests) < 40 {
		t.Errorf("only %d tests are named", len(tests))
	}
	for _, m := range tests {
		if !folderHas(t, filepath.Join("..", m[1], "*_test.go"), "func "+m[2]+"(t *testing.T)") {
			t.Errorf("there is no %s in %s", m[2], m[1])
		}
	}
	for line := range strings.SplitSeq(page, "\n") {
		for _, kind := range []struct{ word, glob, text string }{
			{"invariant", "../internal/sim/invariant.go", "= \"NAME\""},
			{"script", "../internal/engine/testdata/NAME.txtar", ""},
			{"session", "../internal/cli/testdata/script/NAME.txtar", ""},
		} {
			named := regexp.MustCompile(kind.word+"s? (`[^`]+`(?:(?:, | and )`[^`./]+`)*)").FindAllStringSubmatch(line, -1)
			for _, m := range named {
				for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
					glob := strings.ReplaceAll(kind.glob, "NAME", name[1])
					if !folderHas(t, glob, strings.ReplaceAll(kind.text, "NAME", name[1])) {
						t.Errorf("there is no %s %s", kind.word, name[1])
					}
				}
			}
		}
	}
	for _, g := range []string{"G1 ", "G2 ", "G3 ", "G4 ", "G5 ", "G6 ", "G7 ", "G8 ", "G9 ", "G10 "} {
		if !strings.Contains(page, "\n## "+g) {
			t.Errorf("%sis missing", g)
		}
	}
}

// What docs/guarantees.md has people run exists too: targets of make, and files
// and folders.
func TestGuaranteesCanBeRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	targets := regexp.MustCompile("`make ([^`]+)`").FindAllStringSubmatch(string(page), -1)
	places := regexp.MustCompile("`((?:scripts|cmd|internal)/[a-z0-9_./-]+)`").FindAllStringSubmatch(string(page), -1)
	if len(targets) < 2 || len(places) < 5 {
		t.Errorf("only %d targets and %d places are named", len(targets), len(places))
	}
	for _, m := range targets {
		if !folderHas(t, "../Makefile", "\n"+m[1]+": ") {
			t.Errorf("make has no target %s", m[1])
		}
	}
	for _, m := range places {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Error(err)
		}
	}
}

// folderHas reports whether a file that the glob names has the text.
func folderHas(t *testing.T, glob, text string) bool {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return true
		}
	}
	return false
}
