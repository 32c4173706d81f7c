package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
)

// TestTicksOverRestarts: each tick that came while the server was down starts
// one run, however often the server is started then; a paused schedule starts
// none, also not later for the time of the pause.
func TestTicksOverRestarts(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "ticks")
	w.apply(t, "ticks", `kind: Workflow
name: hourly
triggers: [{schedule: {cron: "30 * * * *", timezone: UTC, catch_up: all, overlap: allow}}]
steps: [{id: a, assign: {x: 1}}]
---
kind: Workflow
name: paused
triggers: [{schedule: {cron: "30 * * * *", timezone: UTC, catch_up: all, overlap: allow}}]
steps: [{id: a, assign: {x: 1}}]
`)
	schedules, err := w.admin.schedules.ListSchedules(t.Context(), &regiev1.ListSchedulesRequest{Namespace: "ticks"})
	if err != nil || len(schedules.GetSchedules()) != 2 {
		t.Fatal(schedules, err)
	}
	paused := schedules.GetSchedules()[1]
	pause := func(paused bool, s *regiev1.Schedule) {
		a, err := w.admin.schedules.PauseSchedule(t.Context(), &regiev1.PauseScheduleRequest{
			Namespace: "ticks", Workflow: s.GetWorkflow(), Schedule: s.GetId(), Paused: paused, Reason: "maintenance",
		})
		if err != nil || a.GetSchedule().GetPaused() != paused || paused && a.GetSchedule().GetPausedBy() != "user/admin" {
			t.Fatal(a, err)
		}
	}
	pause(true, paused)
	runs := func(workflow string) []*regiev1.Run {
		a, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "ticks", Filter: "name:" + workflow + " trigger:schedule"})
		if err != nil {
			t.Fatal(err)
		}
		return a.GetRuns()
	}
	next := schedules.GetSchedules()[0].GetNextAt().AsTime()
	if next.Minute() != 30 || time.Until(next) > time.Hour {
		t.Errorf("the next tick is at %v", next)
	}
	// Down until after the fifth tick.
	ahead := time.Until(next) + 4*time.Hour + time.Minute
	for range 3 {
		w.restart(t, options{clock: shifted{by: ahead}})
		eventually(t, "the ticks were caught up with", func() bool { return len(runs("hourly")) >= 5 })
	}
	if all := runs("hourly"); len(all) != 5 {
		t.Errorf("%d runs for five ticks: %v", len(all), all)
	}
	if all := runs("paused"); len(all) != 0 {
		t.Errorf("paused, and started %v", all)
	}
	pause(false, paused)
	w.restart(t, options{clock: shifted{by: ahead + time.Hour}})
	eventually(t, "both go on", func() bool { return len(runs("hourly")) == 6 && len(runs("paused")) == 1 })
	for _, r := range runs("hourly") {
		if r.GetActor() != "system/schedule" || !strings.HasPrefix(r.GetTrigger(), "schedule/") {
			t.Errorf("started by %v", r)
		}
	}
}

// TestScheduleComesBack: a schedule that was removed and is applied again is a
// new one: it is not paused, and what lies between is not caught up with.
func TestScheduleComesBack(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "back")
	const hourly = "kind: Workflow\nname: %s\ntriggers: [{schedule: {cron: \"30 * * * *\", timezone: UTC, catch_up: all, overlap: allow}}]\n" +
		"steps: [{id: a, assign: {x: 1}}]\n"
	const manual = "kind: Workflow\nname: %s\nsteps: [{id: a, assign: {x: 1}}]\n"
	list := func() []*regiev1.Schedule {
		a, err := w.admin.schedules.ListSchedules(t.Context(), &regiev1.ListSchedulesRequest{Namespace: "back"})
		if err != nil {
			t.Fatal(err)
		}
		return a.GetSchedules()
	}
	kept := func() []string {
		read, err := home.View(t.Context(), filepath.Join(w.dir, "data"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := read.Store.Objects(t.Context(), "schedule", store.ObjectID{Kind: "schedule"}, 10)
		if err := errors.Join(err, read.Close()); err != nil {
			t.Fatal(err)
		}
		return namesOf(rows, func(o store.Object) string { return o.Name })
	}
	for _, name := range []string{"deleted", "emptied", "stays"} {
		w.apply(t, "back", fmt.Sprintf(hourly, name))
	}
	for _, s := range list() {
		if _, err := w.admin.schedules.PauseSchedule(t.Context(), &regiev1.PauseScheduleRequest{
			Namespace: "back", Workflow: s.GetWorkflow(), Schedule: s.GetId(), Paused: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are remembered", func() bool { return len(kept()) == 3 })
	if _, err := w.admin.workflows.DeleteWorkflow(t.Context(), &regiev1.DeleteWorkflowRequest{Namespace: "back", Workflow: "deleted"}); err != nil {
		t.Fatal(err)
	}
	w.apply(t, "back", fmt.Sprintf(manual, "emptied"))
	eventually(t, "those that are gone are forgotten", func() bool { return len(kept()) == 1 })
	w.restart(t, options{clock: shifted{by: 5 * time.Hour}})
	for _, name := range []string{"deleted", "emptied", "stays"} {
		w.apply(t, "back", fmt.Sprintf(hourly, name))
	}
	eventually(t, "all are remembered again", func() bool { return len(kept()) == 3 })
	for _, s := range list() {
		if s.GetPaused() != (s.GetWorkflow() == "stays") {
			t.Errorf("paused: %v", s)
		}
	}
	// Of the one that stayed, nothing of the pause is caught up with either.
	w.restart(t, options{clock: shifted{by: 6 * time.Hour}})
	runs := func() []string {
		a, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "back", Filter: "sort:name"})
		if err != nil {
			t.Fatal(err)
		}
		return namesOf(a.GetRuns(), (*regiev1.Run).GetWorkflow)
	}
	eventually(t, "the next tick", func() bool { return slices.Equal(slices.Compact(runs()), []string{"deleted", "emptied"}) })
	if got := runs(); len(got) > 4 { // in an hour and some seconds there are two ticks at most
		t.Errorf("runs of %q", got)
	}
}

// TestPagesOfSchedules: pages have every schedule of a workflow, whatever the
// order in which it has them.
func TestPagesOfSchedules(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "pages")
	w.apply(t, "pages", `kind: Workflow
name: three
triggers:
  - schedule: {id: c, cron: "1 * * * *"}
  - schedule: {id: a, cron: "2 * * * *"}
  - schedule: {id: b, cron: "3 * * * *"}
steps: [{id: a, assign: {x: 1}}]
`)
	var got []string
	for token := ""; ; {
		a, err := w.admin.schedules.ListSchedules(t.Context(), &regiev1.ListSchedulesRequest{Namespace: "pages", PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, namesOf(a.GetSchedules(), (*regiev1.Schedule).GetId)...)
		if token = a.GetNextPageToken(); token == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("schedules %q", got)
	}
}

// TestUnreadableProgram: a program that cannot be read any more keeps neither the
// server nor other workflows from working, and its schedules are not forgotten.
func TestUnreadableProgram(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "unread")
	for _, name := range []string{"newer", "whole"} {
		w.apply(t, "unread", "kind: Workflow\nname: "+name+"\ntriggers: [{schedule: {cron: \"30 * * * *\"}}]\nsteps: [{id: a, assign: {x: 1}}]\n")
	}
	remembered := func() bool {
		objects, err := func() ([]store.Object, error) {
			read, err := home.View(t.Context(), filepath.Join(w.dir, "data"))
			if err != nil {
				return nil, err
			}
			defer read.Close()
			return read.Store.Objects(t.Context(), "schedule", store.ObjectID{Kind: "schedule"}, 10)
		}()
		return err == nil && len(objects) == 2
	}
	eventually(t, "both are remembered", remembered)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if err := renew(t.Context(), filepath.Join(w.dir, "data"), "unread", "newer"); err != nil {
		t.Fatal(err)
	}
	again, err := open(options{dir: w.dir, with: w})
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
	a, err := w.admin.workflows.ListWorkflows(t.Context(), &regiev1.ListWorkflowsRequest{Namespace: "unread"})
	if err != nil || len(a.GetWorkflows()) != 2 || len(a.GetWorkflows()[0].GetSchedules()) != 0 || len(a.GetWorkflows()[1].GetSchedules()) != 1 {
		t.Error(a, err)
	}
	if !strings.Contains(w.log.String(), "read the schedules of workflow unread/newer") {
		t.Error("it is not logged")
	}
	if !remembered() {
		t.Error("what was known of the schedule is forgotten")
	}
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "unread", Workflow: "whole"})
	w.ended(t, "unread", run.GetId())
}

// renew gives a workflow a program in a format that this Regie does not know, as
// if a newer one had stored it.
func renew(ctx context.Context, dir, namespace, name string) (err error) {
	f, err := home.Open(ctx, dir, datadir.Owner{Command: "test"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lease, err := f.Store.Acquire(ctx, "test")
	if err != nil {
		return err
	}
	object, err := f.Store.Object(ctx, store.ObjectID{Kind: "workflow", Namespace: namespace, Name: name})
	if err != nil {
		return err
	}
	var now catalog.Workflow
	if err := json.Unmarshal(object.Data, &now); err != nil {
		return err
	}
	program := store.Program{Data: []byte(`{"format":4711}`)}
	program.Hash = sha256.Sum256(program.Data)
	data := strings.ReplaceAll(string(object.Data), now.Program, hex.EncodeToString(program.Hash[:]))
	return f.Store.Commit(ctx, &store.Batch{
		Sequence: lease.LastSequence + 1, Incarnation: lease.Incarnation, At: time.Now(), Programs: []store.Program{program},
		Objects: []store.Object{{ObjectID: object.ObjectID, Revision: object.Revision + 1, Data: []byte(data)}},
	})
}
