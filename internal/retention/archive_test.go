package retention_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// copies is an archive that notes what was left of runs when they were copied.
type copies struct {
	place  *place
	had    map[store.RunID]string
	broken map[store.RunID]error // why a run cannot be copied
}

func (c *copies) Keep(_ context.Context, row *store.RunRow) (bool, error) {
	if err := c.broken[row.ID]; err != nil {
		return false, err
	}
	if _, there := c.had[row.ID]; there {
		return false, nil
	}
	c.had[row.ID] = c.place.left()[string(row.ID)]
	return true, nil
}

func (c *copies) Count(row *store.RunRow) (int, error) {
	if _, there := c.had[row.ID]; there {
		return 1, nil
	}
	return 0, nil
}

func (c *copies) Remove(row *store.RunRow) (int, error) {
	n, err := c.Count(row)
	delete(c.had, row.ID)
	return n, err
}

// TestArchive: a run is copied whole before anything of it goes, once; what
// cannot be copied stays, and hinders nothing else.
func TestArchive(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	archive := &copies{place: p, had: map[store.RunID]string{}, broken: map[store.RunID]error{}}
	for id, namespace := range map[store.RunID]string{"a1": "ns", "a2": "ns", "o1": "other"} {
		p.run(id, namespace, "a", 100*day)
	}
	p.run("a3", "ns", "a", 20*day)
	p.run("a4", "ns", "a", day)
	p.policies["ns"] = retention.Policy{Runs: 90 * day, Payloads: 50 * day, Logs: 10 * day, Archive: true}
	p.policies["other"] = retention.Policy{Payloads: 50 * day}
	if err := p.service().Pass(t.Context()); !errors.Is(err, retention.ErrNoArchive) {
		t.Errorf("without an archive: %v", err)
	}
	untouched := map[string]string{"a1": "whole, logs", "a2": "whole, logs", "a3": "whole, logs", "a4": "whole, logs", "o1": "erased"}
	if diff := cmp.Diff(untouched, p.left()); diff != "" {
		t.Errorf("left without an archive (-want +got):\n%s", diff)
	}
	p.archive = archive
	full := errors.New("no space left on device")
	archive.broken["a1"] = full
	s := p.service()
	if err := s.Pass(t.Context()); !errors.Is(err, full) {
		t.Errorf("a full archive: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"a1": "whole, logs", "a3": "whole", "a4": "whole, logs", "o1": "erased"}, p.left()); diff != "" {
		t.Errorf("left with a full archive (-want +got):\n%s", diff)
	}
	clear(archive.broken)
	if err := s.Pass(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"a3": "whole", "a4": "whole, logs", "o1": "erased"}, p.left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	whole := map[store.RunID]string{"a1": "whole, logs", "a2": "whole, logs", "a3": "whole, logs"}
	if diff := cmp.Diff(whole, archive.had); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
	want := []string{
		`{"archived":0,"erased":1,"logs_deleted":0,"removed":0}`, `{"archived":0,"erased":0,"logs_deleted":0,"removed":1}`,
		`{"archived":2,"erased":0,"logs_deleted":2,"removed":0}`,
		`{"archived":0,"erased":1,"logs_deleted":0,"removed":0}`, `{"archived":0,"erased":0,"logs_deleted":0,"removed":1}`,
		`{"archived":1,"erased":0,"logs_deleted":1,"removed":0}`,
	}
	if diff := cmp.Diff(want, p.recorded("ns")); diff != "" {
		t.Errorf("on record (-want +got):\n%s", diff)
	}
	if got := s.Stats(); got.Archived != 3 {
		t.Errorf("stats: %+v", got)
	}
	p.erased(s, archive)
}

// erased has a person erase what is in the archive: the copy goes too.
func (p *place) erased(s *retention.Service, archive *copies) {
	p.t.Helper()
	order := retention.Order{Run: "a3", Entry: storetest.Entry("user/dpo", retention.ActionErase, "run/a3"), DryRun: true}
	for _, want := range []int{1, 1, 0} {
		done, err := s.Erase(p.t.Context(), order)
		if err != nil || done.Copies != want {
			p.t.Errorf("erased: %+v, %v", done, err)
		}
		order.DryRun = false
	}
	if _, there := archive.had["a3"]; there {
		p.t.Error("the copy of an erased run stays")
	}
}
