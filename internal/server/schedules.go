package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/trigger/schedule"
	"github.com/regie-dev/regie/internal/value"
)

// triggerSchedule begins the trigger of runs that a schedule started.
const triggerSchedule = "schedule/"

// scheduled is what is remembered of a schedule, by workflow and ID.
type scheduled struct {
	// Since is when it was first applied, last resumed, or given other times;
	// Times are those that it has, and Defined says that its definition pauses it.
	Since   time.Time `json:"since"`
	Times   string    `json:"times"`
	Defined bool      `json:"defined_paused,omitempty"`
	// Paused and Resumed say what somebody did by hand, which goes before what
	// the definition says.
	Paused  bool           `json:"paused,omitempty"`
	Resumed bool           `json:"resumed,omitempty"`
	By      string         `json:"by,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	State   schedule.State `json:"state"`
}

// timetable joins the schedules of the catalog to the service that starts their
// runs.
type timetable struct {
	catalog  *catalog.Catalog
	machines *runtime.Machines
	store    store.Store
	registry *registry.Registry
	table    *registry.Table[scheduled]
	starter  *starter
	now      func() time.Time
	missed   func(why schedule.Why, ticks int) // counts them
	log      *slog.Logger
}

var (
	_ schedule.Schedules = (*timetable)(nil)
	_ schedule.Runs      = (*timetable)(nil)
	_ schedule.Ledger    = (*timetable)(nil)
	_ api.Timetable      = (*timetable)(nil)
)

// place is where the table has a schedule.
func place(key schedule.Key) (namespace, name string) {
	return key.Namespace, key.Workflow + "/" + key.ID
}

// keyIn names the schedule that the table has at a place.
func keyIn(item *registry.Item[scheduled]) schedule.Key {
	workflow, id, _ := strings.Cut(item.Name, "/")
	return schedule.Key{Namespace: item.Namespace, Workflow: workflow, ID: id}
}

// Schedules lists the schedules in force.
func (t *timetable) Schedules(ctx context.Context) ([]schedule.Schedule, error) {
	var out []schedule.Schedule
	zones := schedule.Zones{}
	read := map[workflowName]string{}
	for _, item := range t.catalog.All() {
		of, err := t.of(ctx, &item, zones)
		switch {
		case errors.Is(err, errUnreadable):
			t.log.ErrorContext(ctx, "schedules of a workflow start nothing", "error", err)
			continue
		case err != nil:
			return nil, err
		}
		out = append(out, of...)
		read[workflowName{item.Namespace, item.Name}] = item.Value.Version
	}
	if err := t.begin(ctx, out, read); err != nil {
		return nil, err
	}
	for i := range out {
		t.fill(&out[i])
	}
	return out, nil
}

// Of lists the schedules of one workflow: none if its program cannot be read,
// which [timetable.Schedules] reports.
func (t *timetable) Of(ctx context.Context, namespace, workflow string) ([]api.Scheduled, error) {
	item, ok := t.catalog.Workflow(namespace, workflow)
	if !ok {
		return nil, nil
	}
	all, err := t.of(ctx, &item, schedule.Zones{})
	if err != nil && !errors.Is(err, errUnreadable) {
		return nil, err
	}
	out := make([]api.Scheduled, 0, len(all))
	for i := range all {
		s := t.fill(&all[i])
		out = append(out, api.Scheduled{Schedule: all[i], By: s.By, Reason: s.Reason, Last: s.State.Through})
	}
	return out, nil
}

// errUnreadable: the schedules of a workflow cannot be read, now or later. Other
// workflows do without it.
var errUnreadable = errors.New("it cannot be used as it is stored")

func (t *timetable) of(ctx context.Context, item *registry.Item[catalog.Workflow], zones schedule.Zones) ([]schedule.Schedule, error) {
	if item.Value.Version == "" {
		return nil, nil // nothing is in force yet
	}
	machine, err := t.machines.Stored(ctx, t.store, item.Value.Hash())
	if runtime.Unreadable(err) {
		err = fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the schedules of workflow %s/%s: %w", item.Namespace, item.Name, err)
	}
	of, err := schedule.Of(machine.Program(), t.now(), zones)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w: %w", item.Namespace, errUnreadable, err)
	}
	return of, nil
}

// fill sets what was done by hand.
func (t *timetable) fill(s *schedule.Schedule) scheduled {
	known, ok := t.table.Get(place(s.Key))
	if ok {
		s.Since = known.Since
		s.Paused = known.Paused || s.Paused && !known.Resumed
	}
	return known
}

// timesOf says when a schedule fires, as a text that is equal for equal times.
func timesOf(s *schedule.Schedule) string {
	parts := []string{s.Zone, s.Times.Zone.String(), s.Times.Days.Name()}
	for _, c := range s.Times.Crons {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, "\n")
}

// workflowName names a workflow.
type workflowName struct{ namespace, name string }

// begin notes since when schedules are in force that are new, or fire at other
// times than before, and forgets those that are not any more: if they come back,
// they are new. They were read from these versions of the workflows.
func (t *timetable) begin(ctx context.Context, all []schedule.Schedule, read map[workflowName]string) error {
	_, err := t.registry.Update(ctx, func(tx *registry.Tx) error {
		there := make(map[schedule.Key]bool, len(all))
		for i := range all {
			there[all[i].Key] = true
			t.follow(tx, &all[i])
		}
		for _, row := range t.table.All() {
			key := keyIn(&row)
			if there[key] {
				continue
			}
			of, found := t.catalog.Workflow(key.Namespace, key.Workflow)
			version, known := read[workflowName{key.Namespace, key.Workflow}]
			if !found || known && of.Value.Version == version {
				t.table.Delete(tx, row.Namespace, row.Name)
			}
		}
		return nil
	})
	return err
}

// follow notes since when a schedule is in force.
func (t *timetable) follow(tx *registry.Tx, s *schedule.Schedule) {
	namespace, name := place(s.Key)
	known, there := t.table.Get(namespace, name)
	times, paused := timesOf(s), s.Paused
	if there && known.Times == times && known.Defined == paused {
		return
	}
	if !there || known.Times != times || known.Defined && !paused {
		known.Since = s.Since
	}
	known.Times, known.Defined = times, paused
	t.table.Put(tx, namespace, name, known)
}

// Pause pauses or resumes a schedule. What it was before does not matter; ticks
// of the pause are not made up for.
func (t *timetable) Pause(ctx context.Context, key schedule.Key, paused bool, by store.Entry) (uint64, error) {
	namespace, name := place(key)
	action := "schedule.resume"
	if paused {
		action = "schedule.pause"
	}
	return t.registry.Update(ctx, func(tx *registry.Tx) error {
		known, _ := t.table.Get(namespace, name)
		if !paused && (known.Paused || known.Defined && !known.Resumed) {
			known.Since = t.now() // ticks of the pause are not made up for
		}
		known.Paused, known.Resumed, known.By, known.Reason = paused, !paused, by.Actor, by.Reason
		t.table.Put(tx, namespace, name, known)
		by.Action, by.Namespace, by.Object, by.Outcome = action, namespace, "schedule/"+name, "done"
		tx.Record(by)
		return nil
	})
}

// States are what was recorded.
func (t *timetable) States(context.Context) (map[schedule.Key]schedule.State, error) {
	out := map[schedule.Key]schedule.State{}
	for _, item := range t.table.All() {
		out[keyIn(&item)] = item.Value.State
	}
	return out, nil
}

// Record replaces the state of a schedule, unless it was removed meanwhile.
func (t *timetable) Record(ctx context.Context, key schedule.Key, state schedule.State) error {
	namespace, name := place(key)
	_, err := t.registry.Update(ctx, func(tx *registry.Tx) error {
		known, there := t.table.Get(namespace, name)
		if !there {
			return nil
		}
		known.State = state
		t.table.Put(tx, namespace, name, known)
		return nil
	})
	return err
}

// Start starts the run of a tick.
func (t *timetable) Start(ctx context.Context, s schedule.Start) error {
	_, err := t.start(ctx, &s, "", "")
	return err
}

// Miss records a skipped run.
func (t *timetable) Miss(ctx context.Context, m schedule.Miss) error {
	news, err := t.start(ctx, &m.Start, engine.ReasonMissed, m.Message())
	if err == nil && news {
		t.missed(m.Why, m.Count)
	}
	return err
}

// start starts a run, and says whether it is a new one.
func (t *timetable) start(ctx context.Context, s *schedule.Start, skip engine.Reason, reason string) (news bool, err error) {
	input := value.Object()
	if s.Schedule.Inputs != nil {
		input = s.Schedule.Inputs.Const
	}
	accepted, err := t.starter.Start(ctx, api.Start{
		Namespace: s.Schedule.Key.Namespace, Workflow: s.Schedule.Key.Workflow, Input: input,
		BusinessDate: s.BusinessDate.String(), Planned: s.Tick.At, Key: s.Key, KeyForever: true, Skip: skip,
		Trigger: triggerSchedule + s.Schedule.Key.ID,
		By:      store.Entry{Actor: "system/schedule", Reason: reason, Outcome: "done"},
	})
	var refused *runtime.InputError
	switch {
	case errors.As(err, &refused) && skip == "":
		return false, fmt.Errorf("%w: %w", schedule.ErrRefused, err)
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrNotInForce): // it was removed meanwhile
		return false, nil
	case errors.Is(err, runtime.ErrConflict): // the tick of an earlier version
		return false, nil
	}
	return err == nil && !accepted.Existing, err
}

// Live reports whether a run of the schedule has not ended.
func (t *timetable) Live(ctx context.Context, key schedule.Key) (bool, error) {
	rows, err := t.store.LiveRuns(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(rows, func(r store.RunRow) bool { return keyOf(&r) == key }), nil
}

// keyOf names the schedule that started a run; of others it has no ID.
func keyOf(r *store.RunRow) schedule.Key {
	id, ok := strings.CutPrefix(r.Trigger, triggerSchedule)
	if !ok {
		return schedule.Key{}
	}
	return schedule.Key{Namespace: r.Namespace, Workflow: r.Workflow, ID: id}
}
