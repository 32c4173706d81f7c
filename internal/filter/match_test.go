package filter_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/filter"
)

// eod is a run that waits.
func eod() filter.Row {
	return filter.Row{
		ID: "01jw3k8", Namespace: "risk", Workflow: "eod", Folder: "/fin/eod", Owner: "ada",
		Labels: map[string]string{"crit": "high", "team": "payments"},
		State:  "waiting", Reason: "retry", BusinessDate: "2026-03-03", Trigger: "schedule/nightly", Actor: "user/ada",
		AcceptedAt: noon.Add(-2 * time.Hour), StartedAt: noon.Add(-90 * time.Minute), DueAt: noon.Add(-time.Minute),
		Held: true, Attempts: 3,
		Live: func() (filter.Live, bool) {
			return filter.Live{Waiting: []string{"limit", "timer"}, Workers: []string{"lnx1", "lnx2"}, Wait: 20 * time.Minute}, true
		},
	}
}

// done is the run after its end: in time, on an own worker, nobody knows where.
func done() filter.Row {
	r := eod()
	r.State, r.Reason, r.EndedAt, r.DueAt, r.Held, r.Live = "succeeded", "", noon.Add(-time.Hour), noon, false, nil
	return r
}

func TestMatch(t *testing.T) {
	t.Parallel()
	waiting, ended, fresh := eod(), done(), filter.Row{ID: "02", Workflow: "x", State: "pending", AcceptedAt: noon}
	for _, c := range []struct{ line, want string }{ // of waiting, ended, fresh: yes, no or unknown
		{"", "yyy"},
		{"state:waiting,failed", "ynn"},
		{"-state:waiting", "nyy"},
		{"late", "ynn"},
		{"-late", "nyy"},
		{"held", "ynn"},
		{"id:01", "yyn"},
		{"id:01JW", "nnn"},
		{"name:eod", "yyn"},
		{"name:EOD", "nnn"},
		{"name:e*,x", "yyy"},
		{`name:"e*"`, "nnn"},
		{`name:"%"`, "nnn"},
		{"name:risk/eod", "yyn"},
		{"name:r*/e?d", "yyn"},
		{"name:fin/eod", "nnn"},
		{"namespace:risk", "yyn"},
		{`namespace:""`, "nny"},
		{"folder:/fin/**", "yyn"},
		{"folder:/fin/*", "yyn"},
		{"folder:/fin", "nnn"},
		{"folder:/fin/eod/**", "yyn"},
		{"folder:/**", "yyy"},
		{"folder:/", "nny"},
		{"folder:/*", "nnn"},
		{"folder:/**/eod", "yyn"},
		{"label:crit", "yyn"},
		{"label:high", "nnn"},
		{"label:team=pay*", "yyn"},
		{"label:*=high", "yyn"},
		{"owner:me", "yyn"},
		{`owner:"me"`, "nnn"},
		{`owner:""`, "nny"},
		{"-owner:me", "nny"},
		{"actor:me", "yyn"},
		{"actor:a?a", "yyn"},
		{"actor:user/*", "yyn"},
		{"trigger:schedule", "yyn"},
		{"trigger:schedule/nightly", "yyn"},
		{"trigger:schedule/other", "nnn"},
		{"reason:retry,timed_out", "ynn"},
		{"date:today-1", "yyn"},
		{"date:today", "nnn"},
		{"date:..today", "yyn"},
		{"-date:..today", "nny"},
		{"date:2026-03-03..", "yyn"},
		{"date:2026-03-01,2026-03-03", "yyn"},
		{"since:1h", "nny"},
		{"since:2h", "yyy"},
		{"since:today", "yyy"},
		{"since:todayT10:01", "nny"},
		{"until:todayT10:01", "yyn"},
		{"until:today", "yyy"},
		{"until:today-1", "nnn"},
		{"until:1h", "yyn"},
		{"duration>1h", "ynn"},
		{"duration=30m", "nyn"},
		{"duration<1h", "nyn"},
		{"attempt>2", "yyn"},
		{"attempt<=0", "nny"},
		{"waiting:limit", "yn?"},
		{"-waiting:limit", "ny?"},
		{"wait>15m", "yn?"},
		{"wait<15m", "nn?"},
		{"worker:lnx*", "y?n"},
		{"-worker:lnx*", "n?y"},
		{"worker:lnx* state:succeeded", "n?n"},
		{"worker:lnx* waiting:timer", "ynn"},
		{"state:waiting worker:lnx* late date:today-1", "ynn"},
	} {
		f, err := filter.Parse(c.line, ada())
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		got := ""
		for _, row := range []filter.Row{waiting, ended, fresh} {
			got += letter(f.Match(&row))
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.line, got, c.want)
		}
	}
}

func letter(answer filter.Tri) string {
	return map[string]string{"yes": "y", "no": "n", "unknown": "?"}[answer.String()]
}

// TestZone: days are those of who asks.
func TestZone(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, 3, 4, 23, 30, 0, 0, time.UTC)
	amsterdam := time.FixedZone("", 3600)
	row := filter.Row{BusinessDate: "2026-03-05", AcceptedAt: late.Add(-time.Hour)}
	for zone, want := range map[*time.Location]string{nil: "ny", amsterdam: "yn"} {
		today, _ := filter.Parse("date:today", filter.Context{Now: late, Zone: zone})
		since, _ := filter.Parse("since:today", filter.Context{Now: late, Zone: zone})
		if got := letter(today.Match(&row)) + letter(since.Match(&row)); got != want {
			t.Errorf("%v: %s", zone, got)
		}
	}
}

// TestAt: what is relative moves along.
func TestAt(t *testing.T) {
	t.Parallel()
	f, err := filter.Parse("date:today", ada())
	if err != nil {
		t.Fatal(err)
	}
	row := filter.Row{BusinessDate: "2026-03-05"}
	if f.Match(&row) != filter.No || f.At(noon.AddDate(0, 0, 1)).Match(&row) != filter.Yes {
		t.Error("today stands still")
	}
}

// TestLiveIsAskedLast: the live run is asked at most once, and only when its
// answer matters.
func TestLiveIsAskedLast(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"waiting:limit wait>1m -worker:x": 1,
		"waiting:limit state:failed":      0,
		"late":                            0,
	} {
		f, err := filter.Parse(line, ada())
		if err != nil {
			t.Fatal(err)
		}
		row, asked := eod(), 0
		row.Live = func() (filter.Live, bool) {
			asked++
			return filter.Live{Waiting: []string{"limit"}, Wait: time.Hour}, true
		}
		if f.Match(&row); asked != want {
			t.Errorf("%s: asked %d times", line, asked)
		}
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	wait := func(d time.Duration) func() (filter.Live, bool) {
		return func() (filter.Live, bool) { return filter.Live{Wait: d}, true }
	}
	rows := []filter.Row{
		{ID: "1", Workflow: "b", Namespace: "n", State: "waiting", AcceptedAt: noon.Add(-3 * time.Hour), StartedAt: noon.Add(-time.Hour), Attempts: 1, Live: wait(time.Minute)},
		{ID: "2", Workflow: "a", Namespace: "n", State: "succeeded", AcceptedAt: noon.Add(-2 * time.Hour), StartedAt: noon.Add(-2 * time.Hour), EndedAt: noon.Add(-110 * time.Minute), BusinessDate: "2026-03-04", Attempts: 2},
		{ID: "3", Workflow: "b", Namespace: "m", State: "running", AcceptedAt: noon.Add(-time.Hour), BusinessDate: "2026-03-02", Attempts: 2, Live: wait(time.Hour)},
		{ID: "4", Workflow: "c", Namespace: "m", State: "pending", AcceptedAt: noon, Attempts: 0},
	}
	for line, want := range map[string]string{
		"":                   "4321",
		"sort:time":          "1234",
		"sort:-time":         "4321",
		"sort:name":          "2314",
		"sort:-name":         "4132",
		"sort:date":          "3241",
		"sort:-date":         "2341",
		"sort:state":         "4312",
		"sort:attempt":       "4132",
		"sort:-attempt":      "3214",
		"sort:-attempt,time": "2314",
		"sort:wait":          "1342",
		"sort:-wait":         "3142",
		"sort:duration":      "2143",
		"sort:-duration":     "1243",
	} {
		f, err := filter.Parse(line, ada())
		if err != nil {
			t.Fatal(err)
		}
		type ranked struct {
			id   string
			rank filter.Rank
		}
		var all []ranked
		for i := range rows {
			all = append(all, ranked{rows[i].ID, f.Rank(&rows[i])})
		}
		slices.SortFunc(all, func(a, b ranked) int { return a.rank.Compare(b.rank) })
		got := ""
		for _, r := range all {
			got += r.id
		}
		if got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
		if f.NewestFirst() != (line == "" || line == "sort:-time") {
			t.Errorf("%q: newest first: %v", line, f.NewestFirst())
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"?", "", false}, {"?", "é", true}, {"a*", "a", true},
		{"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false}, {"*a", "ba", true}, {"*ab", "aab", true},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\\b`, `a\b`, true}, {"a**b", "a/b", true}, {"?*?", "a", false}, {"?*?", "ab", true},
		{"[a]", "a", false}, {"a+", "aa", false},
	} {
		g, err := filter.ParseGlob(c.glob)
		if err != nil || g.Match(c.text) != c.want {
			t.Errorf("%s on %q: %v, %v", c.glob, c.text, !c.want, err)
		}
		again, err := filter.ParseGlob(g.String())
		if err != nil || again.String() != g.String() {
			t.Errorf("%s: %s, %v", c.glob, again, err)
		}
	}
	for _, bad := range []string{`\`, `\a`, "\xff", strings.Repeat("a", filter.MaxValue+1)} {
		if _, err := filter.ParseGlob(bad); err == nil {
			t.Errorf("%q is not refused", bad)
		}
	}
}
