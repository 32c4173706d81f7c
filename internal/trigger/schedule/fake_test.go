package schedule_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/trigger/schedule"
	"github.com/regie-dev/regie/internal/workflow"
)

var errDead = errors.New("the process is dead")

// disk is what outlives a process.
type disk struct {
	mu     sync.Mutex
	list   []schedule.Schedule
	runs   map[string]*run // by namespace and key
	order  []*run
	missed map[string]schedule.Miss
	states map[schedule.Key]schedule.State
	// take is how long a run takes; 0: until somebody ends it.
	take  time.Duration
	wrong []string // what overlapped
}

type run struct {
	start schedule.Start
	at    time.Time
	ended bool
}

func newDisk(list ...schedule.Schedule) *disk {
	return &disk{list: list, runs: map[string]*run{}, missed: map[string]schedule.Miss{}, states: map[schedule.Key]schedule.State{}}
}

// process is one life of a service: its calls reach the disk until it dies.
type process struct {
	*disk

	service *schedule.Service
	// kill is after how many writes the process dies; 0 never. Odd numbers kill
	// before the write, even ones after it.
	kill int
	dead bool
	died chan struct{} // closed when it does
	// fail gives errors of Start.
	fail func(schedule.Start) error
}

// failWith sets what gives errors of Start; nil: nothing.
func (p *process) failWith(fail func(schedule.Start) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

// write does a write, unless the process is killed before; it reports an error
// when it is dead afterwards. The disk is locked.
func (p *process) write(do func()) error {
	if p.dead {
		return errDead
	}
	before, after := p.kill == 1, p.kill == 2
	p.kill -= 2
	if !before {
		do()
	}
	if before || after {
		p.dead = true
		close(p.died)
		return errDead
	}
	return nil
}

// Schedules implements schedule.Schedules.
func (p *process) Schedules(context.Context) ([]schedule.Schedule, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil, errDead
	}
	return append([]schedule.Schedule(nil), p.list...), nil
}

// Start implements schedule.Runs.
func (p *process) Start(_ context.Context, s schedule.Start) error {
	p.mu.Lock()
	fail := p.fail
	p.mu.Unlock()
	if fail != nil {
		if err := fail(s); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(func() {
		key := s.Schedule.Key.Namespace + " " + s.Key
		if _, missed := p.missed[key]; missed || p.runs[key] != nil {
			return // the key names a run, one that was skipped perhaps
		}
		if s.Schedule.Overlap != workflow.OverlapAllow && p.liveOf(s.Schedule.Key) {
			p.wrong = append(p.wrong, key+" overlaps")
		}
		r := &run{start: s, at: time.Now()}
		p.runs[key] = r
		p.order = append(p.order, r)
		if p.take > 0 {
			time.AfterFunc(p.take, func() { p.end(r) })
		}
	})
}

// end ends a run, and tells the service of this life.
func (p *process) end(r *run) {
	p.mu.Lock()
	r.ended = true
	service := p.service
	p.mu.Unlock()
	service.RunEnded(r.start.Schedule.Key)
}

// Miss implements schedule.Runs.
func (p *process) Miss(_ context.Context, m schedule.Miss) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(func() {
		key := m.Schedule.Key.Namespace + " " + m.Key
		if _, again := p.missed[key]; !again && p.runs[key] == nil {
			p.missed[key] = m
		}
	})
}

func (d *disk) liveOf(key schedule.Key) bool {
	for _, r := range d.runs {
		if r.start.Schedule.Key == key && !r.ended {
			return true
		}
	}
	return false
}

// Live implements schedule.Runs.
func (p *process) Live(_ context.Context, key schedule.Key) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, errDead
	}
	return p.liveOf(key), nil
}

// States implements schedule.Ledger.
func (p *process) States(context.Context) (map[schedule.Key]schedule.State, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil, errDead
	}
	return maps.Clone(p.states), nil
}

// Record implements schedule.Ledger.
func (p *process) Record(_ context.Context, key schedule.Key, state schedule.State) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(func() { p.states[key] = state })
}

// begin starts a life.
func (d *disk) begin(t *testing.T, cfg schedule.Config) *process {
	t.Helper()
	p := &process{disk: d, died: make(chan struct{})}
	cfg.Schedules, cfg.Runs, cfg.Ledger = p, p, p
	p.service = schedule.NewService(cfg)
	if err := p.service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.service.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// nominals are the nominal times of the runs, in the order of their start.
func (d *disk) nominals() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, r := range d.order {
		out = append(out, r.start.Tick.Nominal)
	}
	return out
}

// count is how many ticks of a schedule ran or were missed.
func (d *disk) count(key schedule.Key) (ran, missed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.runs {
		if r.start.Schedule.Key == key {
			ran++
		}
	}
	for _, m := range d.missed {
		if m.Schedule.Key == key {
			missed += m.Count
		}
	}
	return ran, missed
}

func timetable(t testing.TB, zone string, crons ...string) calendar.Timetable {
	t.Helper()
	p := &workflow.Program{Name: "w", Triggers: []workflow.Trigger{{Schedule: &workflow.Schedule{ID: "s", Cron: crons, Zone: zone}}}}
	list, err := schedule.Of(p, time.Time{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Times
}

// pass lets the time of the bubble pass.
func pass(d time.Duration) { <-time.After(d) }
