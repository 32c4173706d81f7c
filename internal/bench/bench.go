package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Result is one figure.
type Result struct {
	Workload string  `json:"workload"`
	Metric   string  `json:"metric"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	// Limit is the machine's own figure in the same unit, 0 where there is none.
	Limit   float64 `json:"limit"`
	Command string  `json:"command"`
}

// Ratio is how the figure compares with its limit: for rates the share of the
// limit that is reached, for times how many times the limit it takes; 0 without
// a limit.
func (r Result) Ratio() float64 {
	if r.Limit == 0 {
		return 0
	}
	return r.Value / r.Limit
}

// Config says what is measured.
type Config struct {
	// Dir is an empty folder on the disk that is to be measured.
	Dir string
	// Only are the workloads to run, such as "W1"; empty: all.
	Only []string
	// Scale multiplies the sizes of all workloads; 0 means 1. Figures of
	// another scale are not comparable.
	Scale float64
	// Binary is this program, for the cold start and for servers; empty leaves
	// out what needs it.
	Binary string
	// Soak is how long the workload of that name goes on; 0: DefaultSoak.
	Soak time.Duration
	// Environ is the environment of that program.
	Environ []string
	// Report is told each result when it is known. Nil: nobody.
	Report func(Result)
}

// Workloads are the names that Config.Only takes, in the order in which they
// run: machine measures the limits and always runs.
func Workloads() []string {
	return []string{"W1", "W2", "W3", "W4", "W5", "start", "restart", "load", "loops", "soak"}
}

// asked are those that run only when they are named: they take long.
func asked(workload string) bool { return workload == "soak" }

type run struct {
	cfg     Config
	machine machine
	results []Result
}

// Run measures the machine, then the workloads. The first error ends it.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	if cfg.Scale <= 0 {
		cfg.Scale = 1
	}
	for _, name := range cfg.Only {
		if !slices.Contains(Workloads(), name) {
			return nil, fmt.Errorf("there is no workload %q; there are %v", name, Workloads())
		}
	}
	b := &run{cfg: cfg}
	if err := b.limits(ctx); err != nil {
		return b.results, err
	}
	steps := map[string]func(context.Context) error{
		"W1": b.sequence, "W2": b.burst, "W3": b.fanOut, "W4": b.pace, "W5": b.processes,
		"start": b.start, "restart": b.restart, "load": b.load, "loops": b.loops, "soak": b.soak,
	}
	for _, name := range Workloads() {
		if (len(cfg.Only) > 0 || asked(name)) && !slices.Contains(cfg.Only, name) {
			continue
		}
		if err := steps[name](ctx); err != nil {
			return b.results, fmt.Errorf("%s: %w", name, err)
		}
	}
	return b.results, nil
}

func (b *run) size(n int) int { return max(1, int(float64(n)*b.cfg.Scale)) }

func (b *run) add(workload, metric string, value float64, unit string, limit float64) {
	command := "regie bench --only " + workload
	if workload == "machine" {
		command = "regie bench"
	}
	r := Result{Workload: workload, Metric: metric, Value: value, Unit: unit, Limit: limit, Command: command}
	b.results = append(b.results, r)
	if b.cfg.Report != nil {
		b.cfg.Report(r)
	}
}

// perSecond is a rate.
func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// median of the durations, which it sorts.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
