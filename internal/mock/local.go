package mock

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The format of mocks of Step Functions Local (AWS Step Functions Developer
// Guide, "Configuration file for mocked service integrations"): each case of a
// state machine names responses for states; a response says, by the number of
// the invocation of the state in the execution, from 0, what the state's work
// gives or throws.

// Which says which case of a file in the format of Step Functions Local is meant.
type Which struct {
	// Workflow is the name of the workflow that runs: the state machine of that
	// name counts, or else the only one.
	Workflow string `json:"workflow,omitempty"`
	// Case is the name of the case; empty: the only one.
	Case string `json:"case,omitempty"`
}

const (
	fieldMachines  = "StateMachines"
	fieldCases     = "TestCases"
	fieldResponses = "MockedResponses"
)

// response is what the invocations of a state give.
type response struct {
	name  string
	spans []span
}

// span is a range of invocations, from 0, the last included.
type span struct {
	first, last int
	result      Result
}

// describeLocal is the descriptor of a file in the format of Step Functions Local.
func describeLocal() *descriptor.Object {
	mapOf := func(elem descriptor.Type) descriptor.Type {
		return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &elem}
	}
	text := descriptor.Type{Kind: descriptor.String}
	thrown := &descriptor.Object{Name: "Throw", Doc: "An error.", Fields: []descriptor.Field{
		{Name: "Error", Type: text, Required: true, Doc: "Its name."}, {Name: "Cause", Type: text, Doc: "Its cause."},
	}}
	given := &descriptor.Object{
		Name: "MockedResponse", Doc: "What an invocation gives.",
		Fields: []descriptor.Field{
			{Name: "Return", Type: descriptor.Type{Kind: descriptor.Any}, Doc: "The whole result."},
			{Name: "Throw", Type: descriptor.Type{Kind: descriptor.Struct, Object: thrown}, Doc: "The error that it fails with."},
		},
		OneOfGroups: []descriptor.Group{{Fields: []string{"Return", "Throw"}, Needed: true, What: "what the invocation gives"}},
	}
	machine := &descriptor.Object{Name: "StateMachine", Doc: "The cases of a state machine.", Fields: []descriptor.Field{
		{Name: fieldCases, Type: mapOf(mapOf(text)), Required: true, Doc: "By case and state, the name of a response."},
	}}
	return &descriptor.Object{
		Name: "mocks of Step Functions Local", Doc: "Cases and responses.",
		Fields: []descriptor.Field{
			{Name: fieldMachines, Type: mapOf(descriptor.Type{Kind: descriptor.Struct, Object: machine}), Required: true, Doc: "By name, the state machines."},
			{
				Name: fieldResponses, Required: true, Doc: "By name, the responses: by number of the invocation, or a range of them.",
				Type: mapOf(mapOf(descriptor.Type{Kind: descriptor.Struct, Object: given})),
			},
		},
	}
}

// ofLocal reads the chosen case of a file in the format of Step Functions Local.
func ofLocal(n *yamldoc.Node, which Which, l *diag.List) *Set {
	descriptor.Check(n, describeLocal(), l)
	if l.HasErrors() {
		return nil
	}
	responses := map[string]*response{}
	for _, e := range n.Get(fieldResponses).Entries {
		responses[e.Key.Text] = responseOf(e, l)
	}
	for _, m := range n.Get(fieldMachines).Entries {
		for _, c := range m.Value.Get(fieldCases).Entries {
			for _, s := range c.Value.Entries {
				if responses[s.Value.Text] == nil {
					d := l.Errorf(s.Value.Pos, "unknown_response", "there is no response %q", s.Value.Text).WithLength(s.Value.Length())
					d.Hint = diag.DidYouMean(s.Value.Text, keys(n.Get(fieldResponses)))
				}
			}
		}
	}
	machine := pick(n.Get(fieldMachines), which.Workflow, "state machine", l)
	if machine == nil {
		return nil
	}
	chosen := pick(machine.Get(fieldCases), which.Case, "case", l)
	if chosen == nil || l.HasErrors() {
		return nil
	}
	s := &Set{states: map[string]*response{}}
	for _, e := range chosen.Entries {
		s.states[e.Key.Text] = responses[e.Value.Text]
		s.names = append(s.names, e.Key.Text)
	}
	return s
}

func keys(n *yamldoc.Node) []string {
	out := make([]string, len(n.Entries))
	for i, e := range n.Entries {
		out[i] = e.Key.Text
	}
	return out
}

// pick takes the entry of a name, or the only one if there is none of the name
// and no case is asked for by it.
func pick(n *yamldoc.Node, name, what string, l *diag.List) *yamldoc.Node {
	if found := n.Get(name); found != nil {
		return found
	}
	if i := slices.IndexFunc(n.Entries, func(e yamldoc.Entry) bool { return what != "case" && strings.EqualFold(e.Key.Text, name) }); i >= 0 {
		return n.Entries[i].Value
	}
	asked := name != "" && what == "case"
	if len(n.Entries) == 1 && !asked {
		return n.Entries[0].Value
	}
	there := "there is none"
	if len(n.Entries) > 0 {
		there = "there are " + strings.Join(keys(n), ", ")
	}
	if name == "" {
		l.Errorf(n.Pos, "mocks_case", "which %s is meant? there are %d", what, len(n.Entries)).WithHint("name it: --mocks FILE#CASE; %s", there)
		return nil
	}
	d := l.Errorf(n.Pos, "mocks_case", "there is no %s %q", what, name)
	if d.Hint = diag.DidYouMean(name, keys(n)); d.Hint == "" {
		d.Hint = there
	}
	return nil
}

// invocations is a number, or a range of numbers.
var invocations = regexp.MustCompile(`^([0-9]{1,9})(?:-([0-9]{1,9}))?$`)

// responseOf reads a response.
func responseOf(e yamldoc.Entry, l *diag.List) *response {
	r := &response{name: e.Key.Text}
	for _, item := range e.Value.Entries {
		m := invocations.FindStringSubmatch(item.Key.Text)
		if m == nil {
			l.Errorf(item.Key.Pos, "mocks_invocation", "%q is neither the number of an invocation nor a range of them", item.Key.Text).
				WithLength(item.Key.Length()).WithHint("write it as \"0\" or \"1-3\"; the first invocation is 0")
			continue
		}
		first, _ := strconv.Atoi(m[1])
		last := first
		if m[2] != "" {
			last, _ = strconv.Atoi(m[2])
		}
		if last < first {
			l.Errorf(item.Key.Pos, "mocks_invocation", "the range %q ends before it begins", item.Key.Text).WithLength(item.Key.Length())
		}
		s := span{first: first, last: last}
		if given := item.Value.Get("Return"); given != nil {
			s.result.Output = given.ToValue()
		} else {
			thrown := item.Value.Get("Throw").ToValue()
			s.result.ErrorName, s.result.ErrorMessage = thrown.Get("Error").Text(), thrown.Get("Cause").Text()
		}
		r.spans = append(r.spans, s)
	}
	slices.SortStableFunc(r.spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(r.spans); i++ {
		if r.spans[i].first <= r.spans[i-1].last {
			l.Errorf(e.Key.Pos, "mocks_invocation", "the response %q says twice what invocation %d gives", e.Key.Text, r.spans[i].first).WithLength(e.Key.Length())
		}
	}
	return r
}

// of is what invocation number n of a state gives.
func (r *response) of(state string, n int) Result {
	for i := range r.spans {
		if s := &r.spans[i]; s.first <= n && n <= s.last {
			return s.result
		}
	}
	return Result{
		ErrorName:    "States.Runtime",
		ErrorMessage: fmt.Sprintf("the mocked response %q has nothing for invocation %d of state %q", r.name, n, state),
		ErrorDetails: value.Null,
	}
}
