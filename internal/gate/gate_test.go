package gate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

// naive judges as the package comment says, over plain lists.
type naive struct {
	ageing   time.Duration
	limits   map[ID]Limit
	full     map[ID]time.Time
	facts    map[Fact]bool
	waiting  []Request
	holding  []Request
	capacity map[ID]int // of limits that nobody defined
}

func (n *naive) limit(id ID) Limit {
	if l, ok := n.limits[id]; ok {
		return l
	}
	return Limit{ID: id, Capacity: max(n.capacity[id], 1)}
}

func weights(q Request) map[ID]int {
	w := map[ID]int{}
	for _, u := range q.Uses {
		w[u.ID] += max(u.Weight, 1)
	}
	return w
}

func (n *naive) used(id ID) int {
	used := 0
	for _, h := range n.holding {
		used += weights(h)[id]
	}
	return used
}

func (n *naive) tokens(l Limit, now time.Time) int {
	count := l.Rate.Count
	for count > 0 && now.Add(time.Duration(l.Rate.Count-count)*l.Rate.interval()).Before(n.full[l.ID]) {
		count--
	}
	return count
}

func (n *naive) before(a, b Request) int {
	step := func(q Request) int64 { return int64(q.Priority) - q.Since.UnixNano()/int64(n.ageing) }
	return cmp.Or(cmp.Compare(step(b), step(a)), compareLatest(a.Latest, b.Latest), a.Since.Compare(b.Since), a.Ref.Compare(b.Ref))
}

func (n *naive) grants(now time.Time) []Ref {
	slices.SortFunc(n.waiting, n.before)
	left := map[ID]int{}
	var granted []Ref
	for i := 0; i < len(n.waiting); i++ {
		q := n.waiting[i]
		w, may := weights(q), !q.Held
		for _, f := range q.Needs {
			may = may && n.facts[f]
		}
		for id, weight := range w {
			l := n.limit(id)
			may = may && (l.Capacity == 0 || weight <= l.Capacity) && (l.Rate.Count == 0 || weight <= l.Rate.Count)
		}
		if !may {
			continue
		}
		fits := true
		for id, weight := range w {
			l := n.limit(id)
			if _, seen := left[id]; !seen {
				left[id] = 1 << 40
				if l.Capacity > 0 {
					left[id] = l.Capacity - n.used(id)
				}
				if l.Rate.Count > 0 {
					left[id] = min(left[id], n.tokens(l, now))
				}
			}
			left[id] -= weight // taken, or kept free for it
			fits = fits && left[id] >= 0
		}
		if fits {
			granted = append(granted, q.Ref)
			n.take(q, now)
			i--
		}
	}
	return granted
}

func (n *naive) take(q Request, now time.Time) {
	for id, weight := range weights(q) {
		if l := n.limit(id); l.Rate.Count > 0 {
			if n.full[id].Before(now) {
				n.full[id] = now
			}
			n.full[id] = n.full[id].Add(time.Duration(weight) * l.Rate.interval())
		}
	}
	n.leave(q.Ref)
	n.holding = append(n.holding, q)
}

func (n *naive) leave(ref Ref) {
	gone := func(q Request) bool { return q.Ref == ref }
	n.waiting, n.holding = slices.DeleteFunc(n.waiting, gone), slices.DeleteFunc(n.holding, gone)
}

// pair drives a State and the naive judge alike.
type pair struct {
	t     testing.TB
	s     *State
	n     *naive
	now   time.Time
	names []ID
}

func newPair(t testing.TB) *pair {
	p := &pair{t: t, s: New(Config{}), now: start, n: &naive{
		ageing: DefaultAgeing, limits: map[ID]Limit{}, full: map[ID]time.Time{}, facts: map[Fact]bool{}, capacity: map[ID]int{},
	}}
	for i := range 4 {
		p.names = append(p.names, ID{Namespace: "n", Name: "l" + strconv.Itoa(i)})
	}
	return p
}

func fact(i int) Fact { return Fact{Namespace: "n", Name: "c" + strconv.Itoa(i%3), Date: "2026-03-01"} }

func (p *pair) step(op, a, b, c int) {
	ref := Ref{Run: "r" + strconv.Itoa(a%7), Act: uint64(b % 4)}
	switch op % 8 {
	case 0, 1, 2:
		q := Request{Ref: ref, Priority: c % 5, Since: p.now}
		for i := range 1 + c%3 {
			q.Uses = append(q.Uses, Use{ID: p.names[(a+i*b)%4], Weight: c % 4})
		}
		if c%4 == 1 {
			q.Needs = []Fact{fact(b)}
		}
		if c%7 == 2 {
			q.Latest = start.Add(time.Duration(a) * time.Second)
		}
		p.s.Ask(q, p.now)
		p.n.leave(ref)
		p.n.waiting = append(p.n.waiting, q)
	case 3, 4:
		p.s.Leave(ref, p.now)
		p.n.leave(ref)
	case 5:
		p.s.Set(fact(a), c%3 > 0, p.now)
		p.n.facts[fact(a)] = c%3 > 0
	case 6:
		var defs []Limit
		p.n.limits = map[ID]Limit{}
		for i, id := range p.names {
			l := Limit{ID: id, Capacity: (a + i*c) % 5}
			if (b+i)%3 == 0 {
				l.Rate = Rate{Count: 1 + c%6, Per: time.Duration(1+a%90) * time.Second}
			}
			if l.Capacity > 0 || l.Rate.Count > 0 {
				defs = append(defs, l)
				p.n.limits[id] = l
			}
		}
		p.s.SetLimits(defs, p.now)
		for id, l := range p.n.limits { // as changed does
			if l.Rate.Count > 0 {
				if most := p.now.Add(time.Duration(l.Rate.Count) * l.Rate.interval()); p.n.full[id].After(most) {
					p.n.full[id] = most
				}
			}
		}
		for _, id := range p.names {
			if _, ok := p.n.limits[id]; !ok && len(p.s.limits) >= 0 && p.s.limits[id] == nil {
				delete(p.n.full, id)
			}
		}
	case 7:
		held := c%2 == 0
		p.s.Hold(ref, held, p.now)
		for i := range p.n.waiting {
			if p.n.waiting[i].Ref == ref {
				p.n.waiting[i].Held = held
			}
		}
	}
	p.now = p.now.Add(time.Duration(b%50) * time.Second)
	p.settle()
}

func (p *pair) settle() {
	p.t.Helper()
	before := map[ID]int{}
	for _, id := range p.names {
		before[id] = p.n.used(id)
	}
	want := p.n.grants(p.now)
	var got []Ref
	for g, ok := p.s.Next(p.now); ok; g, ok = p.s.Next(p.now) {
		got = append(got, g.Ref)
	}
	if !slices.Equal(got, want) {
		p.t.Fatalf("granted %v, want %v", got, want)
	}
	if n := len(p.n.waiting); n > 0 && p.now.Second()%10 == 0 {
		p.standing(p.n.waiting[p.now.Minute()%n].Ref)
	}
	for _, v := range p.s.Limits(p.now) {
		if used := p.n.used(v.ID); v.Used != used {
			p.t.Fatalf("%v: %d are used, want %d", v.ID, v.Used, used)
		}
		if v.Capacity > 0 && v.Used > v.Capacity && v.Used > before[v.ID] {
			p.t.Fatalf("%v: %d of %d are used", v.ID, v.Used, v.Capacity)
		}
	}
}

// standing compares what one who waits is shown with the whole of the queues.
func (p *pair) standing(ref Ref) {
	p.t.Helper()
	st, ok := p.s.Standing(ref, p.now)
	if !ok {
		p.t.Fatalf("%v waits and is not known", ref)
	}
	for _, got := range st.Limits {
		want, _ := p.s.Limit(got.ID, p.now)
		want.Holders = want.Holders[:min(len(want.Holders), MaxHolders)]
		want.Queue = slices.DeleteFunc(want.Queue, func(w Waiting) bool { return w.Ref != ref })
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			p.t.Fatalf("%v is shown\n%+v, want\n%+v", ref, got, want)
		}
	}
}

func TestAsTheNaiveJudge(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := newPair(t)
		for range 400 {
			p.step(random.IntN(8), random.IntN(100), random.IntN(100), random.IntN(100))
		}
	}
}

// FuzzState looks for steps in which the gate and the naive judge differ.
func FuzzState(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 6, 1, 1, 1, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newPair(t)
		for ; len(data) >= 4; data = data[4:] {
			p.step(int(data[0]), int(data[1]), int(data[2]), int(data[3]))
		}
	})
}

// TestNothingStarves lets a low request for all of a limit compete with a stream
// of small urgent ones.
func TestNothingStarves(t *testing.T) {
	t.Parallel()
	s, now := New(Config{}), start
	tapes := ID{Namespace: "n", Name: "tapes"}
	s.SetLimits([]Limit{{ID: tapes, Capacity: 3}}, now)
	big := Ref{Run: "big"}
	s.Ask(Request{Ref: big, Uses: []Use{{ID: tapes, Weight: 3}}, Since: now}, now)
	s.Hold(big, true, now)
	var held []Ref
	for i := range 3 {
		ref := Ref{Run: "first", Act: uint64(i)}
		s.Ask(Request{Ref: ref, Uses: []Use{{ID: tapes}}, Since: now}, now)
		held = append(held, ref)
	}
	for range 3 {
		s.Next(now)
	}
	s.Hold(big, false, now)
	for i := range 1000 {
		now = now.Add(10 * time.Second)
		s.Ask(Request{Ref: Ref{Run: "small", Act: uint64(i)}, Uses: []Use{{ID: tapes}}, Priority: 10, Since: now}, now)
		s.Leave(held[0], now)
		held = held[1:]
		for g, ok := s.Next(now); ok; g, ok = s.Next(now) {
			if g.Ref == big {
				if waited := now.Sub(start); waited < 9*time.Minute || waited > 12*time.Minute {
					t.Fatalf("it waited %s; ten steps of ageing are ten minutes", waited)
				}
				return
			}
			held = append(held, g.Ref)
		}
		if len(held) == 0 {
			t.Fatal("nobody holds anything while somebody waits")
		}
	}
	t.Fatal("the big request starves")
}

func TestRate(t *testing.T) {
	t.Parallel()
	s, now := New(Config{}), start
	bank := ID{Namespace: "n", Name: "bank"}
	s.SetLimits([]Limit{{ID: bank, Rate: Rate{Count: 3, Per: time.Minute}}}, now)
	for i := range 5 {
		s.Ask(Request{Ref: Ref{Run: "r", Act: uint64(i)}, Uses: []Use{{ID: bank}}, Since: now}, now)
	}
	var at []string
	var last []Spent
	for range 20 {
		for g, ok := s.Next(now); ok; g, ok = s.Next(now) {
			at, last = append(at, fmt.Sprint(g.Ref.Act, "@", now.Sub(start))), g.Spent
		}
		if now = s.Wake(); now.IsZero() {
			break
		}
	}
	if want := []string{"0@0s", "1@0s", "2@0s", "3@20s", "4@40s"}; !slices.Equal(at, want) {
		t.Errorf("granted %v, want %v", at, want)
	}
	// A restart that knows what is spent.
	now = start.Add(40 * time.Second)
	again := New(Config{})
	again.SetLimits([]Limit{{ID: bank, Rate: Rate{Count: 3, Per: time.Minute}}}, now)
	again.Restore(last[0], now)
	again.Ask(Request{Ref: Ref{Run: "next"}, Uses: []Use{{ID: bank}}, Since: now}, now)
	if _, ok := again.Next(now); ok {
		t.Error("the rate was forgotten")
	}
	if wake := again.Wake(); !wake.Equal(start.Add(time.Minute)) {
		t.Errorf("next at %s", wake.Sub(start))
	}
}

// TestReserved shows who may overtake: what cannot delay anybody.
func TestReserved(t *testing.T) {
	t.Parallel()
	s, now := New(Config{}), start
	a, b := ID{Name: "a"}, ID{Name: "b"}
	s.SetLimits([]Limit{{ID: a, Capacity: 2}, {ID: b, Capacity: 1}}, now)
	s.Retake(Request{Ref: Ref{Run: "holder"}, Uses: []Use{{ID: b}}, Since: now}, now)
	ask := func(run string, uses ...Use) {
		now = now.Add(time.Second)
		s.Ask(Request{Ref: Ref{Run: run}, Uses: uses, Since: now}, now)
	}
	ask("both", Use{ID: a}, Use{ID: b})
	ask("small", Use{ID: a})
	ask("late", Use{ID: a})
	var got []string
	for g, ok := s.Next(now); ok; g, ok = s.Next(now) {
		got = append(got, g.Ref.Run)
	}
	if !slices.Equal(got, []string{"small"}) {
		t.Errorf("granted %v, want small alone: the other share of a is kept for both", got)
	}
	v, _ := s.Limit(a, now)
	for _, w := range v.Queue {
		got = append(got, fmt.Sprint(w.Position, " ", w.Ref.Run, " ", w.Why))
	}
	if want := []string{"small", "1 both elsewhere", "2 late behind"}; !slices.Equal(got, want) {
		t.Errorf("queue %q, want %q", got, want)
	}
}

func BenchmarkGrant(b *testing.B) {
	const queued = 10_000
	s, now := New(Config{}), start
	lock := ID{Namespace: "n", Name: "lock"}
	for i := range queued {
		s.Ask(Request{Ref: Ref{Run: "r", Act: uint64(i)}, Uses: []Use{{ID: lock}}, Priority: i % 7, Since: now.Add(time.Duration(i) * time.Millisecond)}, now)
	}
	b.ReportAllocs()
	for i := range b.N {
		g, ok := s.Next(now)
		if !ok {
			b.Fatal("nothing is granted")
		}
		now = now.Add(time.Millisecond)
		s.Leave(g.Ref, now)
		s.Ask(Request{Ref: Ref{Run: "n", Act: uint64(i)}, Uses: []Use{{ID: lock}}, Priority: i % 7, Since: now}, now)
	}
}
