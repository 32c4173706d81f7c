package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/workflow"
)

func timetable(t testing.TB, zone string, crons ...string) calendar.Timetable {
	t.Helper()
	var table calendar.Timetable
	for _, text := range crons {
		c, err := calendar.ParseCron(text)
		if err != nil {
			t.Fatal(err)
		}
		table.Crons = append(table.Crons, c)
	}
	var err error
	if table.Zone, err = time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	return table
}

// show writes a plan, one step a line; of times of day without date only those
// of 2 March 2026, in UTC, are shown in full.
func show(p Plan) string {
	clock := func(tick calendar.Tick) string { return strings.TrimPrefix(tick.Nominal, "2026-03-02T") }
	var b strings.Builder
	for _, step := range p.Steps {
		switch {
		case step.Fold != nil:
			fmt.Fprintf(&b, "miss %d %s to %s %s", step.Fold.Count, clock(step.Fold.First), clock(step.Fold.Last), step.Why)
		case step.Do == DoRecord && step.State.Folding != nil:
			b.WriteString("fold")
		case step.Do == DoRecord && step.State.Waiting != nil:
			fmt.Fprintf(&b, "wait %s", clock(*step.State.Waiting))
		case step.Do == DoRecord:
			fmt.Fprintf(&b, "through %s", step.State.Through.Format("15:04:05"))
		default:
			fmt.Fprintf(&b, "%s %s %s", step.Do, clock(step.Tick), step.Why)
		}
		b.WriteString("\n")
	}
	if !p.Wake.IsZero() {
		fmt.Fprintf(&b, "wake %s\n", p.Wake.Format("15:04"))
	}
	if p.Waits {
		b.WriteString("waits\n")
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestNext(t *testing.T) {
	t.Parallel()
	at := func(clock string) time.Time {
		c, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, 2, c.Hour(), c.Minute(), c.Second(), 0, time.UTC)
	}
	tick := func(clock string) *calendar.Tick {
		return &calendar.Tick{Nominal: "2026-03-02T" + clock[:5], At: at(clock)}
	}
	const all, latest, none = workflow.CatchUpAll, workflow.CatchUpLatest, workflow.CatchUpNone
	const allow, skip, queue = workflow.OverlapAllow, workflow.OverlapSkip, workflow.OverlapQueue
	for _, test := range []struct {
		name     string
		schedule Schedule // hourly
		state    State
		now      string
		live     bool
		want     string
	}{
		{"nothing yet", Schedule{CatchUp: all, Overlap: allow}, State{Through: at("10:00:00")}, "10:59:59", false, "wake 11:00\n"},
		{"on the dot", Schedule{CatchUp: none, Overlap: allow}, State{Through: at("10:00:00")}, "11:00:00", false, "start 11:00\n"},
		{"still on time", Schedule{CatchUp: none, Overlap: allow}, State{Through: at("10:00:00")}, "11:01:00", false, "start 11:00\n"},
		{"late", Schedule{CatchUp: none, Overlap: allow}, State{Through: at("10:00:00")}, "11:01:01", false, "miss 11:00 late\n"},
		{"all", Schedule{CatchUp: all, Overlap: allow}, State{Through: at("10:00:00")}, "13:30:00", true,
			"start 11:00\nstart 12:00\nstart 13:00\n"},
		{"all within the window", Schedule{CatchUp: all, Window: 90 * time.Minute, Overlap: allow}, State{Through: at("10:00:00")}, "13:30:00", true,
			"miss 11:00 late\nstart 12:00\nstart 13:00\n"},
		{"the latest", Schedule{CatchUp: latest, Overlap: allow}, State{Through: at("10:00:00")}, "13:30:00", true,
			"miss 11:00 late\nmiss 12:00 late\nstart 13:00\n"},
		{"the latest is on time", Schedule{CatchUp: latest, Overlap: allow}, State{Through: at("10:00:00")}, "13:00:30", true,
			"miss 11:00 late\nmiss 12:00 late\nstart 13:00\n"},
		{"the latest is out of the window", Schedule{CatchUp: latest, Window: 10 * time.Minute, Overlap: allow}, State{Through: at("10:00:00")}, "12:30:00", true,
			"miss 11:00 late\nmiss 12:00 late\n"},
		{"none but what is on time", Schedule{CatchUp: none, Overlap: allow}, State{Through: at("10:00:00")}, "13:00:30", true,
			"miss 11:00 late\nmiss 12:00 late\nstart 13:00\n"},
		{"paused", Schedule{CatchUp: all, Overlap: allow, Paused: true}, State{Through: at("10:00:00")}, "13:30:00", false, ""},
		{"resumed", Schedule{CatchUp: all, Overlap: allow, Since: at("12:30:00")}, State{Through: at("10:00:00")}, "13:00:00", false, "start 13:00\n"},
		{"new", Schedule{CatchUp: all, Overlap: allow, Since: at("11:30:00")}, State{}, "12:10:00", false, "start 12:00\n"},
		{"new, since nobody knows when", Schedule{CatchUp: all, Overlap: allow}, State{}, "12:00:00", false, "through 12:00:00\n"},
		{"the clock was set back a little", Schedule{CatchUp: all, Overlap: allow}, State{Through: at("13:00:00")}, "12:59:10", false, "wake 14:00\n"},
		{"the clock was set back", Schedule{CatchUp: all, Overlap: allow}, State{Through: at("13:00:00")}, "10:30:00", false, "through 10:30:00\n"},
		{"applied while the clock was ahead", Schedule{CatchUp: all, Overlap: allow, Since: at("20:00:00")}, State{Through: at("10:30:00")}, "11:00:00", false, "start 11:00\n"},

		{"skip", Schedule{CatchUp: all, Overlap: skip}, State{Through: at("10:00:00")}, "11:00:00", true, "miss 11:00 overlap\n"},
		{"skip what comes after", Schedule{CatchUp: all, Overlap: skip}, State{Through: at("10:00:00")}, "12:00:00", false, "start 11:00\nmiss 12:00 overlap\n"},
		{"queue", Schedule{CatchUp: latest, Overlap: queue}, State{Through: at("10:00:00")}, "11:00:00", true, "wait 11:00\n"},
		{"queued", Schedule{CatchUp: latest, Overlap: queue}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "11:00:01", true, "wake 12:00\nwaits\n"},
		{"one waits only", Schedule{CatchUp: latest, Overlap: queue}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "12:00:00", true, "miss 12:00 overlap\n"},
		{"it has waited", Schedule{CatchUp: latest, Overlap: queue}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "11:30:00", false, "start 11:00\n"},
		{"it has waited for the next", Schedule{CatchUp: latest, Overlap: queue}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "12:00:00", false, "start 11:00\nwait 12:00\n"},
		{"it waited when it was paused", Schedule{CatchUp: latest, Overlap: queue, Since: at("11:30:00")}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "12:00:00", false, "start 12:00\n"},
		{"queue all", Schedule{CatchUp: all, Overlap: queue}, State{Through: at("10:00:00")}, "12:00:00", true, "waits\n"},
		{"queue all, one after the other", Schedule{CatchUp: all, Overlap: queue}, State{Through: at("10:00:00")}, "12:00:00", false, "start 11:00\n"},
		{"overlapping is allowed now", Schedule{CatchUp: all, Overlap: allow}, State{Through: at("11:00:00"), Waiting: tick("11:00:00")}, "12:00:00", true, "start 11:00\nstart 12:00\n"},

		{"many", Schedule{CatchUp: none, Overlap: allow}, State{Through: at("10:00:00").AddDate(0, 0, -5)}, "10:30:00", false,
			"miss 2026-02-25T11:00 late\nfold\nmiss 119 2026-02-25T12:00 to 10:00 late\n"},
		{"many and the latest", Schedule{CatchUp: latest, Overlap: skip}, State{Through: at("10:00:00").AddDate(0, 0, -5)}, "10:30:00", false,
			"miss 2026-02-25T11:00 late\nfold\nmiss 118 2026-02-25T12:00 to 09:00 late\nstart 10:00\n"},
		{"folding goes on as it was begun", Schedule{CatchUp: none, Overlap: allow},
			State{Through: at("01:00:00"), Folding: &Fold{First: *tick("02:00:00"), Last: *tick("09:00:00"), Count: 8}}, "10:30:00", false,
			"miss 8 02:00 to 09:00 late\nmiss 10:00 late\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.schedule.Times = timetable(t, "", "0 * * * *")
			got := show(Next(&test.schedule, test.state, at(test.now), test.live))
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

// TestNextBounds: a plan has a bounded number of steps, whatever is due.
func TestNextBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := Schedule{CatchUp: workflow.CatchUpAll, Overlap: workflow.OverlapAllow, Times: timetable(t, "", "* * * * *")}
	plan := Next(&s, State{Through: now.Add(-(MaxCatchUp + 200) * time.Minute)}, now, false)
	if got := len(plan.Steps); got != MaxSteps || plan.Steps[0].Do != DoMiss || plan.Steps[2].Fold.Count != 197 || plan.Steps[3].Do != DoStart {
		t.Errorf("%d steps: %s", got, show(plan))
	}
	// A clock that jumps by four years: more than is counted at once.
	plan = Next(&s, State{Through: now.AddDate(-4, 0, 0)}, now, false)
	if fold := plan.Steps[2].Fold; len(plan.Steps) != 3 || fold.Count != MaxCount-1 {
		t.Errorf("%s", show(plan))
	}
}

// world is a store of runs and states without time: it outlives kills.
type world struct {
	runs   map[string]bool // by key: whether it has ended
	missed map[string]int  // by key of the first: how many ticks
	order  []string        // of runs
	state  State
}

func (w *world) start(key string) {
	if _, taken := w.runs[key]; taken || w.missed[key] > 0 {
		return
	}
	w.runs[key] = false
	w.order = append(w.order, key)
}

func (w *world) miss(key string, count int) {
	if _, taken := w.runs[key]; taken || w.missed[key] > 0 {
		return
	}
	w.missed[key] = count
}

func (w *world) live() bool {
	for _, ended := range w.runs {
		if !ended {
			return true
		}
	}
	return false
}

func (w *world) endAll() {
	for key := range w.runs {
		w.runs[key] = true
	}
}

// TestEveryTickOnce: whatever happens between and within the steps, each tick
// starts one run or is recorded as missed once, runs come in order, no two are
// live where they must not overlap, and where all are caught up without
// overlapping being skipped, all run.
func TestEveryTickOnce(t *testing.T) {
	t.Parallel()
	zones := []string{"Europe/Amsterdam", "Australia/Lord_Howe", "Pacific/Apia", "UTC"}
	begins := []time.Time{
		time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC), time.Date(2011, 12, 29, 20, 0, 0, 0, time.UTC),
	}
	crons := [][]string{{"*/7 * * * *"}, {"30 2 * * *"}, {"0,30 1-4 * * *"}, {"30 2 * * *", "15 * * * *"}, {"5 */2 * * *"}, {"*/3 1-4 * * *"}}
	rapid.Check(t, func(rt *rapid.T) {
		begin := rapid.SampledFrom(begins).Draw(rt, "begin")
		s := &Schedule{
			Times:   timetable(t, rapid.SampledFrom(zones).Draw(rt, "zone"), rapid.SampledFrom(crons).Draw(rt, "crons")...),
			CatchUp: rapid.SampledFrom([]workflow.CatchUpPolicy{workflow.CatchUpAll, workflow.CatchUpLatest, workflow.CatchUpNone}).Draw(rt, "catch up"),
			Overlap: rapid.SampledFrom([]workflow.Overlap{workflow.OverlapAllow, workflow.OverlapSkip, workflow.OverlapQueue}).Draw(rt, "overlap"),
			Window:  time.Duration(rapid.SampledFrom([]int{0, 0, 30, 600}).Draw(rt, "window")) * time.Minute,
			Since:   begin,
		}
		w := &world{runs: map[string]bool{}, missed: map[string]int{}}
		now := begin
		ticks := map[string]calendar.Tick{}
		settle := func(kill func() bool) {
			for {
				plan := Next(s, w.state, now, w.live())
				if len(plan.Steps) == 0 {
					return
				}
				for _, step := range plan.Steps {
					if kill() {
						return
					}
					key := s.TickKey(step.Tick)
					switch {
					case step.Do == DoStart:
						if _, again := w.runs[key]; !again && s.Overlap != workflow.OverlapAllow && w.live() {
							rt.Fatalf("%s overlaps", key)
						}
						w.start(key)
					case step.Fold != nil:
						w.miss(key, step.Fold.Count)
					case step.Do == DoMiss:
						w.miss(key, 1)
					}
					if kill() {
						return
					}
					w.state = step.State
				}
			}
		}
		for range rapid.IntRange(1, 25).Draw(rt, "moves") {
			switch rapid.SampledFrom([]string{"a moment", "an hour", "an outage", "end", "killed"}).Draw(rt, "move") {
			case "a moment":
				now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
			case "an hour":
				now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(rt, "minutes")) * time.Minute)
			case "an outage":
				now = now.Add(time.Duration(rapid.IntRange(2, 30).Draw(rt, "hours")) * time.Hour)
				continue
			case "end":
				w.endAll()
			default:
				left := rapid.IntRange(0, 9).Draw(rt, "steps until")
				settle(func() bool { left--; return left < 0 })
				continue
			}
			settle(func() bool { return false })
		}
		for range 20_000 { // runs end, so that whatever waits goes on
			w.endAll()
			settle(func() bool { return false })
			if !w.live() && w.state.Waiting == nil {
				break
			}
		}
		total := 0
		for tick := range s.Times.Between(begin, now) {
			ticks[s.TickKey(tick)] = tick
			total++
		}
		counted := len(w.runs)
		for _, n := range w.missed {
			counted += n
		}
		if counted != total {
			rt.Fatalf("%d ticks, but %d runs and %d in all", total, len(w.runs), counted)
		}
		for i, key := range w.order {
			if tick, known := ticks[key]; !known || i > 0 && !ticks[w.order[i-1]].At.Before(tick.At) {
				rt.Fatalf("run %d is %s after %v", i, key, w.order[:i])
			}
		}
		if s.CatchUp == workflow.CatchUpAll && s.Window == 0 && s.Overlap != workflow.OverlapSkip && len(w.runs) != total {
			rt.Fatalf("%d of %d ticks were not caught up", total-len(w.runs), total)
		}
	})
}
