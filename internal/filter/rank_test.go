package filter_test

import (
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/filter"
)

// A rank that was written and read again stands where it stood; what is none of
// the filter is refused.
func TestRankText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f, err := filter.Parse("sort:-date,name", filter.Context{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	rows := []filter.Row{
		{ID: "1", Workflow: "b", BusinessDate: "2026-03-01"}, {ID: "2", Workflow: "a"}, {ID: "3", Workflow: "a", BusinessDate: "2026-03-01"},
		{ID: "4", Workflow: "a", BusinessDate: "2026-02-01"}, {ID: "5", Workflow: "a"},
	}
	for i := range rows {
		text, err := f.Rank(&rows[i]).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		again, err := f.ParseRank(text)
		if err != nil {
			t.Fatal(err)
		}
		for j := range rows {
			if want := f.Rank(&rows[i]).Compare(f.Rank(&rows[j])); again.Compare(f.Rank(&rows[j])) != want || f.Rank(&rows[j]).Compare(again) != -want {
				t.Errorf("%s and %s do not stand as they did", rows[i].ID, rows[j].ID)
			}
		}
	}
	for _, text := range []string{"", "x", "null", "[]", `{"id":"1"}`, `{"id":"1","p":[{}]}`, `{"id":"1","p":[{},{},{}]}`, `{"id":7,"p":[{},{}]}`} {
		if _, err := f.ParseRank([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
