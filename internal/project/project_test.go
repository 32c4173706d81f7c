package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files, by their paths, into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func paths(t *testing.T, dir string, p *Project) string {
	t.Helper()
	var out []string
	for _, s := range p.Sources {
		rel, err := filepath.Rel(dir, s.Path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, filepath.ToSlash(rel)+" "+s.Language)
	}
	return strings.Join(out, "\n")
}

func TestOpenFindsDefinitionsOfAFolder(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		"b.yaml":               "# comment\nkind: Workflow\n",
		"a.yml":                "name: x\n---\nkind: Workflow\n",
		"sub/deep/c.json":      `{"name": "x", "kind": "Workflow"}`,
		"sub/d.json":           "{\n  \"kind\": \"Workflow\"}",
		"a.test.yaml":          "kind: Workflow\n",
		"a.test.yml":           "kind: Workflow\n",
		"sub/broken.json":      `{"kind": "Workflow",}`,
		"pod.json":             `{"kind": "Pod", "apiVersion": "v1"}`,
		"list.json":            `[{"kind": "Workflow"}]`,
		"package.json":         `{"name": "x"}`,
		"compose.yaml":         "services: {}\n",
		"pod.yaml":             "apiVersion: v1\nkind: Pod\n",
		"notes.txt":            "kind: Workflow\n",
		".hidden/e.yaml":       "kind: Workflow\n",
		".f.yaml":              "kind: Workflow\n",
		"node_modules/g.yaml":  "kind: Workflow\n",
		"sub/nested.yaml":      "a:\n  kind: Workflow\n",
		"sub/yaml-folder.yaml": "kind: Workflow\n",
	})
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "a.yml native\nb.yaml native\nsub/broken.json native\nsub/d.json native\nsub/deep/c.json native\nsub/yaml-folder.yaml native"
	if got := paths(t, dir, p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOpenTakesNamedFilesAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"compose.yaml": "services: {}\n", "a.yaml": "kind: Workflow\n"})
	p, err := Open(filepath.Join(dir, "compose.yaml"), dir, filepath.Join(dir, "a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := paths(t, dir, p), "compose.yaml native\na.yaml native"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	if _, err := Open(empty); !errors.Is(err, ErrNoDefinition) || !strings.Contains(err.Error(), empty) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Open(filepath.Join(empty, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestOpenFollowsLinksWithinTheFolderOnly(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret.yaml": "kind: Workflow\n"})
	dir := tree(t, map[string]string{"real/a.yaml": "kind: Workflow\n"})
	for name, target := range map[string]string{"out.yaml": filepath.Join(outside, "secret.yaml"), "in.yaml": "real/a.yaml", "linked": outside} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := paths(t, dir, p), "in.yaml native\nreal/a.yaml native"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOpenReadsNoMoreThanALanguageTakes(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a.yaml": "kind: Workflow\n" + strings.Repeat("#\n", 2<<20)})
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, problems := Load(Config{}, p.Sources)
	if len(problems) != 1 || problems[0].Code != "yaml_limit" {
		t.Errorf("problems %v", problems)
	}
}
