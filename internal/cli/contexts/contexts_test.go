package contexts_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/cli/contexts"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "regie", "contexts.yaml")
	empty, err := contexts.Load(path)
	if err != nil || len(empty.Contexts) != 0 {
		t.Fatalf("load of nothing: %+v, %v", empty, err)
	}
	want := &contexts.File{Current: "prod"}
	want.Put(contexts.Context{Name: "prod", Server: "https://a.example", Namespace: "pay", User: "ada", Token: "t: \"#1\" <\u2028>", TokenID: "x", CA: "-----BEGIN\nline\n"})
	want.Put(contexts.Context{Name: "dev", Server: "http://127.0.0.1:7373", Fingerprint: "00ff"})
	want.Put(contexts.Context{Name: "dev", Server: "http://127.0.0.1:1"})
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := contexts.Load(path)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("loaded (-want +got):\n%s, %v", diff, err)
	}
	if diff := cmp.Diff([]string{"dev", "prod"}, got.Names()); diff != "" {
		t.Errorf("names: %s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := (&contexts.File{}).Save(path); err != nil {
		t.Fatal(err)
	}
	if none, err := contexts.Load(path); err != nil || len(none.Contexts) != 0 {
		t.Errorf("load of no contexts: %+v, %v", none, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files beside it: %v, %v", left, err)
	}
	got.Remove("prod")
	if got.Find("prod") != nil || got.Current != "" || got.Of("http://127.0.0.1:1") == nil {
		t.Errorf("after Remove: %+v", got)
	}
}

func TestOfPrefersTheCurrentOne(t *testing.T) {
	t.Parallel()
	f := &contexts.File{Current: "b", Contexts: []contexts.Context{{Name: "a", Server: "s"}, {Name: "b", Server: "s"}}}
	if got := f.Of("s"); got == nil || got.Name != "b" {
		t.Errorf("Of: %+v", got)
	}
	if got := f.Of("other"); got != nil {
		t.Errorf("Of another: %+v", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want error
	}{
		"readable by the group": {"contexts: []\n", 0o640, contexts.ErrUnsafe},
		"writable by others":    {"contexts: []\n", 0o602, contexts.ErrUnsafe},
		"another file":          {"kind: Workflow\n", 0o600, contexts.ErrInvalid},
		"no YAML":               {"contexts: [\n", 0o600, contexts.ErrInvalid},
		"too large":             {"#" + strings.Repeat("x", contexts.MaxBytes), 0o600, contexts.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "contexts.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := contexts.Load(path); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"/c/contexts.yaml":               {"REGIE_CONFIG_DIR": "/c", "XDG_CONFIG_HOME": "/x", "HOME": "/h"},
		"/x/regie/contexts.yaml":         {"XDG_CONFIG_HOME": "/x", "HOME": "/h"},
		"/h/.config/regie/contexts.yaml": {"XDG_CONFIG_HOME": "relative", "HOME": "/h"},
		"":                               {"HOME": ""},
	} {
		got, err := contexts.Path(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%v: %q, %v", env, got, err)
		}
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"prod": true, "eu-1.b_2": true, "": false, "-x": false, "a/b": false, "a b": false, strings.Repeat("a", contexts.MaxName+1): false,
	} {
		if got := contexts.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}
