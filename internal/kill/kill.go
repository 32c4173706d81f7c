package kill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// Defaults and bounds of a Config.
const (
	// DefaultInFlight is how many attempts are in flight at each kill.
	DefaultInFlight = 100
	// processes is how many attempts run at once, so that there are enough.
	processes = 160
	// callers is how many requests are made at once, and ahead how many runs are
	// begun and have not ended.
	callers = 16
	ahead   = 150
	// readyTime bounds the start of a server, settleTime the end of all runs
	// after the last kill.
	readyTime  = 60 * time.Second
	settleTime = 5 * time.Minute
)

// Config says how often to kill what.
type Config struct {
	// Binary is the program to kill; Dir an empty folder for its data and the
	// books.
	Binary string
	Dir    string
	Kills  int
	// Runs is how many runs there are at least; more are begun as long as kills
	// are to come.
	Runs     int
	InFlight int    // DefaultInFlight
	Seed     uint64 // of the moments
	Out      io.Writer
}

// Report is what was found.
type Report struct {
	Kills   int
	Runs    int
	Least   int // attempts in flight at the kill with the fewest
	Lost    int // acknowledged runs that are not there, or did not end well
	Doubled int // attempts, steps or effects that happened more than once
	Gaps    int // runs whose events are not numbered without gaps
	Audit   error
	// Ready is the longest time from a start to readiness.
	Ready   time.Duration
	Elapsed time.Duration
	Faults  []string
}

// String is the last line of `make kill`.
func (r *Report) String() string {
	audit := "ok"
	if r.Audit != nil {
		audit = "failed"
	}
	return fmt.Sprintf("kills=%d runs=%d lost=%d doubled=%d gaps=%d audit=%s seconds=%.0f", r.Kills, r.Runs, r.Lost, r.Doubled, r.Gaps, audit, r.Elapsed.Seconds())
}

// OK reports whether everything was as it must be.
func (r *Report) OK() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.Gaps == 0 && r.Audit == nil
}

// Run kills a server as often as asked, and checks what is left. The error is
// that something could not be done; what was found wrong is in the report.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	if cfg.InFlight == 0 {
		cfg.InFlight = DefaultInFlight
	}
	began := time.Now()
	h := &harness{cfg: cfg, report: &Report{Least: -1}, random: rand.New(rand.NewPCG(cfg.Seed, 1))} //nolint:gosec // moments of kills
	if h.world, err = openWorld(filepath.Join(cfg.Dir, "world")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.world.close()) }()
	if err := h.start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.server.stop()) }()
	if err := h.prepare(ctx); err != nil {
		return nil, err
	}
	load, err := begin(ctx, h)
	if err != nil {
		return nil, err
	}
	for h.report.Kills < cfg.Kills {
		if err := h.kill(load.ctx); err != nil {
			return nil, load.end(err)
		}
	}
	if err := load.finish(); err != nil {
		return nil, err
	}
	if err := h.settle(ctx); err != nil {
		return nil, err
	}
	found, err := h.collect(ctx, load.book())
	if err != nil {
		return nil, err
	}
	h.report.check(found)
	h.report.Elapsed = time.Since(began)
	return h.report, nil
}

// harness is one experiment.
type harness struct {
	cfg    Config
	random *rand.Rand
	world  *world
	server *process
	client *client
	report *Report
}

// start starts the server and waits until it is ready.
func (h *harness) start(ctx context.Context) error {
	began := time.Now()
	address := "127.0.0.1:0"
	if h.client != nil {
		address = h.client.address
	}
	p, ready, err := startServer(ctx, h.cfg.Binary, filepath.Join(h.cfg.Dir, "data"), h.world.dir, address)
	if err != nil {
		return err
	}
	h.server = p
	h.report.Ready = max(h.report.Ready, time.Since(began))
	if h.client == nil {
		h.client, err = login(ctx, ready)
	}
	return err
}

// prepare applies the workflow.
func (h *harness) prepare(ctx context.Context) error { return h.client.apply(ctx, h.world) }

// kill waits until enough attempts are in flight, and a random time more, kills
// the server and starts it again. It gives up when the load has failed: ctx is
// that of the load.
func (h *harness) kill(ctx context.Context) error {
	if err := h.world.await(ctx, h.cfg.InFlight); err != nil {
		return err
	}
	pause := time.NewTimer(time.Duration(h.random.IntN(1500)) * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	inFlight := h.world.inFlight()
	if inFlight < h.cfg.InFlight { // fewer since: wait again
		return nil
	}
	if err := h.server.kill(); err != nil {
		return err
	}
	h.server = nil
	h.report.Kills++
	if h.report.Least < 0 || inFlight < h.report.Least {
		h.report.Least = inFlight
	}
	if err := h.start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(h.cfg.Out, "kill %d of %d: %d attempts in flight, ready again in %s\n", h.report.Kills, h.cfg.Kills, inFlight, h.server.ready.Round(time.Millisecond))
	return nil
}

// settle waits until nothing is live.
func (h *harness) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	looks := time.NewTicker(100 * time.Millisecond)
	defer looks.Stop()
	for {
		live, err := h.client.live(ctx)
		if err == nil && live == 0 {
			return nil
		}
		select {
		case <-looks.C:
		case <-ctx.Done():
			return fmt.Errorf("%d runs have not ended %s after the last kill: %w", live, settleTime, errors.Join(err, ctx.Err()))
		}
	}
}
