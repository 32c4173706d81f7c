package api

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
)

// MaxTimetable is of how many schedules ticks are listed together.
const MaxTimetable = 2000

// upcoming is a schedule with its next tick.
type upcoming struct {
	*Scheduled

	at time.Time
}

// ListTicks lists the next ticks of schedules in the order of time.
func (a *API) ListTicks(ctx context.Context, m *regiev1.ListTicksRequest) (*regiev1.ListTicksResponse, error) {
	limit := int(m.GetLimit())
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 1 || limit > MaxTicks {
		return nil, invalid("limit", "it is %d; it lies between 1 and %d", m.GetLimit(), MaxTicks)
	}
	if m.GetUntil() != nil && !m.GetUntil().IsValid() {
		return nil, invalid("until", "it is no instant")
	}
	next, more, err := a.upcoming(ctx, m)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.ListTicksResponse{Truncated: more}
	for len(next) > 0 && len(out.GetTicks()) < limit {
		first := 0
		for i := range next {
			if next[i].at.Before(next[first].at) {
				first = i
			}
		}
		s := &next[first]
		if m.GetUntil() != nil && !s.at.Before(m.GetUntil().AsTime()) {
			break
		}
		out.Ticks = append(out.Ticks, &regiev1.Tick{
			At: timestamppb.New(s.at), Namespace: s.Key.Namespace, Workflow: s.Key.Workflow, Schedule: s.Key.ID,
		})
		if tick, ok := s.Times.Next(s.at); ok {
			s.at = tick.At
		} else {
			next = slices.Delete(next, first, first+1)
		}
	}
	return out, nil
}

// upcoming finds the schedules that a request names, each with its next tick.
func (a *API) upcoming(ctx context.Context, m *regiev1.ListTicksRequest) (out []upcoming, more bool, failed error) {
	now := a.cfg.Now()
	a.each(ctx, m.GetNamespace(), access.WorkflowsRead, func(namespace string) {
		for _, w := range a.cfg.Catalog.Workflows(namespace) {
			if m.GetWorkflow() != "" && w.Name != m.GetWorkflow() {
				continue
			}
			of, err := a.cfg.Timetable.Of(ctx, namespace, w.Name)
			if err != nil {
				failed = err
			}
			for i := range of {
				tick, ok := of[i].Times.Next(now)
				switch {
				case of[i].Paused || !ok:
				case len(out) == MaxTimetable:
					more = true
				default:
					out = append(out, upcoming{&of[i], tick.At})
				}
			}
		}
	})
	return out, more, failed
}
