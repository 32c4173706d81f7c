package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Sizes of the workloads at scale 1.
const (
	sequenceSteps = 1000
	burstRuns     = 10_000
	burstCallers  = 128
	fanItems      = 1000
	processItems  = 500
	coldStarts    = 15
)

// noop stands in for every step: what is measured is Regie.
const noop = "mocks: {\"*\": {output: null}}\n"

// open opens a Regie of its own for a workload.
func (b *run) open(ctx context.Context, name string, mocked bool, processes int) (*local.Regie, error) {
	launch := &local.Launch{}
	if mocked {
		mocks, problems := mock.Parse("bench", []byte(noop), mock.Which{})
		if diag.HasErrors(problems) {
			return nil, errors.New(problems[0].String())
		}
		launch.Mocks, launch.MocksText = mocks, []byte(noop)
	}
	return local.Open(ctx, local.Config{
		Dir: filepath.Join(b.cfg.Dir, name), Holder: "bench", Launch: launch, Processes: processes, Calls: burstCallers,
	})
}

// compile compiles a definition as `regie run` does.
func compile(text string) (*workflow.Program, error) {
	set, problems := native.Load(local.Native(local.Languages()), []native.Source{{Path: "bench.yaml", Text: []byte(text)}})
	if diag.HasErrors(problems) {
		return nil, errors.New(problems[0].String())
	}
	return set.Workflows[0].Program, nil
}

// once runs a workflow to its end.
func once(ctx context.Context, r *local.Regie, p *workflow.Program, input value.Value) error {
	id, err := r.Submit(ctx, local.Request{Program: p, Actor: "bench", Input: input})
	if err != nil {
		return err
	}
	result, err := r.Wait(ctx, id)
	if err != nil {
		return err
	}
	if result.State != engine.Succeeded {
		return fmt.Errorf("run %s ended %s: %s", id, result.State, result.Error.Value())
	}
	return nil
}

// timed runs a workflow a few times and returns the median.
func timed(ctx context.Context, r *local.Regie, p *workflow.Program, input value.Value) (time.Duration, error) {
	var all []time.Duration
	for range 3 {
		begin := time.Now()
		if err := once(ctx, r, p, input); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begin))
	}
	return median(all), nil
}

// sequence is W1: steps that do nothing, one after the other, each result on
// disk before the next step starts; and the same with durability: pipelined.
func (b *run) sequence(ctx context.Context) error {
	steps := b.size(sequenceSteps)
	for _, durability := range []string{"strict", "pipelined"} {
		var text strings.Builder
		fmt.Fprintf(&text, "kind: Workflow\nname: sequence\ndurability: %s\nsteps:\n", durability)
		for range steps {
			text.WriteString("  - run: 'true'\n")
		}
		p, err := compile(text.String())
		if err != nil {
			return err
		}
		took, err := b.median(ctx, "w1-"+durability, p, value.Undefined)
		if err != nil {
			return err
		}
		limit := 0.0
		if durability == "strict" {
			limit = b.machine.sync.Seconds() * float64(steps)
		}
		b.add("W1", fmt.Sprintf("%d sequential no-op steps, %s", steps, durability), took.Seconds(), "s", limit)
		if err := b.states(ctx, durability, steps, took); err != nil {
			return err
		}
	}
	return nil
}

// states is W1 as a state machine, whose limit is what the native form took in
// the same run: with tasks, and with states that only pass on.
func (b *run) states(ctx context.Context, durability string, n int, limit time.Duration) error {
	kind := asl.Standard
	if durability == "pipelined" {
		kind = asl.Express
	}
	for _, of := range []state{{"Type": "Task", "Resource": resource}, {"Type": "Pass"}} {
		p, err := compileMachine("sequence", kind, chain(n, of))
		if err != nil {
			return err
		}
		took, err := b.median(ctx, fmt.Sprintf("w1-%s-%s", of["Type"], durability), p, value.Object())
		if err != nil {
			return err
		}
		b.add("W1", fmt.Sprintf("%d sequential %s states of a state machine, %s", n, of["Type"], durability), took.Seconds(), "s", limit.Seconds())
	}
	return nil
}

// median runs a program with no-op steps.
func (b *run) median(ctx context.Context, name string, p *workflow.Program, input value.Value) (took time.Duration, err error) {
	r, err := b.open(ctx, name, true, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return timed(ctx, r, p, input)
}

// burst is W2: runs of one step, started by many callers at once, each
// acknowledged when it is on disk.
func (b *run) burst(ctx context.Context) (err error) {
	p, err := compile("kind: Workflow\nname: burst\nsteps:\n  - run: 'true'\n")
	if err != nil {
		return err
	}
	r, err := b.open(ctx, "w2", true, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	n := b.size(burstRuns)
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var group sync.WaitGroup
	failures := make(chan error, burstCallers)
	begin := time.Now()
	for range burstCallers {
		group.Go(func() {
			for range work {
				if err := once(ctx, r, p, value.Undefined); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	close(failures)
	if err := <-failures; err != nil {
		return err
	}
	b.add("W2", fmt.Sprintf("%d one-step runs in process, %d callers", n, burstCallers), perSecond(n, took), "runs/s", 0)
	if b.cfg.Binary == "" {
		return nil
	}
	return b.burstAPI(ctx)
}

// fanOut is W3: many steps at once and one that needs them all.
func (b *run) fanOut(ctx context.Context) error {
	n := b.size(fanItems)
	text := fmt.Sprintf("kind: Workflow\nname: fan\ninputs:\n  items: {type: list, default: [%s]}\n", strings.TrimSuffix(strings.Repeat("0,", n), ",")) +
		"graph:\n  each: {foreach: inputs.items, run: 'true'}\n  join: {needs: [each], run: 'true'}\n"
	p, err := compile(text)
	if err != nil {
		return err
	}
	limit, err := b.median(ctx, "w3", p, value.Undefined)
	if err != nil {
		return err
	}
	b.add("W3", fmt.Sprintf("fan-out over %d no-op steps and join", n), limit.Seconds(), "s", 0)
	if p, err = compileMachine("fan", asl.Standard, fan()); err != nil {
		return err
	}
	items := make([]value.Value, n)
	for i := range items {
		items[i] = value.Int(0)
	}
	took, err := b.median(ctx, "w3-map", p, value.Object(value.M("items", value.List(items...))))
	if err != nil {
		return err
	}
	b.add("W3", fmt.Sprintf("Map over %d items and join in a state machine", n), took.Seconds(), "s", limit.Seconds())
	return nil
}

// processes is W5: real processes with captured output.
func (b *run) processes(ctx context.Context) (err error) {
	n := b.size(processItems)
	p, err := compile(processDefinition(n))
	if err != nil {
		return err
	}
	r, err := b.open(ctx, "w5", false, 2*goruntime.NumCPU()) // one starts while another is waited for
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	begin := time.Now()
	if err := once(ctx, r, p, value.Undefined); err != nil {
		return err
	}
	b.add("W5", fmt.Sprintf("%d processes with captured output", n), perSecond(n, time.Since(begin)), "/s", b.machine.starts)
	if b.cfg.Binary == "" {
		return nil
	}
	return b.processesAPI(ctx)
}

// start measures `regie run` of a one-step workflow from its start to its exit,
// beside what the step itself takes.
func (b *run) start(ctx context.Context) error {
	if b.cfg.Binary == "" {
		return nil
	}
	file := filepath.Join(b.cfg.Dir, "start.yaml")
	text := "kind: Workflow\nname: start\nsteps:\n  - run: [" + trueProgram + "]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the definition: %w", err)
	}
	var whole, bare []time.Duration
	for range coldStarts {
		for _, c := range []struct {
			into *[]time.Duration
			cmd  *exec.Cmd
		}{
			{&whole, exec.CommandContext(ctx, b.cfg.Binary, "run", file)},
			{&bare, exec.CommandContext(ctx, trueProgram)},
		} {
			c.cmd.Env = append(slices.Clip(b.cfg.Environ), "REGIE_STATE_DIR="+filepath.Join(b.cfg.Dir, "state"))
			begin := time.Now()
			if out, err := c.cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("run %s: %w: %s", c.cmd.Path, err, out)
			}
			*c.into = append(*c.into, time.Since(begin))
		}
	}
	beyond := median(whole) - median(bare)
	b.add("start", "regie run of one step, start to exit, beyond the step itself (median)", beyond.Seconds()*1000, "ms", 0)
	return nil
}
