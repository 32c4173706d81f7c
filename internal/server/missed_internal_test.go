package server

import (
	"context"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/trigger/schedule"
)

// empty is a store without objects.
type empty struct{}

func (empty) Object(context.Context, store.ObjectID) (store.Object, error) {
	return store.Object{}, store.ErrNotFound
}

func (empty) Objects(context.Context, string, store.ObjectID, int) ([]store.Object, error) {
	return nil, nil
}

// TestMissedTicksAreCountedWhenRecorded: a tick of which nothing was recorded is
// not counted as missed: it is tried again, or its workflow is gone.
func TestMissedTicksAreCountedWhenRecorded(t *testing.T) {
	t.Parallel()
	c := catalog.New(catalog.Config{Now: time.Now})
	r, err := registry.Open(t.Context(), empty{}, nil, c.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(r)
	counted := 0
	times := &timetable{starter: &starter{catalog: c, clock: clock.Real{}}, missed: func(_ schedule.Why, ticks int) { counted += ticks }}
	miss := schedule.Miss{Why: schedule.WhyLate, Count: 3}
	miss.Schedule = &schedule.Schedule{Key: schedule.Key{Namespace: "n", Workflow: "gone", ID: "a"}}
	miss.BusinessDate = calendar.Date{Year: 2026, Month: 11, Day: 23}
	if err := times.Miss(t.Context(), miss); err != nil || counted != 0 {
		t.Errorf("%d ticks counted, %v", counted, err)
	}
}
