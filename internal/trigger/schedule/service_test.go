package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/trigger/schedule"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

var key = schedule.Key{Namespace: "n", Workflow: "w", ID: "s"}

// hourly is a schedule that is in force from now on.
func hourly(t *testing.T, change func(*schedule.Schedule)) schedule.Schedule {
	t.Helper()
	s := schedule.Schedule{
		Key: key, Times: timetable(t, "UTC", "0 * * * *"), Since: time.Now(),
		CatchUp: workflow.CatchUpLatest, Overlap: workflow.OverlapAllow,
	}
	if change != nil {
		change(&s)
	}
	return s
}

func want(t *testing.T, d *disk, nominals ...string) {
	t.Helper()
	got := d.nominals()
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], "2000-01-01T")
	}
	if !slices.Equal(got, nominals) {
		t.Errorf("runs %q, not %q", got, nominals)
	}
	if len(d.wrong) > 0 {
		t.Errorf("wrong: %q", d.wrong)
	}
}

// TestStartsOnTime: in a bubble the clock begins at midnight of 2000-01-01, UTC.
func TestStartsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(hourly(t, func(s *schedule.Schedule) { s.BusinessDate = &workflow.BusinessDate{Calendar: "weekdays", Offset: -1} }))
		var mu sync.Mutex
		var late []time.Duration
		p := d.begin(t, schedule.Config{Lateness: func(_ schedule.Key, by time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			late = append(late, by)
		}})
		pass(3*time.Hour + 30*time.Minute)
		want(t, d, "01:00", "02:00", "03:00")
		for _, r := range d.order {
			if !r.at.Equal(r.start.Tick.At) || r.start.BusinessDate.String() != "1999-12-31" {
				t.Errorf("%s started at %s for %s", r.start.Tick.Nominal, r.at, r.start.BusinessDate)
			}
		}
		if d.order[0].start.Key != "schedule/w/s/2000-01-01T01:00[UTC]" {
			t.Errorf("key %q", d.order[0].start.Key)
		}
		if mu.Lock(); !slices.Equal(late, []time.Duration{0, 0, 0}) {
			t.Errorf("late by %v", late)
		}
		mu.Unlock()
		p.stop(t)
		p.stop(t)
		if err := p.service.Start(t.Context()); err != nil {
			t.Error(err)
		}
		pass(time.Hour)
		want(t, d, "01:00", "02:00", "03:00")
	})
}

func TestFailuresLoseNoTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(hourly(t, nil))
		p := d.begin(t, schedule.Config{})
		var mu sync.Mutex
		var tries []time.Duration
		begin := time.Now()
		p.failWith(func(schedule.Start) error {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, time.Since(begin)-time.Hour)
			if len(tries) < 5 {
				return errors.New("busy")
			}
			return nil
		})
		pass(time.Hour + time.Minute)
		want(t, d, "01:00")
		backoff := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond, 1500 * time.Millisecond}
		if !slices.Equal(tries, backoff) {
			t.Errorf("tried after %v", tries)
		}
		p.failWith(func(schedule.Start) error { return fmt.Errorf("%w: no such input", schedule.ErrRefused) })
		pass(time.Hour)
		p.failWith(nil)
		pass(time.Hour)
		want(t, d, "01:00", "03:00")
		m := d.missed["n schedule/w/s/2000-01-01T02:00[UTC]"]
		if m.Why != schedule.WhyRefused || !strings.Contains(m.Message(), "the tick of 2000-01-01T02:00 was missed: the run was refused: ") {
			t.Errorf("missed %+v: %s", m, m.Message())
		}
		p.stop(t)
	})
}

func TestPauseResumeRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(hourly(t, func(s *schedule.Schedule) { s.CatchUp = workflow.CatchUpAll }))
		p := d.begin(t, schedule.Config{})
		change := func(f func()) {
			d.mu.Lock()
			f()
			d.mu.Unlock()
			p.service.Refresh()
			pass(time.Hour)
		}
		pass(30 * time.Minute)
		change(func() {})
		change(func() { d.list[0].Paused = true })
		change(func() { d.list[0].Paused, d.list[0].Since = false, time.Now().Add(time.Minute) })
		want(t, d, "01:00", "03:00")
		removed := d.list
		change(func() { d.list = nil })
		change(func() { d.list = removed; d.list[0].Since = time.Now() })
		want(t, d, "01:00", "03:00", "05:00")
		// A new version with other times; 05:20 is before it.
		change(func() {
			next := d.list[0]
			next.Times = timetable(t, "UTC", "*/20 * * * *")
			next.Since = time.Now()
			d.list = []schedule.Schedule{next}
		})
		want(t, d, "01:00", "03:00", "05:00", "05:40", "06:00", "06:20")
		if ran, missed := d.count(key); ran != 6 || missed != 0 {
			t.Errorf("%d ran, %d missed", ran, missed)
		}
		p.stop(t)
	})
}

func TestRefreshTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		p := d.begin(t, schedule.Config{})
		dead := func(yes bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			p.dead = yes
		}
		dead(true)
		p.service.Refresh()
		pass(59 * time.Minute)
		d.mu.Lock()
		d.list = []schedule.Schedule{hourly(t, nil)}
		d.mu.Unlock()
		dead(false)
		pass(2 * time.Minute)
		want(t, d, "01:00")
		dead(true)
		p.service.Refresh()
		p.service.Refresh()
		p.stop(t)
	})
}

func TestQueueGoesOnWhenTheRunEnds(t *testing.T) {
	t.Parallel()
	for policy, want := range map[workflow.CatchUpPolicy][]string{
		workflow.CatchUpLatest: {"01:00 at 01:00", "02:00 at 02:35", "03:00 at 04:10", "05:00 at 05:45"},
		workflow.CatchUpAll:    {"01:00 at 01:00", "02:00 at 02:35", "03:00 at 04:10", "04:00 at 05:45"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk(hourly(t, func(s *schedule.Schedule) { s.CatchUp, s.Overlap = policy, workflow.OverlapQueue }))
			d.take = 95 * time.Minute
			p := d.begin(t, schedule.Config{})
			pass(6*time.Hour + 30*time.Minute)
			var got []string
			for _, r := range d.order {
				got = append(got, r.start.Tick.Nominal[11:]+" at "+r.at.UTC().Format("15:04"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q", policy, got)
			}
			p.stop(t)
			pass(2 * time.Hour)
		})
	}
}

func TestStopWhileAStartHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(hourly(t, nil))
		p := &process{disk: d}
		p.service = schedule.NewService(schedule.Config{Schedules: p, Runs: hanging{p}, Ledger: p})
		if err := p.service.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour + time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.service.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped: %v", err)
		}
		if _, recorded := d.states[key]; recorded {
			t.Error("a tick was recorded whose run was not started")
		}
	})
}

// hanging starts nothing until it is canceled.
type hanging struct{ *process }

// Start implements schedule.Runs.
func (hanging) Start(ctx context.Context, _ schedule.Start) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	p := &process{disk: newDisk(), dead: true}
	s := schedule.NewService(schedule.Config{Schedules: p, Runs: p, Ledger: p})
	if err := s.Start(t.Context()); !errors.Is(err, errDead) {
		t.Errorf("started: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	s = schedule.NewService(schedule.Config{Schedules: p, Runs: p, Ledger: p})
	if err := s.Stop(t.Context()); err != nil || s.Start(t.Context()) == nil {
		t.Errorf("started after it was stopped; %v", err)
	}
}

// wall is a clock that can be set.
type wall struct {
	clock.Real

	ahead atomic.Int64
}

func (w *wall) Now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *wall) AfterFunc(at time.Time, f func()) func() bool {
	done := make(chan struct{})
	var once sync.Once
	go func() {
		for w.Now().Before(at) {
			select {
			case <-time.After(time.Second):
			case <-done:
				return
			}
		}
		once.Do(func() { close(done); f() })
	}()
	return func() bool {
		stopped := false
		once.Do(func() { close(done); stopped = true })
		return stopped
	}
}

// TestClockIsSet: ahead, by which ticks are late, and back again, by which none
// runs twice and the schedule goes on at once.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(hourly(t, nil))
		w := &wall{}
		p := d.begin(t, schedule.Config{Clock: w})
		pass(90 * time.Minute)
		w.ahead.Store(int64(4 * time.Hour)) // 05:30
		pass(10 * time.Minute)
		want(t, d, "01:00", "05:00")
		w.ahead.Store(0) // 01:40
		pass(4 * time.Hour)
		want(t, d, "01:00", "05:00") // ticks up to 04:00 are on record as missed, and 05:00 ran
		pass(time.Hour)
		want(t, d, "01:00", "05:00", "06:00")
		p.stop(t)
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many, parallel = 2000, 16
		d := newDisk()
		for i := range many {
			d.list = append(d.list, hourly(t, func(s *schedule.Schedule) { s.Key.ID = fmt.Sprint(i) }))
		}
		p := d.begin(t, schedule.Config{Parallel: parallel})
		var busy, most atomic.Int64
		p.failWith(func(schedule.Start) error {
			for n := busy.Add(1); n > most.Load(); {
				most.Store(n)
			}
			pass(10 * time.Millisecond)
			busy.Add(-1)
			return nil
		})
		pass(time.Hour + 2*time.Second)
		if len(d.runs) != many || most.Load() > parallel || most.Load() < parallel/2 {
			t.Errorf("%d runs, at most %d at once", len(d.runs), most.Load())
		}
		p.stop(t)
	})
}

// TestKilled kills the process at random writes, over nights on which the clocks
// change: each tick starts one run or is recorded as missed, once, and nothing
// overlaps that must not.
func TestKilled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { killed(t, rand.New(rand.NewPCG(seed, 1))) })
		}) {
			break
		}
	}
}

func killed(t *testing.T, r *rand.Rand) {
	nights := []struct{ zone, at string }{
		{"Europe/Amsterdam", "2000-03-25T12:00:00Z"}, {"Europe/Amsterdam", "2000-10-28T12:00:00Z"},
		{"Australia/Lord_Howe", "2000-03-25T00:00:00Z"}, {"America/Sao_Paulo", "2000-10-07T20:00:00Z"},
	}
	night := nights[r.IntN(len(nights))]
	from, err := time.Parse(time.RFC3339, night.at)
	if err != nil {
		t.Fatal(err)
	}
	pass(time.Until(from))
	crons := [][]string{{"*/10 * * * *"}, {"30 2 * * *", "15 0,2,3 * * *"}, {"0,30 0-4 * * *"}, {"7 * * * *"}}
	overlaps := []workflow.Overlap{workflow.OverlapAllow, workflow.OverlapSkip, workflow.OverlapQueue}
	policies := []workflow.CatchUpPolicy{workflow.CatchUpAll, workflow.CatchUpLatest, workflow.CatchUpNone}
	d := newDisk()
	d.take = time.Duration(r.IntN(40)+1) * time.Minute
	for i := range 4 {
		d.list = append(d.list, schedule.Schedule{
			Key: schedule.Key{Namespace: "n", Workflow: "w", ID: fmt.Sprint(i)}, Times: timetable(t, night.zone, crons[r.IntN(len(crons))]...),
			Since: from, CatchUp: policies[r.IntN(len(policies))], Overlap: overlaps[r.IntN(len(overlaps))],
		})
	}
	until := from.Add(40 * time.Hour)
	for time.Now().Before(until) {
		p := d.begin(t, schedule.Config{})
		p.mu.Lock()
		p.kill = 1 + r.IntN(60)
		p.mu.Unlock()
		select {
		case <-p.died:
		case <-time.After(time.Duration(r.IntN(8*60)) * time.Minute):
		}
		p.stop(t)
		if r.IntN(3) == 0 {
			pass(time.Duration(r.IntN(5*60)) * time.Minute)
		}
	}
	p := d.begin(t, schedule.Config{})
	pass(2 * time.Hour)
	until = time.Now()
	p.stop(t)
	pass(time.Hour) // the last runs end
	for i := range d.list {
		s := &d.list[i]
		ticks := map[string]bool{}
		for tick := range s.Times.Between(from, until) {
			ticks["n "+s.TickKey(tick)] = true
		}
		ran, missed := d.count(s.Key)
		if pending := d.pending(s, until); ran+missed+pending != len(ticks) {
			t.Errorf("%s %s %s: %d ticks, %d ran, %d missed, %d wait", s.Key, s.CatchUp, s.Overlap, len(ticks), ran, missed, pending)
		}
		if s.CatchUp == workflow.CatchUpAll && s.Overlap != workflow.OverlapSkip && missed > 0 {
			t.Errorf("%s %s %s: %d missed", s.Key, s.CatchUp, s.Overlap, missed)
		}
		for key, run := range d.runs {
			if run.start.Schedule.Key == s.Key && !ticks[key] {
				t.Errorf("%s is no tick", key)
			}
		}
	}
	if len(d.wrong) > 0 {
		t.Errorf("wrong: %q", d.wrong)
	}
}

// pending is how many ticks have come that wait for a run to end.
func (d *disk) pending(s *schedule.Schedule, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := d.states[s.Key]
	n := 0
	if state.Waiting != nil {
		n++
	}
	from := state.Through
	if s.Since.After(from) {
		from = s.Since
	}
	for range s.Times.Between(from, now) {
		n++
	}
	return n
}

func TestOf(t *testing.T) {
	t.Parallel()
	program := func(change func(*workflow.Schedule)) *workflow.Program {
		s := &workflow.Schedule{
			ID: "s", Cron: []string{"@daily"}, Zone: "Europe/Amsterdam", Calendar: "weekdays", Overlap: workflow.OverlapSkip, Paused: true,
			CatchUp: workflow.CatchUp{Policy: workflow.CatchUpAll, Window: "2d"}, Inputs: workflow.Constant(value.Object()),
		}
		if change != nil {
			change(s)
		}
		return &workflow.Program{Namespace: "n", Name: "w", Zone: "Asia/Tokyo", BusinessDate: &workflow.BusinessDate{Calendar: "weekdays"},
			Triggers: []workflow.Trigger{{}, {Schedule: s}}}
	}
	since := time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC)
	zones := schedule.Zones{}
	list, err := schedule.Of(program(nil), since, zones)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	s := list[0]
	if s.Key != key || s.Key.String() != "n/w/s" || s.CatchUp != workflow.CatchUpAll || s.Window != 48*time.Hour || s.Overlap != workflow.OverlapSkip || !s.Paused ||
		!s.Since.Equal(since) || s.Inputs == nil || s.BusinessDate == nil || s.Zone != "Asia/Tokyo" {
		t.Errorf("%+v", s)
	}
	tick, _ := s.Times.Next(since)
	if tick.Nominal != "2026-03-09T00:00" || s.TickKey(tick) != "schedule/w/s/2026-03-09T00:00[Europe/Amsterdam]" {
		t.Errorf("%+v", tick)
	}
	again, err := schedule.Of(program(nil), since, zones)
	if err != nil || again[0].Times.Zone != s.Times.Zone {
		t.Errorf("the zone is not shared: %v", err)
	}
	if got := (&schedule.Schedule{Key: key}).TickKey(calendar.Tick{Nominal: "x"}); got != "schedule/w/s/x[UTC]" {
		t.Errorf("key %s", got)
	}
	for name, change := range map[string]func(*workflow.Schedule){
		"cron": func(s *workflow.Schedule) { s.Cron = []string{"x"} }, "Nowhere": func(s *workflow.Schedule) { s.Zone = "Nowhere" },
		"calendar": func(s *workflow.Schedule) { s.Calendar = "nl" }, "soon": func(s *workflow.Schedule) { s.CatchUp.Window = "soon" },
	} {
		if _, err := schedule.Of(program(change), since, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
