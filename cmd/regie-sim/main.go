package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/sim"
)

func main() {
	debug.SetGCPercent(gcPercent)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// gcPercent lets the heap grow between collections: a seed needs little memory
// and forgets all of it at once.
const gcPercent = 400

// twiceEvery is how often a seed is run twice, to see that its trace is the
// same.
const twiceEvery = 20

// run returns the exit code: 0 when everything held, 1 when something did not,
// 2 for a usage that makes no sense.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("regie-sim", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", 0, "run this seed alone and show the end of its trace")
	seeds := flags.Uint64("seeds", 300, "run this many seeds")
	first := flags.Uint64("first", 1, "the first of them")
	horizon := flags.Duration("horizon", 0, "simulated time with faults (default 20m)")
	trace := flags.Bool("trace", false, "with -seed: show the whole trace")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *seeds == 0 {
		if err == nil {
			fmt.Fprintln(stderr, "regie-sim: takes -seed N, or -seeds N [-first N]")
		}
		return 2
	}
	if *seed != 0 {
		o := sim.Options{Seed: *seed, Horizon: *horizon}
		if *trace {
			o.Trace = stdout
		}
		report := sim.Run(o)
		report.Write(stdout)
		if report.Violation != nil {
			return 1
		}
		return 0
	}
	total := totals{faults: map[string]int{}, began: time.Now()}
	for n := *first; n < *first+*seeds; n++ {
		o := sim.Options{Seed: n, Horizon: *horizon}
		report := sim.Run(o)
		total.add(report)
		if report.Violation == nil && n%twiceEvery == 0 {
			if again := sim.Run(o); again.Hash != report.Hash {
				total.violations++
				fmt.Fprintf(stderr, "seed %d: trace %016x, then %016x\n", n, report.Hash, again.Hash)
			}
		}
		if report.Violation != nil {
			report.Write(stderr)
			break // one at a time
		}
	}
	total.write(stdout)
	if total.violations > 0 {
		return 1
	}
	return 0
}

// totals are the sums over all seeds.
type totals struct {
	seeds, steps, runs, violations int
	simulated                      time.Duration
	faults                         map[string]int
	began                          time.Time
}

func (t *totals) add(r *sim.Report) {
	t.seeds++
	t.steps += r.Steps
	t.runs += r.Runs
	t.simulated += r.Simulated
	for kind, n := range r.Faults {
		t.faults[kind] += n
	}
	if r.Violation != nil {
		t.violations++
	}
}

// write prints one line.
func (t *totals) write(w io.Writer) {
	faults, parts := 0, []string(nil)
	for _, kind := range slices.Sorted(maps.Keys(t.faults)) {
		faults += t.faults[kind]
		parts = append(parts, fmt.Sprintf("%s %d", kind, t.faults[kind]))
	}
	fmt.Fprintf(w, "sim: %d seeds, %.0f simulated hours, %d runs, %d events, %d faults (%s), %d violations, %.1f s\n",
		t.seeds, t.simulated.Hours(), t.runs, t.steps, faults, strings.Join(parts, ", "), t.violations, time.Since(t.began).Seconds())
}
