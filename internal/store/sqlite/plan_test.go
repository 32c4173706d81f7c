package sqlite_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/store"
)

// The lists that people and the console ask for most find their rows through an
// index and need no sorting, so that they cost what they show. Those by batch
// sort the live runs.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	s := open(t, config(filepath.Join(t.TempDir(), "regie.db")))
	one, two := []string{"a"}, []string{"a", "b"}
	runs := func(q store.RunQuery) func() ([]string, error) {
		return func() ([]string, error) { return s.RunPlan(q) }
	}
	entries := func(q store.EntryQuery) func() ([]string, error) {
		return func() ([]string, error) { return s.EntryPlan(q) }
	}
	for _, tt := range []struct {
		name string
		plan func() ([]string, error)
		want []string // each is a part of a line of the plan
		sort bool
	}{
		{"newest", runs(store.RunQuery{}), []string{"SCAN runs"}, false},
		{"next page", runs(store.RunQuery{Before: "r"}), []string{"SEARCH runs USING PRIMARY KEY (id<?)"}, false},
		{"of namespaces", runs(store.RunQuery{Before: "r", Namespaces: two}), []string{"SEARCH runs USING PRIMARY KEY (id<?)"}, false},
		{"of a workflow", runs(store.RunQuery{Before: "r", Namespaces: one, Workflows: one, DateTo: "x"}),
			[]string{"SEARCH runs USING INDEX runs_workflow (namespace=? AND workflow=? AND id<?)"}, false},
		{"of workflows", runs(store.RunQuery{Namespaces: one, Workflows: two}), []string{"SCAN runs"}, false},
		{"live", runs(store.RunQuery{Before: "r", States: []string{"queued", "running"}}), []string{"SEARCH runs USING INDEX runs_live (id<?)"}, false},
		{"failed", runs(store.RunQuery{Before: "r", Namespaces: one, Workflows: one, States: []string{"failed"}}),
			[]string{"SEARCH runs USING INDEX runs_unsuccessful (id<?)"}, false},
		{"succeeded", runs(store.RunQuery{States: []string{"succeeded"}}), []string{"SCAN runs"}, false},
		{"of a date", runs(store.RunQuery{Before: "r", Namespaces: one, DateFrom: "x", DateTo: "x"}),
			[]string{"SEARCH runs USING PRIMARY KEY (id<?)"}, false},
		{"of dates", runs(store.RunQuery{DateFrom: "x", DateTo: "y"}), []string{"SCAN runs"}, false},
		{"changes", runs(store.RunQuery{ByBatch: true, Since: 7, After: "r", Namespaces: one}),
			[]string{"SEARCH runs USING INDEX runs_ended (batch>?)", "SCAN runs USING INDEX runs_live"}, true},
		{"objects", s.ObjectPlan, []string{"SEARCH objects USING INDEX objects_live (kind=? AND (namespace,name)>(?,?))"}, false},
		{"entries", entries(store.EntryQuery{Namespaces: two, Actor: "a"}), []string{"SCAN entries"}, false},
		{"entries before", entries(store.EntryQuery{Before: store.EntryID{Batch: 7}, Action: "a"}),
			[]string{"SEARCH entries USING PRIMARY KEY ((batch,position)<(?,?))"}, false},
		{"entries after", entries(store.EntryQuery{OldestFirst: true, After: store.EntryID{Batch: 7}}),
			[]string{"SEARCH entries USING PRIMARY KEY ((batch,position)>(?,?))"}, false},
		{"entries of an object", entries(store.EntryQuery{Before: store.EntryID{Batch: 7}, Object: "run/r"}),
			[]string{"SEARCH entries USING INDEX entries_object (object=? AND (batch,position)<(?,?))"}, false},
	} {
		plan, err := tt.plan()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, want := range tt.want {
			if !slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, want) }) {
				t.Errorf("%s: no %q in %q", tt.name, want, plan)
			}
		}
		if got := strings.Contains(strings.Join(plan, "; "), "TEMP B-TREE"); got != tt.sort {
			t.Errorf("%s: sorts: %v: %q", tt.name, got, plan)
		}
	}
}
