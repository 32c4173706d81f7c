package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/store"
)

// TestAuthors: whoever put a version in force is one of its authors, for good,
// whatever is applied after it.
func TestAuthors(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	by := func(actor, more string) catalog.Workflow {
		answer(t, c, catalog.Apply{Namespace: "default", Files: []catalog.File{hello(more)}, By: store.Entry{Actor: actor}})
		w, _ := c.Workflow("default", "hello")
		return w.Value
	}
	first := by("alice", "")
	second := by("bob", "  - run: echo again\n")
	by("carol", "")
	by("carol", "# the text only\n")
	third := by("dora", "  - run: echo again\neffective_from: 2026-04-01\n").Coming[0]
	if _, _, err := c.Activate(t.Context(), "default", "hello", first.Version, store.Entry{Actor: "erin"}); err != nil {
		t.Fatal(err)
	}
	by("frank", "  - run: echo more\n")
	if third.Version != second.Version {
		t.Fatal("the date makes another version")
	}
	want := map[[32]byte]string{first.Hash(): "alice carol erin", second.Hash(): "bob dora", {}: ""}
	for program, names := range want {
		if got := strings.Join(c.Authors("default", "hello", program), " "); got != names {
			t.Errorf("authors of %x are %q, want %q", program[:8], got, names)
		}
	}
}
