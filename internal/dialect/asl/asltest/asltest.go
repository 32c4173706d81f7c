package asltest

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// CompareMisses compares the cases that fail, with why, with the list in a file,
// which must be exact; with update it writes the list.
func CompareMisses(t *testing.T, misses map[string]string, missesFile string, update bool) {
	t.Helper()
	lines := slices.Sorted(maps.Keys(misses))
	if update {
		if err := os.WriteFile(missesFile, []byte(strings.Join(append(lines, ""), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(missesFile)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, id := range lines {
		if !slices.Contains(known, id) {
			t.Errorf("%s: %s", id, misses[id])
		} else {
			t.Logf("known miss %s: %s", id, misses[id])
		}
	}
	for _, id := range known {
		if id != "" && misses[id] == "" {
			t.Errorf("%s passes now; take it out of %s", id, missesFile)
		}
	}
}

// ReadCases reads the cases of all files in the folder, in the order of their
// names.
func ReadCases(t *testing.T, dir string) []value.Value {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	var out []value.Value
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			v, err := value.Parse(lines.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Documents reads the documents of a YAML file.
func Documents(t testing.TB, name string) []*yamldoc.Node {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	docs, problems := yamldoc.Parse(name, text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return docs
}
