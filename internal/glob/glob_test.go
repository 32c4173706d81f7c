package glob_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/glob"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"a.txt", "a.txt", true},
		{"./a.txt", "a.txt", true},
		{"a.txt", "b/a.txt", false},
		{"*.txt", "a.txt", true},
		{"*.txt", ".a.txt", false},
		{".*", ".a", true},
		{"**/*.txt", "a.txt", true},
		{"**/*.txt", "b/c/a.txt", true},
		{"**/*.txt", ".b/a.txt", false},
		{"out/**", "out/a/b", true},
		{"out/**", "out", false},
		{"out", "out/a", false},
		{"[ab]?", "bx", true},
	}
	for _, test := range tests {
		if got := glob.Parse(test.pattern).Match(test.name); got != test.want {
			t.Errorf("%s matches %s: %v", test.pattern, test.name, got)
		}
	}
}

func TestBase(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{"**": ".", "a/b/*.c": "a/b", "a/b": "a/b", "a*/b": "."} {
		if got := glob.Parse(pattern).Base(); got != want {
			t.Errorf("base of %s is %s, want %s", pattern, got, want)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", "/etc/passwd", "a/../../x", "..", `a\b`, "[", "a[/]b", "a\x00"} {
		if glob.Fault(pattern) == "" {
			t.Errorf("nothing is wrong with %q", pattern)
		}
	}
	for _, pattern := range []string{"a", "a/..b", "**/[ab]*", "é/*"} {
		if fault := glob.Fault(pattern); fault != "" {
			t.Errorf("%q %s", pattern, fault)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("**/*.sql", "a/b/c.sql")
	f.Add("**/**/**/**/**/**/a", "x/x/x/x/x/x/x/x/x/x/x/x/b")
	// A pattern never fails to answer, and ** takes everything that has no
	// hidden part.
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if glob.Fault(pattern) != "" || name == "" || strings.Contains("/"+name+"/", "//") || strings.Contains("/"+pattern+"/", "//") {
			return
		}
		glob.Parse(pattern).Match(name)
		if hidden := strings.Contains("/"+name, "/."); glob.Parse("**").Match(name) == hidden {
			t.Errorf("** and %q, hidden %v", name, hidden)
		}
	})
}
