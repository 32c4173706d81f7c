package sim

import (
	"container/heap"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
	"github.com/regie-dev/regie/internal/workflow"
)

// Options say what to simulate.
type Options struct {
	Seed uint64
	// Horizon is how long things fail and clients ask for runs; default 20 min.
	Horizon time.Duration
	// Calm is how long everything may take to end after that; default ten days: what limits, breakers and children put one behind the other takes long.
	Calm time.Duration
	// Trace, if not nil, gets every step as it happens.
	Trace io.Writer
}

// Report is what came of a seed.
type Report struct {
	Options Options
	// Hash tells traces apart.
	Hash uint64
	// Steps is how many events happened in Simulated time.
	Steps     int
	Simulated time.Duration
	// Runs were accepted, Faults happened, by kind.
	Runs   int
	Faults map[string]int
	// Violation is the first thing that should not have been; nil if none.
	Violation *Violation

	trace   trace
	suspect *model
}

// Violation names what does not hold.
type Violation struct {
	Invariant Invariant
	Message   string
}

func (v *Violation) String() string { return string(v.Invariant) + ": " + v.Message }

// Write shows the report with the end of the trace.
func (r *Report) Write(w io.Writer) {
	r.trace.write(w)
	if r.suspect != nil {
		r.suspect.write(w)
	}
	fmt.Fprintf(w, "seed %d, horizon %v, calm %v: %d steps, %v simulated, %d runs, trace %016x\nfaults: %s\n",
		r.Options.Seed, r.Options.Horizon, r.Options.Calm, r.Steps, r.Simulated.Round(time.Second), r.Runs, r.Hash, counts(r.Faults))
	if r.Violation != nil {
		fmt.Fprintf(w, "violated: %v\n", r.Violation)
	}
}

// counts writes counters by name.
func counts(m map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}

// Runtime and Dispatcher are the reactors as the simulator drives them.
type (
	Runtime interface {
		Handle(msgs []runtime.Message, now time.Time) []runtime.Effect
	}
	Dispatcher interface {
		Handle(msgs []dispatch.Message, now time.Time) []dispatch.Effect
	}
)

// product is what is simulated. Tests break it on purpose, to see that the
// simulator finds out.
type product struct {
	runtime    func(*runtime.Reactor) Runtime
	dispatcher func(*dispatch.Reactor) Dispatcher
	compile    func(*workflow.Program) *workflow.Program
	recovered  func([]runtime.Message) []runtime.Message
}

func shipped() product {
	return product{
		runtime:    func(r *runtime.Reactor) Runtime { return r },
		dispatcher: func(r *dispatch.Reactor) Dispatcher { return r },
		compile:    func(p *workflow.Program) *workflow.Program { return p },
		recovered:  func(m []runtime.Message) []runtime.Message { return m },
	}
}

// epoch is when simulated time begins.
var epoch = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

// simulation is everything there is.
type simulation struct {
	options Options
	product product

	now     time.Time
	events  events
	pushed  uint64
	trace   trace
	faults  map[string]int
	broken  *Violation
	suspect *model // the run that a violation is about, nil if none
	swarm   swarm
	calm    bool // nothing fails any more

	net      random
	disk     *simstore.Disk
	server   *server
	pool     []*workerSim
	programs []specimen
	machines map[*workflow.Program]*engine.Machine
	clients  *clients
	people   *operators
	undoers  *undoers
	shelf    *shelf
	cache    cacheModel
	lines    lines
	plenty   plenty
	world    *ledger
	models   map[store.RunID]*model
	gates    map[string]gate // by connection
	order    []store.RunID   // models in the order of acceptance
	log      batchLog
}

// Run simulates one seed.
func Run(o Options) *Report { return run(o, shipped()) }

func run(o Options, p product) *Report {
	if o.Horizon == 0 {
		o.Horizon = 20 * time.Minute
	}
	if o.Calm == 0 {
		o.Calm = 240 * time.Hour
	}
	s := &simulation{
		options: o, product: p, now: epoch, trace: newTrace(), faults: map[string]int{},
		net: newRandom(o.Seed, randNet), disk: simstore.NewDisk(), world: newLedger(), models: map[store.RunID]*model{},
		machines: map[*workflow.Program]*engine.Machine{},
	}
	s.swarm = newSwarm(newRandom(o.Seed, randSwarm))
	r := newRandom(o.Seed, randPrograms)
	s.shelf = &shelf{s: s, r: newRandom(o.Seed, randLarge), blobs: map[string][]byte{}}
	more := newRandom(o.Seed, randFurther)
	s.undoers = &undoers{s: s, r: newRandom(o.Seed, randUndo)}
	for i := range 3 {
		p := generate(r, i)
		if s.swarm.undo {
			undoable(s.undoers.r, p.program)
		}
		if s.swarm.large {
			large(s.shelf.r, p.program)
		}
		if s.swarm.further {
			further(more, p.program)
		}
		s.programs = append(s.programs, p)
		s.machines[p.program] = machineOf(p.program)
	}
	s.cache.made, s.plenty.press = map[string][]madeModel{}, pressCapacity
	if s.swarm.further && s.swarm.quota {
		s.plenty.steps = 3
	}
	s.server = newServer(s)
	for i := range s.swarm.workers {
		s.pool = append(s.pool, newWorker(s, fmt.Sprintf("w%d", i)))
	}
	s.clients = newClients(s)
	s.people = newOperators(s)
	s.server.boot()
	s.clients.begin()
	s.at(o.Horizon, "calm", "", s.calmDown)
	s.toggle(newRandom(o.Seed, randGate))
	s.adjust()
	if s.swarm.further {
		s.at(time.Minute, "", "", func() { s.change(more) })
		s.at(o.Horizon, "", "", func() { s.change(more) })
		s.at(5*time.Minute, "", "", func() { s.clear(more) })
	}
	for s.broken == nil && len(s.events) > 0 && s.now.Sub(epoch) < o.Horizon+o.Calm && !s.finished() {
		s.step()
	}
	if s.broken == nil {
		s.atTheEnd()
	}
	return &Report{
		Options: o, Hash: s.trace.hash, Steps: s.trace.steps, Simulated: s.now.Sub(epoch), Runs: len(s.order),
		Faults: s.faults, Violation: s.broken, trace: s.trace, suspect: s.suspect,
	}
}

// ctx is that of all calls: nothing is ever waited for.
func ctx() context.Context { return context.Background() }

// step lets the next event happen.
func (s *simulation) step() {
	e := heap.Pop(&s.events).(*event)
	if e.dead != nil && e.dead() {
		return
	}
	s.now = e.at
	if e.what != "" {
		s.note(e.what, e.who, "", e.order)
	}
	e.do()
}

// at lets something happen after a while. What has no name is not shown.
func (s *simulation) at(after time.Duration, what, who string, do func()) {
	s.pushed++
	heap.Push(&s.events, &event{at: s.now.Add(after), order: s.pushed, what: what, who: who, do: do})
}

// atUnless is at for what does not happen once dead says so.
func (s *simulation) atUnless(dead func() bool, after time.Duration, what, who string, do func()) {
	s.pushed++
	heap.Push(&s.events, &event{at: s.now.Add(after), order: s.pushed, what: what, who: who, do: do, dead: dead})
}

func (s *simulation) note(what, who, text string, n uint64) {
	line := step{at: s.now.Sub(epoch), what: what, who: who, text: text, n: n}
	if s.options.Trace != nil {
		line.write(s.options.Trace, s.trace.steps)
	}
	s.trace.add(line)
}

// fault counts a fault.
func (s *simulation) fault(kind string) {
	s.faults[kind]++
	s.note("fault", kind, "", 0)
}

// violate notes the first violation; the simulation ends with it.
func (s *simulation) violatef(i Invariant, format string, args ...any) {
	if s.broken == nil {
		s.broken = &Violation{Invariant: i, Message: fmt.Sprintf(format, args...)}
		s.note("violation", string(i), s.broken.Message, 0)
	}
}

// calmDown ends all faults.
func (s *simulation) calmDown() {
	s.calm = true
	s.clients.calmDown()
	s.people.calmDown()
	if s.swarm.undo {
		s.undoers.lookAfter()
	}
	for _, w := range s.pool {
		w.calmDown()
	}
}

// finished reports whether nothing is left to do.
func (s *simulation) finished() bool {
	return s.calm && s.clients.finished() && s.people.asking == 0 && s.server.up && s.log.live == 0 && !s.server.busy()
}

// latency is how long a message takes.
func (s *simulation) latency() time.Duration {
	return s.net.span(200*time.Microsecond, 20*time.Millisecond)
}

func (s *simulation) languages() *runtime.Machines {
	return runtime.NewMachines(languages)
}

// machineOf links a program as it was written, for the checks.
func machineOf(p *workflow.Program) *engine.Machine {
	m, err := engine.Prepare(p, languages)
	if err != nil {
		panic(fmt.Sprintf("sim: generated program: %v", err))
	}
	return m
}

// event is something that will happen.
type event struct {
	at    time.Time
	order uint64
	what  string
	who   string
	do    func()
	dead  func() bool // nil: never
}

type events []*event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].order < h[j].order
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(*event)) }
func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
