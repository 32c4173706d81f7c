package project

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundle(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"eod.yaml": "", "scripts/a.sh": "aaa", "scripts/sub/b.sh": "b", "scripts/.hidden": "", "scripts/.git/config": "",
		"sql/x.sql": "", "sql/y.txt": "", "sql/deep/z.sql": "", ".env": "", "top.sh": "",
	}
	for _, c := range []struct {
		patterns []string
		want     string // files, then faults
	}{
		{[]string{"scripts/**"}, "scripts/a.sh scripts/sub/b.sh"},
		{[]string{"sql/*.sql", "sql/*"}, "sql/x.sql sql/y.txt"},
		{[]string{"**/*.sql"}, "sql/deep/z.sql sql/x.sql"},
		{[]string{"**/**/**/*.sql"}, "sql/deep/z.sql sql/x.sql"},
		{[]string{"**"}, "eod.yaml scripts/a.sh scripts/sub/b.sh sql/deep/z.sql sql/x.sql sql/y.txt top.sh"},
		{[]string{".env", "scripts/.hidden"}, ".env scripts/.hidden"},
		{[]string{"./top.sh"}, "top.sh"},
		{[]string{"[t]op.??"}, "top.sh"},
		{[]string{"top.sh", "none/**", "*.none"}, `top.sh; 1: the pattern "none/**" matches no file; 2: the pattern "*.none" matches no file`},
		{[]string{"sql"}, `; 0: the pattern "sql" matches no file (for all files of the folder write sql/**)`},
		{[]string{"../x"}, `; 0: the pattern "../x" leaves its folder`},
		{[]string{"a/../../x"}, `; 0: the pattern "a/../../x" leaves its folder`},
		{[]string{"/etc/passwd"}, `; 0: the pattern "/etc/passwd" is not a relative path with slashes`},
		{[]string{`a\b`}, `; 0: the pattern "a\\b" is not a relative path with slashes`},
		{[]string{""}, `; 0: the pattern "" is empty`},
		{[]string{"[a"}, `; 0: the pattern "[a" is malformed`},
	} {
		t.Run(strings.Join(c.patterns, " "), func(t *testing.T) {
			t.Parallel()
			dir := tree(t, files)
			got := summary(filepath.Join(dir, "eod.yaml"), c.patterns)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func summary(definition string, patterns []string) string {
	files, faults := Bundle(definition, patterns)
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	out := strings.Join(names, " ")
	for _, f := range faults {
		out += fmt.Sprintf("; %d: %s", f.Pattern, f.Message)
		if strings.HasPrefix(f.Hint, "for all") {
			out += " (" + f.Hint + ")"
		}
	}
	return out
}

func TestBundleKeepsContentAndMode(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a.sh": "abc", "b.txt": ""})
	if err := os.Chmod(filepath.Join(dir, "a.sh"), 0o4751); err != nil {
		t.Fatal(err)
	}
	files, faults := Bundle(filepath.Join(dir, "x.yaml"), []string{"*"})
	if len(faults) != 0 || len(files) != 2 {
		t.Fatalf("files %v, faults %v", files, faults)
	}
	a, b := files[0], files[1]
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if string(a.Data) != "abc" || a.SHA256 != abc || a.Mode != 0o755 || b.Mode != 0o644 || len(b.Data) != 0 {
		t.Errorf("files %+v", files)
	}
}

func TestBundleDoesNotLeaveTheFolder(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret": "s", "dir/x": "x"})
	dir := tree(t, map[string]string{"real": "r"})
	for name, target := range map[string]string{"out": filepath.Join(outside, "secret"), "in": "real", "folder": filepath.Join(outside, "dir")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	files, faults := Bundle(filepath.Join(dir, "x.yaml"), []string{"**"})
	var names []string
	for _, f := range files {
		names = append(names, f.Path+"="+string(f.Data))
	}
	if got := strings.Join(names, " "); got != "in=r real=r" {
		t.Errorf("files %s", got)
	}
	if len(faults) != 2 || !strings.Contains(faults[0].Message, "folder") || !strings.Contains(faults[1].Message, "out") {
		t.Errorf("faults %v", faults)
	}
}

func TestBundleBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sparse := func(name string, size int64) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sparse("large", MaxBundleFile+1)
	if got := summary(filepath.Join(dir, "x.yaml"), []string{"large"}); got != "; 0: the file large is larger than 16 MiB" {
		t.Error(got)
	}
	for i := range 5 {
		sparse(fmt.Sprintf("full%d", i), MaxBundleFile)
	}
	if got := summary(filepath.Join(dir, "x.yaml"), []string{"full*", "large"}); got != "full0 full1 full2 full3; 0: the bundle is larger than 64 MiB" {
		t.Error(got)
	}
}
