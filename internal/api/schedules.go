package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/trigger/schedule"
)

// MaxTicks is how many of the next ticks are told at once.
const MaxTicks = 1000

// Timetable is what the API knows of schedules.
type Timetable interface {
	// Of lists the schedules of a workflow.
	Of(ctx context.Context, namespace, workflow string) ([]Scheduled, error)
	// Pause pauses or resumes a schedule.
	Pause(ctx context.Context, key schedule.Key, paused bool, by store.Entry) (uint64, error)
}

// Scheduled is a schedule with what was done about it.
type Scheduled struct {
	schedule.Schedule

	By, Reason string    // who paused or resumed it, and why
	Last       time.Time // every tick up to it was considered
}

func (a *API) schedulesOf(ctx context.Context, namespace, workflow string) ([]*regiev1.Schedule, error) {
	all, err := a.cfg.Timetable.Of(ctx, namespace, workflow)
	if err != nil {
		return nil, err
	}
	out := make([]*regiev1.Schedule, 0, len(all))
	for i := range all {
		out = append(out, a.schedule(&all[i]))
	}
	return out, nil
}

// schedule is a schedule as the API shows it.
func (a *API) schedule(s *Scheduled) *regiev1.Schedule {
	out := &regiev1.Schedule{
		Namespace: s.Key.Namespace, Workflow: s.Key.Workflow, Id: s.Key.ID, Cron: cronText(s.Times.Crons),
		Zone: s.Times.Zone.String(), CatchUp: string(s.CatchUp), Overlap: string(s.Overlap), Paused: s.Paused, LastAt: timeOf(s.Last),
	}
	if s.Paused {
		out.PausedBy, out.PausedReason = s.By, s.Reason
	} else if ticks := a.ticks(s, 1); len(ticks) > 0 {
		out.NextAt = ticks[0]
	}
	return out
}

// cronText is the expressions on one line.
func cronText(crons []calendar.Cron) string {
	texts := make([]string, len(crons))
	for i, c := range crons {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}

// ticks are the next ticks.
func (a *API) ticks(s *Scheduled, n int) []*timestamppb.Timestamp {
	var out []*timestamppb.Timestamp
	at := a.cfg.Now()
	for len(out) < n {
		tick, ok := s.Times.Next(at)
		if !ok {
			break
		}
		out = append(out, timestamppb.New(tick.At))
		at = tick.At
	}
	return out
}

// ListSchedules lists schedules.
func (a *API) ListSchedules(ctx context.Context, m *regiev1.ListSchedulesRequest) (*regiev1.ListSchedulesResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	var all []Scheduled
	var failed error
	a.each(ctx, m.GetNamespace(), access.WorkflowsRead, func(namespace string) {
		for _, w := range a.cfg.Catalog.Workflows(namespace) {
			of, err := a.cfg.Timetable.Of(ctx, namespace, w.Name)
			if err != nil {
				failed = err
			}
			all = append(all, of...)
		}
	})
	if failed != nil {
		return nil, failure(failed)
	}
	name := func(s Scheduled) string { return s.Key.Namespace + "\x00" + s.Key.Workflow + "\x00" + s.Key.ID }
	slices.SortFunc(all, func(x, y Scheduled) int { return strings.Compare(name(x), name(y)) })
	all, next, err := page(all, name, m.GetPageToken(), "schedules\n"+m.GetNamespace(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListSchedulesResponse{NextPageToken: next}
	for i := range all {
		out.Schedules = append(out.Schedules, a.schedule(&all[i]))
	}
	return out, nil
}

// findSchedule finds a schedule of a workflow.
func (a *API) findSchedule(ctx context.Context, namespace, workflow, id string) (*Scheduled, error) {
	all, err := a.cfg.Timetable.Of(ctx, namespace, workflow)
	if err != nil {
		return nil, failure(err)
	}
	for i := range all {
		if all[i].Key.ID == id {
			return &all[i], nil
		}
	}
	return nil, refuse(connect.CodeNotFound, "schedule_not_found", "workflow "+workflow+" has no schedule "+id, "`regie schedules` lists them")
}

// GetSchedule shows a schedule with its next ticks.
func (a *API) GetSchedule(ctx context.Context, m *regiev1.GetScheduleRequest) (*regiev1.GetScheduleResponse, error) {
	if m.GetTicks() < 0 || m.GetTicks() > MaxTicks {
		return nil, invalid("ticks", "it is %d; it lies between 0 and %d", m.GetTicks(), MaxTicks)
	}
	s, err := a.findSchedule(ctx, m.GetNamespace(), m.GetWorkflow(), m.GetSchedule())
	if err != nil {
		return nil, err
	}
	return &regiev1.GetScheduleResponse{Schedule: a.schedule(s), Ticks: a.ticks(s, int(m.GetTicks()))}, nil
}

// PauseSchedule pauses or resumes a schedule.
func (a *API) PauseSchedule(ctx context.Context, m *regiev1.PauseScheduleRequest) (*regiev1.PauseScheduleResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	s, err := a.findSchedule(ctx, m.GetNamespace(), m.GetWorkflow(), m.GetSchedule())
	if err != nil {
		return nil, err
	}
	position, err := a.cfg.Timetable.Pause(ctx, s.Key, m.GetPaused(), a.by(ctx, m.GetReason()))
	if err != nil {
		return nil, failure(err)
	}
	if s, err = a.findSchedule(ctx, m.GetNamespace(), m.GetWorkflow(), m.GetSchedule()); err != nil {
		return nil, err
	}
	return &regiev1.PauseScheduleResponse{Schedule: a.schedule(s), Position: position}, nil
}
