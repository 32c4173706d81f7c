package mock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/mock"
)

func TestFind(t *testing.T) {
	t.Parallel()
	s, problems := mock.Parse("mocks.yaml", []byte(`
mocks:
  "*": {output: any}
  "settle[*]": {output: item}
  "settle[1]":
    - {error: {name: http.503, message: later}, duration: 2s, log: [one, two]}
    - {lost: true}
    - {output: {n: 1}, warning: odd}
`), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		path    string
		attempt int
		want    string
	}{
		{"fetch", 1, "any"}, {"settle[0]", 1, "item"}, {"settle[0]/x", 3, "any"}, {"settle[1]", 3, `{"n":1}`}, {"settle[1]", 9, `{"n":1}`},
	} {
		r, ok := s.Find(mock.Call{Path: c.path, Attempt: c.attempt})
		if !ok || r.Output.Text() != c.want {
			t.Errorf("Find(%q, %d) = %v, %v; want output %s", c.path, c.attempt, r, ok, c.want)
		}
	}
	if r, _ := s.Find(mock.Call{Path: "settle[1]", Attempt: 1}); r.ErrorName != "http.503" || r.ErrorMessage != "later" || r.Duration != 2*time.Second || strings.Join(r.Log, " ") != "one two" {
		t.Errorf("first attempt: %+v", r)
	}
	if r, _ := s.Find(mock.Call{Path: "settle[1]", Attempt: 2}); !r.Lost {
		t.Errorf("second attempt: %+v", r)
	}
	var none *mock.Set
	if _, ok := none.Find(mock.Call{Path: "x", Attempt: 1}); ok {
		t.Error("no mocks, yet found")
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mocks: {a: {ouput: 1}}":                    "unknown_field",
		"mocks: {a: {output: 1, error: {name: x}}}": "exclude each other",
		"mock: {}":                            "unknown_field",
		"mocks: {a: [{error: {message: x}}]}": "missing_field",
		"mocks: {a: {duration: soon}}":        "duration",
		"mocks: {a: []}":                      "at least 1",
		"--- {}\n--- {}":                      "document",
	} {
		_, problems := mock.Parse("m.yaml", []byte(text), mock.Which{})
		found := false
		for _, p := range problems {
			found = found || p.Severity == diag.Error && strings.Contains(p.String(), want)
		}
		if !found {
			t.Errorf("%s: got %v, want an error with %q", text, problems, want)
		}
	}
}

// Fits takes no time to speak of, however many stars there are.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b[0]", true},
		{"a*", "a", true}, {"a*", "ab", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a[*]/b", "a[1]/c[2]/b", true}, {"a[*]/b", "a[1]/c", false},
		{"a*b*c", "a1b2b3c", true}, {"a*b*c", "a1c2b", false}, {"**", "x", true}, {"*ab", "aab", true},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 10_000), false},
		{strings.Repeat("*a", 50), strings.Repeat("a", 10_000), true},
	} {
		if got := mock.Fits(c.pattern, c.path); got != c.want {
			t.Errorf("Fits(%.20q, %.20q) = %v", c.pattern, c.path, got)
		}
	}
}
