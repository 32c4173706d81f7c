package asl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
)

// Target says what the tasks of a resource do here; false for a resource that
// it does not know, which becomes a placeholder.
type Target func(asl.Resource) (Call, bool)

// Call is what a step does in place of a resource. Exactly one of Uses and Run
// is set.
type Call struct {
	// Uses names a connector or task type.
	Uses string
	// With are the fixed members of its input.
	With []value.Member
	// Run is a program with its arguments.
	Run []string
	// Input names what takes the arguments of the state: a member of `with`,
	// or an environment variable, which gets JSON. Empty: they are `with`
	// itself; a program does not get them.
	Input string
	// Result is an expression over `result` that gives what the resource
	// returns; empty: `result`.
	Result string
}

// Config is what converting knows from outside.
type Config struct {
	// Name is the name of the workflow. Required.
	Name string
	// Type is the guarantee that the machine runs under.
	Type asl.MachineType
	// Target says what resources are here; nil: nothing is known of any.
	Target Target
	// Partial writes a machine that has no structure all the same, with
	// placeholders where it would have to jump.
	Partial bool
}

// Result is what became of a machine.
type Result struct {
	// YAML is the workflow; nil when the machine has no structure.
	YAML   []byte
	Report Report
	// WholeInput says that the workflow has one input, called input, for the
	// whole input of the machine; else each member that the machine reads has
	// an input of its own.
	WholeInput bool
	// Inputs are the names of the inputs.
	Inputs []string
}

// wholeInput is the name of the input that takes the whole input.
const wholeInput = "input"

// Convert converts a machine that was read without errors.
func Convert(cfg Config, m *asl.Machine) Result {
	named := newConverter(cfg, m)
	out := named.convert()
	if named.whole {
		// Somebody reads the input as a whole: now it is known from the start.
		c := newConverter(cfg, m)
		c.whole, c.byName = true, false
		out = c.convert()
	}
	return out
}

// converter converts one machine.
type converter struct {
	cfg     Config
	machine *asl.Machine
	report  Report

	byName bool // the members of the input are inputs of their own
	whole  bool // something reads the input as a whole
	inputs []string

	taken   map[string]bool // IDs, variables and loop variables
	tried   map[string]int  // how many numbers an ID was tried with
	states  int             // of all flows
	written map[string]int  // how often a state was written
	total   int             // how often states were written
	tasks   bool
	stuck   bool // a part has no structure
}

func newConverter(cfg Config, m *asl.Machine) *converter {
	c := &converter{cfg: cfg, machine: m, byName: true, taken: map[string]bool{}, tried: map[string]int{}, written: map[string]int{}}
	for _, name := range words {
		c.taken[name] = true
	}
	c.taken[firstLoop] = true
	m.Each(func(*asl.State) { c.states++ })
	return c
}

// firstLoop is the name of the item in the outermost Map.
const firstLoop = "item"

// reserved are names that expressions have a meaning for: no variable can have
// them.
var reserved = strings.Fields(`inputs steps run vars secrets needs error index attempt result group
	item x int uint double decimal string bool bytes list map type dyn size has date datetime timestamp duration
	json base64 regex strings math lists sets optional cel calendar null_type`)

// input is a member of the machine's input.
func (c *converter) input(key string) data {
	if !c.byName || !isName(key) {
		c.whole = true
		return cel(access("inputs."+wholeInput, key))
	}
	if !slices.Contains(c.inputs, key) {
		c.inputs = append(c.inputs, key)
	}
	return cel("inputs." + key)
}

var nameBreak = regexp.MustCompile(`([a-z0-9])([A-Z])`)
var notName = regexp.MustCompile(`[^a-z0-9]+`)

const maxID = 50 // so that an ID can be made longer

// id makes a name that is not taken of the name of a state.
func (c *converter) id(name string) string {
	id := nameBreak.ReplaceAllString(name, "${1}_${2}")
	id = strings.Trim(notName.ReplaceAllString(strings.ToLower(id), "_"), "_")
	if id == "" {
		id = "state"
	}
	if id[0] >= '0' && id[0] <= '9' {
		id = "s_" + id
	}
	return c.unique(id[:min(len(id), maxID)])
}

func (c *converter) unique(id string) string {
	out := id
	for c.taken[out] {
		c.tried[id]++
		out = fmt.Sprintf("%s_%d", id, c.tried[id]+1)
	}
	c.taken[out] = true
	return out
}

// variableName makes a name for a variable.
func (c *converter) variableName(name string) string {
	if slices.Contains(reserved, name) {
		name += "_value"
	}
	return c.unique(name)
}

func (c *converter) note(o Outcome, pos diag.Pos, state, construct, format string, args ...any) *Entry {
	c.report = append(c.report, Entry{Outcome: o, Pos: pos, State: state, Construct: construct, Note: fmt.Sprintf(format, args...)})
	return &c.report[len(c.report)-1]
}

// convert converts the machine once.
func (c *converter) convert() Result {
	m := c.machine
	c.cycles(&m.Flow)
	if c.stuck && !c.cfg.Partial {
		return Result{Report: c.report.sorted()}
	}
	e := &emitter{converter: c, graph: newGraph(&m.Flow), main: true, names: map[string]string{}, vars: map[string]string{}, shaky: map[string]bool{}}
	b := &block{}
	end, live := e.sequence(b, m.StartAt.Text, exit, data{kind: root})
	if live {
		end = e.settle(b, end)
	}
	if c.stuck && !c.cfg.Partial { // too much would be written twice
		return Result{Report: c.report.sorted()}
	}
	c.machineFields()
	text := c.document(b, end, live)
	for _, s := range c.often() {
		c.note(Carried, s.Pos, s.Name, "state", "it is written %d times, once for each way that leads to it", c.written[s.Name])
	}
	c.unaccounted()
	return Result{YAML: text, Report: c.report.sorted(), WholeInput: c.whole, Inputs: c.inputs}
}

// often lists the states that were written several times.
func (c *converter) often() []*asl.State {
	var out []*asl.State
	c.machine.Each(func(s *asl.State) {
		if c.written[s.Name] > 1 {
			out = append(out, s)
		}
	})
	return out
}

// cycles reports the jumps that go back, in all flows.
func (c *converter) cycles(f *asl.Flow) {
	g := newGraph(f)
	for _, s := range f.States {
		for _, to := range g.next(s.Name) {
			if g.back[edge{s.Name, to}] {
				c.stuck = true
				c.note(Lost, s.Pos, s.Name, "Next", "it goes back to %q, which makes a loop, and loops are not made into `repeat`. "+
					"Run the state machine as it is: regie run FILE", to)
			}
		}
		if s.Parallel != nil {
			for _, b := range s.Parallel.Branches {
				c.cycles(b)
			}
		}
		if s.Map != nil {
			c.cycles(s.Map.Processor)
		}
	}
}

// machineFields reports the fields of the machine.
func (c *converter) machineFields() {
	m := c.machine
	if m.Comment != "" {
		c.note(Carried, m.Pos, "", "Comment", "")
	}
	if m.Version != "" {
		c.note(Carried, m.Pos, "", "Version", "the version of the language has no counterpart and needs none")
	}
	c.note(Carried, m.StartAt.Pos, "", "StartAt", "")
	switch {
	case c.whole:
		c.note(Changed, m.Pos, "", "input", "the input of the state machine is the input %q of the workflow: --input '{%q: …}'", wholeInput, wholeInput)
	case len(c.inputs) > 0:
		c.note(Changed, m.Pos, "", "input", "what the state machine reads of its input is declared (%s); other members are refused, and missing ones before the run starts", strings.Join(c.inputs, ", "))
	default:
		c.note(Changed, m.Pos, "", "input", "the state machine reads nothing of its input; the workflow takes none")
	}
	if m.TimeoutSeconds != nil {
		c.note(Changed, m.TimeoutSeconds.Node.Pos, "", "TimeoutSeconds", "it bounds a group with all steps, which fails with the error timeout")
	}
	if c.tasks {
		c.note(Changed, m.Pos, "", "errors", "tasks fail with the errors of the connector or program that does them; names in Retry and Catch may need others (docs/importing.md)")
	}
}
