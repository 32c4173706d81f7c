package mock

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Result is what one attempt of a mocked step gives.
type Result struct {
	// Output is the result, unless ErrorName says that it failed, or Lost that
	// nobody knows how it ended.
	Output       value.Value
	ErrorName    string
	ErrorMessage string
	ErrorDetails value.Value
	Lost         bool
	Warning      string
	// Duration is how long the attempt takes.
	Duration time.Duration
	// Log are lines that the attempt prints.
	Log []string
}

// Set holds the mocks of a run. The zero Set and a nil one have none.
type Set struct {
	entries []entry
	// states are answered by name, wherever they stand, see [Which]; names are
	// they in order.
	states map[string]*response
	names  []string
}

// Call is an attempt for which a mock is looked for.
type Call struct {
	Path    string // of the step
	Name    string // of the step, as the definition has it
	Attempt int    // from 1
	// Invocation is how many attempts of the step of this name the run made
	// before, wherever they stood; it is needed where [Set.Counts].
	Invocation int
}

type entry struct {
	pattern string
	results []Result
}

// Describe is the descriptor of one result.
var resultObject = &descriptor.Object{
	Name: "mock",
	Doc:  "What stands in for one attempt of a step.",
	Fields: []descriptor.Field{
		{Name: "output", Doc: "The step's result.", Type: descriptor.Type{Kind: descriptor.Any}},
		{Name: "error", Doc: "The attempt fails with this error.", Type: descriptor.Type{Kind: descriptor.Struct, Object: &descriptor.Object{
			Name: "mock_error",
			Doc:  "An error as `on_error` and `retry` see it.",
			Fields: []descriptor.Field{
				{Name: "name", Doc: "Name of the error, such as `exit.1`.", Type: descriptor.Type{Kind: descriptor.String}, Required: true},
				{Name: "message", Doc: "Text for people.", Type: descriptor.Type{Kind: descriptor.String}},
				{Name: "details", Doc: "Anything more.", Type: descriptor.Type{Kind: descriptor.Any}},
			},
		}}},
		{Name: "lost", Doc: "The attempt's outcome is unknown, as after a crash of its worker.", Type: descriptor.Type{Kind: descriptor.Boolean}},
		{Name: "warning", Doc: "The attempt succeeds with this warning.", Type: descriptor.Type{Kind: descriptor.String}},
		{Name: "duration", Doc: "How long the attempt takes; passes at once in virtual time.", Type: descriptor.Type{Kind: descriptor.Duration}},
		{Name: "log", Doc: "Lines that the attempt prints.", Type: descriptor.Type{Kind: descriptor.List, Elem: &descriptor.Type{Kind: descriptor.String}}},
	},
	OneOfGroups: []descriptor.Group{{Fields: []string{"output", "error", "lost"}, What: "how the attempt ends"}},
}

// Describe returns the descriptor of a mocks mapping: step path, or a pattern
// in which * stands for any text, to one result or a list of them, attempt by
// attempt; the last of a list repeats.
func Describe() *descriptor.Object {
	return &descriptor.Object{
		Name: "mocks",
		Doc:  "Replaces steps by results, errors or sequences of them.",
		Fields: []descriptor.Field{{
			Name: "mocks", Doc: "By step path, such as `settle[0]`; `*` stands for any text. The longest key that fits counts.",
			Type: Type(), Required: true,
		}},
		Example: "mocks:\n  fetch: {output: {files: [a.csv]}}\n  \"settle[*]\":\n    - {error: {name: http.503}, duration: 2s}\n    - {output: done}\n",
	}
}

// Type is the type of the mapping itself, for files that hold it as a field.
func Type() descriptor.Type {
	one := descriptor.Type{Kind: descriptor.Struct, Object: resultObject}
	return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &descriptor.Type{
		Kind: descriptor.OneOf, Options: []descriptor.Type{one, {Kind: descriptor.List, Min: descriptor.Bound(1), Elem: &one}},
	}}
}

// Parse reads a mocks file: a mapping with the one key mocks, or a file in the
// format of Step Functions Local.
func Parse(file string, text []byte, which Which) (*Set, []diag.Diagnostic) {
	docs, problems := yamldoc.Parse(file, text)
	var list diag.List
	list.Add(problems...)
	if len(problems) == 0 && len(docs) != 1 {
		list.Errorf(diag.Pos{File: file, Line: 1, Column: 1}, "mocks_documents", "want one document with the key mocks, got %d documents", len(docs))
	}
	if list.HasErrors() || len(docs) != 1 {
		return nil, list.Sorted()
	}
	if docs[0].Get(fieldMachines) != nil {
		return ofLocal(docs[0], which, &list), list.Sorted()
	}
	if which.Case != "" {
		list.Errorf(docs[0].Pos, "mocks_case", "there are no cases here to choose %q from", which.Case).
			WithHint("cases belong to the format of Step Functions Local; name the file alone")
	}
	descriptor.Check(docs[0], Describe(), &list)
	if list.HasErrors() {
		return nil, list.Sorted()
	}
	return FromNode(docs[0].Get("mocks")), list.Sorted()
}

// FromNode reads a checked mapping, nil giving no mocks.
func FromNode(n *yamldoc.Node) *Set {
	s := &Set{}
	if n == nil {
		return s
	}
	for _, e := range n.Entries {
		item := entry{pattern: e.Key.Text}
		if e.Value.Kind == yamldoc.List {
			for _, r := range e.Value.Items {
				item.results = append(item.results, resultOf(r.ToValue()))
			}
		} else {
			item.results = []Result{resultOf(e.Value.ToValue())}
		}
		s.entries = append(s.entries, item)
	}
	slices.SortStableFunc(s.entries, func(a, b entry) int {
		exactA, exactB := !strings.Contains(a.pattern, "*"), !strings.Contains(b.pattern, "*")
		switch {
		case exactA && !exactB:
			return -1
		case exactB && !exactA:
			return 1
		}
		return cmp.Compare(len(b.pattern), len(a.pattern))
	})
	return s
}

func resultOf(v value.Value) Result {
	r := Result{
		Output: v.Get("output"), Warning: v.Get("warning").Text(),
		ErrorName: v.Get("error").Get("name").Text(), ErrorMessage: v.Get("error").Get("message").Text(),
		ErrorDetails: v.Get("error").Get("details"),
	}
	r.Lost, _ = v.Get("lost").Bool()
	r.Duration, _ = duration.Parse(v.Get("duration").Text())
	for _, line := range v.Get("log").Items() {
		r.Log = append(r.Log, line.Text())
	}
	return r
}

// Find returns what an attempt gives, and whether it is mocked at all.
func (s *Set) Find(c Call) (Result, bool) {
	if s == nil {
		return Result{}, false
	}
	if r := s.states[c.Name]; r != nil {
		return r.of(c.Name, c.Invocation), true
	}
	for i := range s.entries {
		e := &s.entries[i]
		if len(e.results) > 0 && Fits(e.pattern, c.Path) {
			return e.results[min(c.Attempt, len(e.results))-1], true
		}
	}
	return Result{}, false
}

// Counts reports whether what the step of the name gives depends on the number
// of its invocations.
func (s *Set) Counts(name string) bool { return s != nil && s.states[name] != nil }

// States are the names of the steps that are answered wherever they stand.
func (s *Set) States() []string {
	if s == nil {
		return nil
	}
	return s.names
}

// Patterns are the keys, in the order in which they are tried.
func (s *Set) Patterns() []string {
	if s == nil {
		return nil
	}
	out := make([]string, len(s.entries))
	for i := range s.entries {
		out[i] = s.entries[i].pattern
	}
	return out
}

// Answers reports whether one of the mocks may stand in for the step, wherever it
// stands: the last segment of the key fits its name.
func (s *Set) Answers(step string) bool {
	if s.Counts(step) {
		return true
	}
	for _, pattern := range s.Patterns() {
		name, _, _ := strings.Cut(pattern[strings.LastIndexByte(pattern, '/')+1:], "[")
		if Fits(name, step) {
			return true
		}
	}
	return false
}

// Fits reports whether the path is the pattern, where * stands for any text.
func Fits(pattern, path string) bool {
	// What failed after a star is tried again with more text for the last star
	// only: an earlier one could not help, so the time is bounded by the product
	// of both lengths.
	p, t, star, from := 0, 0, -1, 0
	for t < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && pattern[p] == path[t]:
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
