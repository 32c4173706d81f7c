package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// Comparison is how two versions of a workflow differ.
type Comparison struct {
	// From and To are the versions.
	From, To string
	// Text is the difference of the definitions, in unified form; empty: none.
	Text string
	// Parts are the parts of the workflow beside its steps that differ, as the
	// program form names them.
	Parts []string
	Steps []StepChange
}

// StepChange is a step that differs between two versions.
type StepChange struct {
	Path   string
	Action string // added, removed or changed
	// Parts of a changed step, as the program form names them.
	Parts []string
}

// Actions of a StepChange.
const (
	Added   = "added"
	Removed = "removed"
	Differs = "changed"
)

// Compare compares two versions of a workflow: from, and to, which is the one in
// force if it is empty. Errors: ErrNotFound.
func (c *Catalog) Compare(ctx context.Context, namespace, name, from, to string) (Comparison, error) {
	a, err := c.Version(namespace, name, from)
	if err != nil {
		return Comparison{}, err
	}
	b, err := c.Version(namespace, name, to)
	if err != nil {
		return Comparison{}, err
	}
	out := Comparison{From: a.Value.Program[:16], To: b.Value.Program[:16]}
	text := diff.Diff(a.Value.Source.Path+"@"+out.From, []byte(a.Value.Source.Text), b.Value.Source.Path+"@"+out.To, []byte(b.Value.Source.Text))
	if _, rest, ok := bytes.Cut(text, []byte("\n")); ok { // without the command line that it begins with
		out.Text = string(rest)
	}
	old, err := programOf(ctx, c.cfg.Machines, c.cfg.Store, &a.Value)
	if err != nil {
		return Comparison{}, err
	}
	now, err := programOf(ctx, c.cfg.Machines, c.cfg.Store, &b.Value)
	if err != nil {
		return Comparison{}, err
	}
	out.Parts, out.Steps, err = compare(old, now)
	return out, err
}

func programOf(ctx context.Context, machines *runtime.Machines, s store.Reader, v *Version) (*workflow.Program, error) {
	machine, err := machines.Stored(ctx, s, v.Hash())
	if err != nil {
		return nil, fmt.Errorf("read version %s of %s: %w", v.Program[:16], v.Workflow, err)
	}
	return machine.Program(), nil
}

// members are those of a JSON object, each as its text.
type members map[string]string

// compare tells programs apart.
func compare(old, now *workflow.Program) (parts []string, steps []StepChange, err error) {
	a, aSteps, err := taken(old)
	if err != nil {
		return nil, nil, err
	}
	b, bSteps, err := taken(now)
	if err != nil {
		return nil, nil, err
	}
	for path := range union(aSteps, bSteps) {
		x, before := aSteps[path]
		y, after := bSteps[path]
		switch {
		case !before:
			steps = append(steps, StepChange{Path: path, Action: Added})
		case !after:
			steps = append(steps, StepChange{Path: path, Action: Removed})
		default:
			if differ := differing(x, y); len(differ) > 0 {
				steps = append(steps, StepChange{Path: path, Action: Differs, Parts: differ})
			}
		}
	}
	slices.SortFunc(steps, func(x, y StepChange) int { return strings.Compare(x.Path, y.Path) })
	return differing(a, b), steps, nil
}

func union[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// differing names the members that differ, in order.
func differing(a, b members) []string {
	var out []string
	for key := range union(a, b) {
		if a[key] != b[key] {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// taken takes a program apart: what it says as a whole, and its steps by the
// paths that they have in the source. Numbers of bodies and nodes, and where a
// step stands in its file, are left out: they change with what stands around.
func taken(p *workflow.Program) (members, map[string]members, error) {
	whole := *p
	whole.Bodies, whole.Definition, whole.Main = nil, nil, 0
	all, err := membersOf(whole)
	delete(all, "bodies")
	steps := map[string]members{}
	for i := range p.Bodies {
		body := &p.Bodies[i]
		for j := range body.Nodes {
			node := body.Nodes[j]
			var needs []string
			if node.Join != nil {
				for _, n := range node.Join.Needs {
					needs = append(needs, body.Nodes[n].ID)
				}
			}
			path := node.Origin.Path
			node.Origin, node.Next = workflow.Origin{Kind: node.Origin.Kind, Label: node.Origin.Label}, nil
			of, nodeErr := membersOf(node)
			if nodeErr != nil {
				err = nodeErr
				continue
			}
			if len(needs) > 0 {
				of["needs"] = strings.Join(needs, ", ")
			}
			if steps[path] == nil {
				steps[path] = members{}
			}
			for key, text := range of {
				steps[path][key] += text // of a step that has several nodes
			}
		}
	}
	return all, steps, err
}

// membersOf are the members of something, without numbers of bodies and nodes.
func membersOf(v any) (members, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("compare programs: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("compare programs: %w", err)
	}
	out := members{}
	for key, v := range all {
		text, err := json.Marshal(unnumbered(v))
		if err != nil {
			return nil, fmt.Errorf("compare programs: %w", err)
		}
		out[key] = string(text)
	}
	return out, nil
}

func unnumbered(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = unnumbered(v[i])
		}
	case map[string]any:
		for key, member := range v {
			switch key {
			case "const": // of the definition itself
				continue
			case "body", "call", "next", "needs", "finally", "node":
				if _, structured := member.(map[string]any); !structured {
					delete(v, key)
					continue
				}
			}
			v[key] = unnumbered(member)
		}
	}
	return v
}
