package retention_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// shard is that of every log in these tests.
const shard = "0"

// place is a service on a simulated disk, with logs in memory.
type place struct {
	t        *testing.T
	disk     *simstore.Disk
	store    *simstore.Store
	writer   *storetest.Writer
	logs     map[store.RunID]int
	blobs    map[store.RunID]bool
	policies map[string]retention.Policy
	archive  retention.Archive     // nil: there is none
	live     map[store.RunID]bool  // refused as if they were retried
	broken   map[store.RunID]error // why something of it cannot be taken away
	stuck    map[store.RunID]bool  // whose logs cannot be deleted
	// stop, if not nil, ends the world before a step: it has the name of the step.
	stop func(step string)
	now  time.Time
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{
		t: t, disk: simstore.NewDisk(), logs: map[store.RunID]int{}, blobs: map[store.RunID]bool{}, policies: map[string]retention.Policy{}, live: map[store.RunID]bool{},
		broken: map[store.RunID]error{}, stuck: map[store.RunID]bool{},
		now: storetest.Start,
	}
	p.open()
	return p
}

// open opens the disk, anew after a crash.
func (p *place) open() {
	p.t.Helper()
	s, err := simstore.Open(p.disk, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.store, p.writer = s, storetest.Lead(p.t, s)
}

func (p *place) service() *retention.Service { return p.serviceWith(p.store) }

func (p *place) serviceWith(s store.Reader) *retention.Service {
	return retention.New(retention.Config{
		Store: s, Runtime: p, Logs: p, Blobs: p, Clock: at{p.now}, Log: slog.New(slog.DiscardHandler),
		Policies: func() map[string]retention.Policy { return maps.Clone(p.policies) },
		Measure:  func(context.Context) (retention.Usage, error) { return retention.Usage{}, nil },
		Archive:  p.archive,
	})
}

// at is a clock that stands still.
type at struct{ now time.Time }

var _ clock.Clock = at{}

func (a at) Now() time.Time                                 { return a.now }
func (a at) AfterFunc(time.Time, func()) (stop func() bool) { return func() bool { return true } }
func (a at) Begin()                                         {}
func (a at) End()                                           {}

// errStuck is why a log cannot be deleted.
var errStuck = errors.New("operation not permitted")

func (p *place) stepf(format string, args ...any) {
	if p.stop != nil {
		p.stop(fmt.Sprintf(format, args...))
	}
}

// Remove commits, as the runtime does.
func (p *place) Remove(_ context.Context, m runtime.Removal) (uint64, error) {
	for _, id := range m.Erase {
		if p.live[id] {
			return 0, &runtime.LiveError{Run: id}
		}
	}
	runs := slices.Clone(m.Erase)
	for i := range m.Prune {
		runs = append(runs, m.Prune[i].Run)
	}
	for _, id := range runs {
		if err := p.broken[id]; err != nil {
			return 0, fmt.Errorf("read run: %w", err)
		}
	}
	p.stepf("remove")
	p.writer.Commit(store.Batch{Erase: m.Erase, Prune: m.Prune, Entries: m.Entries})
	return 1, nil
}

// Write commits entries.
func (p *place) Write(_ context.Context, _ []store.Object, entries []store.Entry) (uint64, error) {
	p.stepf("record")
	p.writer.Commit(store.Batch{Entries: entries})
	return 1, nil
}

func (p *place) CountLogs(run store.RunID) (int, error) { return p.logs[run], nil }

func (p *place) RemoveLogs(run store.RunID) (int, error) {
	p.stepf("logs of %s", run)
	if p.stuck[run] {
		return 0, errStuck
	}
	n := p.logs[run]
	delete(p.logs, run)
	return n, nil
}

func (p *place) LogShards() ([]string, error) { return []string{shard, "zzz"}, nil }

func (p *place) LogOwners(name string) ([]store.RunID, error) {
	if name != shard {
		p.t.Errorf("shard %s, of runs that were accepted later, is looked at", name)
	}
	return slices.Sorted(maps.Keys(p.logs)), nil
}

// run makes a run with a log that ended so long ago; 0: it goes on.
func (p *place) run(id store.RunID, namespace, workflow string, ago time.Duration) {
	row := storetest.Row(id)
	row.Namespace, row.Workflow = namespace, workflow
	if ago > 0 {
		row.State, row.EndedAt = "succeeded", p.now.Add(-ago)
	}
	p.writer.Commit(store.Batch{Runs: []store.RunRow{row}, Records: []store.Record{storetest.Record(id, 1, 2)}})
	p.writer.Commit(store.Batch{Records: []store.Record{storetest.Record(id, 3, 1)}})
	p.logs[id], p.blobs[id] = 1, true
}

func (p *place) RemoveBlobs(run string) (int, error) {
	p.stepf("blobs of %s", run)
	delete(p.blobs, store.RunID(run))
	return 0, nil
}

func (p *place) BlobOwners() ([]string, error) {
	var runs []string
	for run := range p.blobs {
		runs = append(runs, string(run))
	}
	slices.Sort(runs)
	return runs, nil
}

// left says what is left of each run: whole, erased, or nothing; and its logs.
// Large data goes with the rest of it.
func (p *place) left() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	rows, err := p.store.Runs(p.t.Context(), store.RunQuery{})
	if err != nil {
		p.t.Fatal(err)
	}
	for i := range rows {
		state := "whole"
		if rows[i].Erased > 0 {
			state = "erased"
		}
		if p.blobs[rows[i].ID] != (rows[i].Erased == 0) {
			state += ", with large data that is not as the rest"
		}
		if p.logs[rows[i].ID] > 0 {
			state += ", logs"
		}
		out[string(rows[i].ID)] = state
	}
	for id := range p.blobs {
		if out[string(id)] == "" {
			p.t.Errorf("large data of run %s stays, which is gone", id)
		}
	}
	if err := p.store.Verify(p.t.Context()); err != nil {
		p.t.Error(err)
	}
	return out
}

// recorded are the details of all passes on record of a namespace, in order.
func (p *place) recorded(namespace string) []string {
	p.t.Helper()
	entries, err := p.store.Entries(p.t.Context(), store.EntryQuery{})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Reverse(entries) // the newest came first
	var details []string
	for i := range entries {
		e := &entries[i]
		if e.Namespace != namespace {
			continue
		}
		if e.Actor != "system/retention" || e.Action != retention.ActionPass || e.Object != "namespace/"+namespace {
			p.t.Errorf("on record: %+v", e)
		}
		details = append(details, string(e.Detail))
	}
	return details
}

const day = 24 * time.Hour

func TestPass(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.run("a1", "ns", "a", 100*day)
	p.run("b1", "ns", "b", 100*day)
	p.run("a2", "ns", "a", 60*day)
	p.run("a3", "ns", "a", 60*day)
	p.run("a4", "ns", "a", 20*day)
	p.run("a5", "ns", "a", 5*day)
	p.run("a6", "ns", "a", day)
	p.run("a7", "ns", "a", 0)
	p.run("o1", "other", "a", 1000*day)
	p.live["a3"] = true // read just now, for a retry that is refused
	s := p.service()
	before := p.left()
	if err := s.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, p.left()); diff != "" {
		t.Errorf("without a policy:\n%s", diff)
	}
	p.policies["ns"] = retention.Policy{Runs: 90 * day, Payloads: 10 * day, Logs: 2 * day, Last: 1}
	for i, a3 := range []string{"whole", "erased", "erased"} { // the third finds nothing
		if i == 1 {
			delete(p.live, "a3")
		}
		if err := s.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"b1": "erased", // the last of its workflow
			"a2": "erased", "a3": a3, "a4": "erased", "a5": "whole", "a6": "whole, logs", "a7": "whole, logs", "o1": "whole, logs",
		}
		if diff := cmp.Diff(want, p.left()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
	want := []string{
		`{"archived":0,"erased":4,"logs_deleted":0,"removed":0}`, `{"archived":0,"erased":0,"logs_deleted":0,"removed":1}`, `{"archived":0,"erased":0,"logs_deleted":6,"removed":0}`,
		`{"archived":0,"erased":1,"logs_deleted":0,"removed":0}`, // of the second pass
	}
	if diff := cmp.Diff(want, p.recorded("ns")); diff != "" {
		t.Errorf("on record (-want +got):\n%s", diff)
	}
	if got := s.Stats(); got.Erased != 5 || got.Pruned != 1 || got.Logs != 6 {
		t.Errorf("stats: %+v", got)
	}
	p.policies["ns"] = retention.Policy{Runs: 90 * day}
	if err := s.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there := p.left()["b1"]; there {
		t.Error("the last run of a workflow stays though none is to be kept")
	}
}

// TestPassGoesOn: what cannot be taken away hinders nothing else, and goes when
// it can.
func TestPassGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	disk := errors.New("unreadable")
	for _, namespace := range []string{"ns", "other"} {
		for i := range 4 {
			p.run(store.RunID(fmt.Sprintf("%s%d", namespace, i)), namespace, "a", 100*day)
		}
		p.policies[namespace] = retention.Policy{Runs: 90 * day}
	}
	p.broken["ns1"], p.stuck["ns2"] = disk, true
	s := p.service()
	for range 2 { // the second begins with them anew
		if err := s.Pass(t.Context()); !errors.Is(err, disk) || !errors.Is(err, errStuck) || !strings.Contains(err.Error(), "ns1") || !strings.Contains(err.Error(), "ns2") {
			t.Errorf("error %v", err)
		}
		if diff := cmp.Diff(map[string]string{"ns1": "whole", "ns2": "erased, logs"}, p.left()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}
	clear(p.broken)
	clear(p.stuck)
	if err := s.Pass(t.Context()); err != nil || len(p.left()) > 0 || len(p.logs) > 0 {
		t.Errorf("nothing is broken any more, and left are %v and logs %v (%v)", p.left(), p.logs, err)
	}
	if got := s.Stats(); got.Erased != 8 || got.Pruned != 8 || got.Logs != 8 {
		t.Errorf("stats: %+v", got)
	}
}

// TestStart: a log that cannot be deleted keeps no server from starting, and
// another erasure that a crash interrupted is finished.
func TestStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, id := range []store.RunID{"r1", "r2"} {
		p.run(id, "ns", "w", day)
		p.writer.Commit(store.Batch{Erase: []store.RunID{id}, Entries: []store.Entry{{
			Actor: "user/dpo", Action: retention.ActionErase, Object: "run/" + string(id), Outcome: "done",
		}}})
	}
	p.stuck["r2"] = true // looked at first
	s := p.service()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"r1": "erased", "r2": "erased, logs"}, p.left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// counted is a store that counts which runs are looked up.
type counted struct {
	store.Reader
	runs map[store.RunID]int
}

func (c counted) Run(ctx context.Context, id store.RunID) (store.RunRow, error) {
	c.runs[id]++
	return c.Reader.Run(ctx, id)
}

// TestPassFindsLeftData: large data that comes after its run was erased goes with
// the next pass, and those that stay are not looked up again and again.
func TestPassFindsLeftData(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i, id := range []store.RunID{"hand", "age", "stays"} {
		p.run(id, "ns", "w", time.Duration(3-i)*10*day)
	}
	p.blobs["unknown"] = true
	looked := counted{Reader: p.store, runs: map[store.RunID]int{}}
	s := p.serviceWith(looked)
	pass := func() {
		if err := s.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	pass()
	if diff := cmp.Diff(map[store.RunID]int{"hand": 1, "age": 1, "stays": 1, "unknown": 1}, looked.runs); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
	entry := store.Entry{Actor: "user/dpo", Action: retention.ActionErase, Object: "run/hand", Outcome: "done"}
	if _, err := s.Erase(t.Context(), retention.Order{Run: "hand", Entry: entry}); err != nil {
		t.Fatal(err)
	}
	p.policies["ns"] = retention.Policy{Payloads: 15 * day}
	pass()
	p.blobs["hand"], p.blobs["age"] = true, true
	pass()
	if diff := cmp.Diff(map[store.RunID]bool{"stays": true, "unknown": true}, p.blobs); diff != "" {
		t.Errorf("large data (-want +got):\n%s", diff)
	}
}

// TestPassEnds: nothing is tried any more in a process that is stopping.
func TestPassEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.run("a1", "a", "w", 100*day)
	p.run("b1", "b", "w", 100*day)
	p.broken["a1"] = runtime.ErrStopping
	p.policies["a"], p.policies["b"] = retention.Policy{Payloads: day}, retention.Policy{Payloads: day}
	if err := p.service().Pass(t.Context()); !errors.Is(err, runtime.ErrStopping) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{"a1": "whole, logs", "b1": "whole, logs"}, p.left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// TestPassNamesFew: an error is read by people.
func TestPassNamesFew(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 15 {
		id := store.RunID(fmt.Sprintf("r%02d", i))
		p.run(id, "ns", "w", 100*day)
		p.stuck[id] = true
	}
	p.policies["ns"] = retention.Policy{Logs: day}
	if err := p.service().Pass(t.Context()); err == nil || strings.Count(err.Error(), "\n") != 10 || !strings.Contains(err.Error(), "and 5 more errors") {
		t.Errorf("error %v", err)
	}
}

// TestPassOfMany goes through more runs than a page and a batch have.
func TestPassOfMany(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 1203 {
		id := store.RunID(fmt.Sprintf("r%05d", i))
		row := storetest.Row(id)
		row.Namespace, row.State, row.EndedAt = "ns", "failed", p.now.Add(-100*day)
		p.writer.Commit(store.Batch{Runs: []store.RunRow{row}, Records: []store.Record{storetest.Record(id, 1, 1)}})
	}
	p.policies["ns"] = retention.Policy{Runs: 90 * day, Last: 2}
	if err := p.service().Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"r01201": "erased", "r01202": "erased"}, p.left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// powerCut is what a step panics with.
type powerCut struct{}

// TestPowerCut cuts the power before each step of a pass: no run is left that
// looks whole and is not, and the next pass ends what was begun.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for cut := 0; ; cut++ {
		p := newPlace(t)
		p.run("a1", "ns", "a", 100*day)
		p.run("a2", "ns", "a", 60*day)
		p.run("a3", "ns", "a", day)
		p.policies["ns"] = retention.Policy{Runs: 90 * day, Payloads: 10 * day, Last: 1}
		steps := 0
		p.stop = func(string) {
			if steps++; steps > cut {
				panic(powerCut{})
			}
		}
		done := p.passUntilCut()
		p.stop = nil
		p.disk.Crash()
		p.open()
		p.accounted()
		for id, state := range p.left() {
			if state == "whole" { // the logs go last
				t.Errorf("cut before step %d: run %s has its data and no logs", cut+1, id)
			}
		}
		if err := p.service().Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"a2": "erased", "a3": "whole, logs"}, p.left()); diff != "" {
			t.Errorf("cut before step %d, then a pass (-want +got):\n%s", cut+1, diff)
		}
		if len(p.logs) != 1 {
			t.Errorf("cut before step %d: logs %v", cut+1, p.logs)
		}
		if done {
			if cut < 4 {
				t.Errorf("only %d steps", cut)
			}
			return
		}
	}
}

// accounted wants as much on record as was taken away of the two old runs of
// TestPowerCut.
func (p *place) accounted() {
	p.t.Helper()
	erased, removed := 0, 0
	for id, state := range p.left() {
		if id != "a3" && strings.HasPrefix(state, "erased") {
			erased++
		}
	}
	if _, there := p.left()["a1"]; !there {
		erased, removed = erased+1, 1
	}
	for _, detail := range p.recorded("ns") {
		var counts struct{ Erased, Removed int }
		if err := json.Unmarshal([]byte(detail), &counts); err != nil {
			p.t.Fatal(err)
		}
		erased, removed = erased-counts.Erased, removed-counts.Removed
	}
	if erased != 0 || removed != 0 {
		p.t.Errorf("%d erasures and %d removals are not on record", erased, removed)
	}
}

// passUntilCut reports whether the pass came to its end.
func (p *place) passUntilCut() (done bool) {
	defer func() {
		if cut := recover(); cut != nil {
			if _, ok := cut.(powerCut); !ok {
				panic(cut)
			}
		}
	}()
	if err := p.service().Pass(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return true
}
