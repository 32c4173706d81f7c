package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/store"
)

// TestEffectiveFrom: a version with a date is in force from its first instant in
// the workflow's zone on, and not before; a program is always that of the instant.
func TestEffectiveFrom(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	programAt := func(at time.Time) string {
		p, err := c.Program(t.Context(), "default", "hello", "", at)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%x", p.Stored.Hash)[:16]
	}
	apply(t, c, hello("timezone: Europe/Amsterdam\n"))
	first, _ := c.Workflow("default", "hello")
	later := "  - run: echo again\ntimezone: Europe/Amsterdam\neffective_from: 2026-04-01\n"
	if got := apply(t, c, hello(later)); got != "Workflow hello updated" {
		t.Error(got)
	}
	if got := apply(t, c, hello(later)); got != "Workflow hello unchanged" {
		t.Error(got)
	}
	from := time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC)
	w, _ := c.Workflow("default", "hello")
	if w.Value.Version != first.Value.Version || len(w.Value.Coming) != 1 || !w.Value.Coming[0].From.Equal(from) || !c.NextChange().Equal(from) {
		t.Fatalf("%+v", w.Value)
	}
	second := w.Value.Coming[0].Version
	if got := programAt(from.Add(-1)); got != first.Value.Version {
		t.Errorf("before: %s", got)
	}
	if got := programAt(from); got != second {
		t.Errorf("at the instant: %s", got)
	}
	if !slices.ContainsFunc(d.entries, func(e store.Entry) bool {
		return strings.Contains(string(e.Detail), `"effective_from":"2026-03-31T22:00:00Z"`)
	}) {
		t.Error("the date is not on record")
	}
	d.now = from
	if w, _ := c.Workflow("default", "hello"); w.Value.Version != second || len(w.Value.Coming) != 0 || !c.NextChange().IsZero() {
		t.Errorf("%+v", w.Value)
	}
	// What is applied without a date is in force at once; ticks of before stay on
	// what was in force then only as long as nothing was applied.
	apply(t, c, hello("  - run: echo more\n"))
	if w, _ := c.Workflow("default", "hello"); w.Value.Version == second || len(w.Value.Versions) != 3 {
		t.Errorf("%+v", w.Value)
	}
}

// TestNotInForce: a new workflow with a date starts nothing before it, but by its
// version.
func TestNotInForce(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if got := apply(t, c, hello("effective_from: 2026-04-01T06:00:00Z\n")); got != "Workflow hello created" {
		t.Error(got)
	}
	if _, err := c.Prepared(t.Context(), "default", "hello"); !errors.Is(err, catalog.ErrNotInForce) || !strings.Contains(err.Error(), "2026-04-01T06:00:00Z") {
		t.Errorf("%v", err)
	}
	v, err := c.Version("default", "hello", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Program(t.Context(), "default", "hello", v.Value.Program[:16], d.now); err != nil {
		t.Error(err)
	}
	d.now = time.Date(2026, 4, 1, 6, 0, 0, 0, time.UTC)
	if _, err := c.Prepared(t.Context(), "default", "hello"); err != nil {
		t.Error(err)
	}
}

// TestActivate: an earlier version comes back at once, and takes back what was to
// come.
func TestActivate(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	apply(t, c, hello(""))
	first, _ := c.Workflow("default", "hello")
	apply(t, c, hello("  - run: echo again\n"))
	second, _ := c.Workflow("default", "hello")
	apply(t, c, hello("  - run: echo later\neffective_from: 2027-01-01\n"))
	before, _, err := c.Activate(t.Context(), "default", "hello", first.Value.Version, store.Entry{Actor: "user/ada", Reason: "back"})
	if err != nil || before != second.Value.Version {
		t.Fatal(before, err)
	}
	w, _ := c.Workflow("default", "hello")
	if w.Value.Version != first.Value.Version || len(w.Value.Coming) != 0 || len(w.Value.Versions) != 3 || w.Value.Labels()["app"] != "x" {
		t.Errorf("%+v", w.Value)
	}
	if p, err := c.Prepared(t.Context(), "default", "hello"); err != nil || p.Stored.Hash != first.Value.Hash() {
		t.Error(err)
	}
	last := d.entries[len(d.entries)-1]
	if last.Action != "workflow.activate" || last.Reason != "back" || !strings.Contains(string(last.Detail), second.Value.Version) {
		t.Errorf("%+v", last)
	}
	if _, _, err := c.Activate(t.Context(), "default", "hello", "none", store.Entry{}); !errors.Is(err, catalog.ErrNotFound) {
		t.Error(err)
	}
}

// TestComingIsBounded: versions that are to come are counted.
func TestComingIsBounded(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var err error
	for i := range catalog.MaxComing + 1 {
		if err != nil {
			t.Fatal(i, err)
		}
		_, err = c.Apply(context.Background(), catalog.Apply{
			Namespace: "default", Files: []catalog.File{hello(fmt.Sprintf("  - run: echo %d\neffective_from: %d-01-01\n", i, 2030+i))},
		})
	}
	if !errors.Is(err, catalog.ErrComing) {
		t.Errorf("%v", err)
	}
}

// TestCompare: the text and the steps, wherever they stand.
func TestCompare(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	text := func(steps string) catalog.File {
		return definition("w.yaml", "kind: Workflow\nname: w\n"+steps)
	}
	apply(t, c, text("steps:\n  - {id: a, run: echo a}\n  - {id: b, steps: [{id: c, run: echo c}]}\n  - {id: d, run: echo d}\n"))
	first, _ := c.Workflow("default", "w")
	apply(t, c, text("timezone: Europe/Amsterdam\nsteps:\n  - {id: new, steps: [{id: x, run: echo x}]}\n  - {id: a, run: echo a}\n  - {id: b, steps: [{id: c, run: echo c, timeout: 1m}]}\n"))
	got, err := c.Compare(t.Context(), "default", "w", first.Value.Version, "")
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, s := range got.Steps {
		steps = append(steps, strings.TrimSpace(s.Action+" "+s.Path+" "+strings.Join(s.Parts, ",")))
	}
	// A step that was the first has no predecessor but the new one.
	want := "changed a join,needs; changed b/c timeout; removed d; added new; added new/x"
	if strings.Join(steps, "; ") != want {
		t.Errorf("%s, want %s", strings.Join(steps, "; "), want)
	}
	if strings.Join(got.Parts, ",") != "zone" || !strings.Contains(got.Text, "\n+timezone: Europe/Amsterdam\n") || strings.HasPrefix(got.Text, "diff") {
		t.Errorf("%v\n%s", got.Parts, got.Text)
	}
	if same, err := c.Compare(t.Context(), "default", "w", first.Value.Version, first.Value.Version); err != nil || same.Text != "" || len(same.Parts)+len(same.Steps) != 0 {
		t.Errorf("%+v, %v", same, err)
	}
}
