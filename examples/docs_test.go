package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// definition is a block of a page that is a file: its first line names it.
var definition = regexp.MustCompile("(?ms)^```yaml\n(# ([a-z]+)((?:\\.test)?\\.yaml)\n.*?)^```$")

// The definitions of the pages are valid, and their tests pass.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"../docs/getting-started.md", "../README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		root, folders := t.TempDir(), map[string]string{}
		for _, block := range definition.FindAllStringSubmatch(string(text), -1) {
			dir := filepath.Join(root, block[2])
			folders[block[2]] = dir
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, block[2]+block[3]), []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if len(folders) == 0 {
			t.Errorf("%s: found no definition", page)
		}
		for name, dir := range folders {
			t.Run(filepath.Base(page)+"/"+name, func(t *testing.T) {
				t.Parallel()
				checkFolder(t, dir)
			})
		}
	}
}

// Links between pages lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, page := range pages(t, "../*.md", "../docs/*.md", "../deploy/*.md", "*/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
			}
		}
	}
}

// pages are the files that the globs name.
func pages(t *testing.T, globs ...string) []string {
	t.Helper()
	var out []string
	for _, glob := range globs {
		found, err := filepath.Glob(glob)
		if err != nil || len(found) == 0 {
			t.Fatalf("glob %s: found %d pages, %v", glob, len(found), err)
		}
		out = append(out, found...)
	}
	return out
}
