package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// desk hands out what runs offer to workers outside: to each worker that asks
// something else, the oldest first. It remembers what it saw when it last looked
// at the runs in memory, and looks again only if it has nothing for a worker who
// has asked since. So it is looked at most once at a time, however many ask, and
// what a thousand steps offer is found at once. What it hands out may be gone by
// then: whoever gets it still has to take it.
type desk struct {
	asked atomic.Uint64

	mu   sync.Mutex
	seen uint64 // who asked up to here has been looked for
	work map[counter][]offered
}

// counter is where workers ask: the last part of an activity's name.
type counter struct{ namespace, name string }

// offered is an attempt whose work is offered.
type offered struct {
	activity string
	run      store.RunID
	act      engine.ActID
	attempt  int
	since    time.Time
}

// survey is Survey of the runtime.
type survey func(ctx context.Context, look func(runtime.View) bool) error

// ask begins a question, which next answers as of now or later.
func (d *desk) ask() (question uint64) { return d.asked.Add(1) }

// next hands out work of an activity; false if there is none.
func (d *desk) next(ctx context.Context, question uint64, look survey, namespace, activity string) (offered, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.pick(namespace, activity)
	if ok || d.seen >= question {
		return o, ok, nil
	}
	asked, work := d.asked.Load(), map[counter][]offered{}
	if err := look(ctx, func(v runtime.View) bool { collect(work, v); return true }); err != nil {
		return offered{}, false, err
	}
	for _, queue := range work {
		slices.SortFunc(queue, func(a, b offered) int {
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.run, b.run), cmp.Compare(a.act, b.act))
		})
	}
	d.work, d.seen = work, asked
	o, ok = d.pick(namespace, activity)
	return o, ok, nil
}

// collect puts what a run offers onto the desk.
func collect(work map[counter][]offered, v runtime.View) {
	if v.Run == nil { // it is in quarantine
		return
	}
	for id, a := range v.Run.Acts {
		if a.Phase != engine.PhaseMessage || !v.Machine.Offered(v.Run, a) {
			continue
		}
		activity := v.Machine.Activity(v.Run, a)
		at := counter{v.Row.Namespace, lastPart(activity)}
		work[at] = append(work[at], offered{activity: activity, run: v.Row.ID, act: id, attempt: a.Attempt, since: a.Since})
	}
}

// pick takes the first that fits from the desk.
func (d *desk) pick(namespace, activity string) (offered, bool) {
	at := counter{namespace, lastPart(activity)}
	queue := d.work[at]
	i := slices.IndexFunc(queue, func(o offered) bool { return activity == at.name || activity == o.activity })
	if i < 0 {
		return offered{}, false
	}
	o := queue[i]
	if i == 0 {
		d.work[at] = queue[1:]
	} else {
		d.work[at] = slices.Delete(queue, i, i+1)
	}
	return o, true
}

// lastPart is the name in an ARN, and a name itself.
func lastPart(activity string) string { return activity[strings.LastIndexByte(activity, ':')+1:] }
