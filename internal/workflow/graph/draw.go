package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/workflow"
)

// Of makes the graph of a program. Words is what an expression looks like to
// people; nil: its source.
func Of(p *workflow.Program, words func(*workflow.Expr) string) *Graph {
	if words == nil {
		words = func(e *workflow.Expr) string { return e.Source }
	}
	d := &drawing{p: p, words: words, graph: &Graph{Language: p.Language}, taken: map[string]bool{}}
	d.body(frame{body: p.Main})
	return d.graph
}

// drawing is a graph that is being made.
type drawing struct {
	p     *workflow.Program
	words func(*workflow.Expr) string
	graph *Graph
	taken map[string]bool // IDs
}

// frame is where a body is drawn: the path that its frames have, and the node
// around it. Open are the bodies that are being drawn around it.
type frame struct {
	body   workflow.BodyID
	path   string
	parent string
	role   Role // of the node that takes the place of a part
	open   []workflow.BodyID
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// add puts a node into the graph and returns its ID: that of two with the same
// path gets a number, which no path has.
func (d *drawing) add(n Node) (string, bool) {
	if len(d.graph.Nodes) >= MaxNodes {
		d.graph.Truncated = true
		return "", false
	}
	id := n.ID
	for i := 2; d.taken[id]; i++ {
		id = n.ID + "~" + strconv.Itoa(i)
	}
	d.taken[id] = true
	n.ID, n.Condition, n.Join, n.Label = id, cut(n.Condition), cut(n.Join), cut(n.Label)
	d.graph.Nodes = append(d.graph.Nodes, n)
	return id, true
}

func (d *drawing) edge(e Edge) {
	if e.From == "" || e.To == "" {
		return // one of them did not fit
	}
	if len(d.graph.Edges) >= MaxEdges {
		d.graph.Truncated = true
		return
	}
	e.Label = cut(e.Label)
	d.graph.Edges = append(d.graph.Edges, e)
}

func cut(text string) string {
	if len(text) <= MaxText {
		return text
	}
	n := MaxText
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// body draws the nodes of a body and what leads from one to another. It returns
// the first node, by which the body is entered when it is no part of its own.
func (d *drawing) body(f frame) (first string) {
	b := &d.p.Bodies[f.body]
	f.open = append(slices.Clone(f.open), f.body)
	ids := make([]string, len(b.Nodes))
	for i := range b.Nodes {
		start := slices.Contains(b.Start, workflow.NodeID(i))
		ids[i] = d.node(f, &b.Nodes[i], start)
		if first == "" || start && workflow.NodeID(i) == b.Start[0] {
			first = ids[i]
		}
	}
	leads := make([]bool, len(b.Nodes))
	for i := range b.Nodes {
		d.edges(b, ids, i, leads)
	}
	if b.Finally != nil {
		at := d.part(f, Node{ID: join(f.path, "finally"), Name: "finally", Role: RoleFinally}, *b.Finally, join(f.path, "finally"))
		for i := range ids {
			if !leads[i] {
				d.edge(Edge{From: ids[i], To: at, Kind: EdgeFinally})
			}
		}
	}
	return first
}

// node draws a node with everything inside it.
func (d *drawing) node(f frame, n *workflow.Node, start bool) string {
	path, name := f.path, last(f.path)
	if n.ID != "" {
		path, name = join(f.path, workflow.Segment(n.ID)), n.ID
	}
	out := Node{
		ID: path, Parent: f.parent, Name: name, Label: n.Origin.Label, Kind: n.Origin.Kind, Shape: string(n.Kind), Role: RoleStep,
		File: n.Origin.File, Line: n.Origin.Line, Start: start,
	}
	if out.Kind == "" {
		out.Kind = out.Shape
	}
	if n.ID == "" && f.role != "" {
		out.Role = f.role
	}
	if n.If != nil {
		out.Condition = d.words(n.If)
	}
	if n.Join != nil {
		out.Join = d.joined(&n.Join.When)
	}
	switch {
	case n.Task != nil:
		out.Uses = n.Task.Uses
	case n.Child != nil:
		out.Uses = n.Child.Workflow
	}
	for _, body := range inside(n) {
		out.Recursive = out.Recursive || slices.Contains(f.open, body)
	}
	id, ok := d.add(out)
	if !ok {
		return ""
	}
	if !out.Recursive {
		d.inside(frame{path: path, parent: id, open: f.open}, n)
	}
	d.beside(frame{path: path, parent: f.parent, open: f.open}, n, id)
	return id
}

// beside draws what belongs to a node and does not lie in it: what handles its
// errors, what undoes it, and what decides on another attempt.
func (d *drawing) beside(f frame, n *workflow.Node, id string) {
	for i := range n.Catch {
		if c := &n.Catch[i]; c.Body != nil {
			at := join(f.path, "on_error")
			to := d.part(f, Node{ID: at, Name: "on_error", Role: RoleHandler}, *c.Body, at)
			d.edge(Edge{From: id, To: to, Kind: EdgeError, Label: d.caught(c)})
		}
	}
	for i := range n.Retry {
		if call := n.Retry[i].Call; call != nil {
			at := join(f.path, "retry")
			if i > 0 {
				at += "[]"
			}
			to := d.part(f, Node{ID: at, Name: "retry", Role: RoleRetry}, *call, at)
			d.edge(Edge{From: id, To: to, Kind: EdgeRetry})
		}
	}
	if n.Compensate != nil {
		at := join(f.path, "compensate")
		to := d.part(f, Node{ID: at, Name: "compensate", Role: RoleCompensation}, n.Compensate.Body, at)
		d.edge(Edge{From: id, To: to, Kind: EdgeCompensation})
	}
}

// inside lists the bodies that the frames of a node run.
func inside(n *workflow.Node) []workflow.BodyID {
	var out []workflow.BodyID
	switch {
	case n.Fork != nil:
		for _, b := range n.Fork.Branches {
			out = append(out, b.Body)
		}
	case n.Map != nil:
		out = append(out, n.Map.Body)
	case n.Loop != nil:
		out = append(out, n.Loop.Body)
	case n.Call != nil:
		out = append(out, n.Call.Body)
	case n.Choice != nil:
		for i := range n.Choice.Cases {
			if body := n.Choice.Cases[i].Body; body != nil {
				out = append(out, *body)
			}
		}
	}
	return out
}

// inside draws what a node holds.
func (d *drawing) inside(f frame, n *workflow.Node) {
	switch {
	case n.Fork != nil:
		d.branches(f, n.Fork.Branches)
	case n.Map != nil:
		f.body, f.path, f.role = n.Map.Body, f.path+"[]", RoleItem
		d.body(f)
	case n.Loop != nil:
		f.body, f.path, f.role = n.Loop.Body, f.path+"[]", RoleItem
		d.body(f)
	case n.Call != nil:
		f.body = n.Call.Body
		d.body(f)
	case n.Choice != nil:
		for i := range n.Choice.Cases {
			c := &n.Choice.Cases[i]
			if c.Body == nil {
				continue
			}
			part := Node{ID: f.path + "~" + strconv.Itoa(i+1), Name: c.Name, Role: RoleBranch, Condition: "else"}
			if c.If != nil {
				part.Condition = d.words(c.If)
			}
			d.part(f, part, *c.Body, f.path)
		}
	}
}

// branches draws those of a fork. One alone without a name is no part.
func (d *drawing) branches(f frame, branches []workflow.Branch) {
	for i := range branches {
		b := &branches[i]
		switch {
		case b.Name != "":
			at := join(f.path, workflow.Segment(b.Name))
			d.part(f, Node{ID: at, Name: b.Name, Role: RoleBranch}, b.Body, at)
		case len(branches) == 1:
			f.body = b.Body
			d.body(f)
		default:
			d.part(f, Node{ID: f.path + "~" + strconv.Itoa(i+1), Name: strconv.Itoa(i + 1), Role: RoleBranch}, b.Body, f.path)
		}
	}
}

// part draws a body whose frames have the path at, in a node of its own unless
// its only node takes that place. It returns the ID of either.
func (d *drawing) part(f frame, n Node, body workflow.BodyID, at string) string {
	f.body, f.path, f.role = body, at, n.Role
	if b := &d.p.Bodies[body]; len(b.Nodes) == 1 && b.Nodes[0].ID == "" && b.Finally == nil {
		return d.body(f)
	}
	n.Parent, n.Kind, n.Shape = f.parent, string(n.Role), "part"
	n.Recursive = slices.Contains(f.open, body)
	id, ok := d.add(n)
	if ok && !n.Recursive {
		f.parent = id
		d.body(f)
	}
	return id
}

// edges draws what leads to and from a node of a body, and the parts beside it.
func (d *drawing) edges(b *workflow.Body, ids []string, i int, leads []bool) {
	n := &b.Nodes[i]
	to := func(next workflow.NodeID, kind EdgeKind, label string) {
		leads[i] = true
		d.edge(Edge{From: ids[i], To: ids[next], Kind: kind, Label: label})
	}
	if n.Join != nil {
		for at, need := range n.Join.Needs {
			leads[need] = true
			d.edge(Edge{From: ids[need], To: ids[i], Kind: EdgeNeeds, Label: ends(&n.Join.When, at)})
		}
	}
	if n.Choice != nil {
		for j := range n.Choice.Cases {
			if c := &n.Choice.Cases[j]; c.Next != nil {
				label := "else"
				if c.If != nil {
					label = d.words(c.If)
				}
				to(*c.Next, EdgeBranch, label)
			}
		}
	}
	if n.Next != nil {
		to(*n.Next, EdgeNext, "")
	}
	for j := range n.Catch {
		if c := &n.Catch[j]; c.Next != nil {
			to(*c.Next, EdgeError, d.caught(c))
		}
	}
	if n.Exit != nil && n.Exit.Next != nil && n.Exit.Up == 0 {
		to(*n.Exit.Next, EdgeNext, "")
	}
}

// caught says which errors a handler takes.
func (d *drawing) caught(c *workflow.Catch) string {
	out := strings.Join(c.Match, ", ")
	if len(c.Except) > 0 {
		out = fmt.Sprintf("%s except %s", out, strings.Join(c.Except, ", "))
	}
	if c.When != nil {
		out = strings.TrimSpace(out + " " + d.words(c.When))
	}
	return strings.TrimSpace(out)
}

// joined says how needs count: empty if all of them must hold.
func (d *drawing) joined(c *workflow.Cond) string {
	switch c.Op {
	case workflow.OpOr:
		return "any"
	case workflow.OpExpr:
		if c.Expr != nil {
			return d.words(c.Expr)
		}
	case workflow.OpNot:
		return "formula"
	case workflow.OpAnd:
		for i := range c.Args {
			if c.Args[i].Op != workflow.OpEnd {
				return "formula"
			}
		}
	case workflow.OpEnd:
	}
	return ""
}

// ends says how a need must have ended, empty if well.
func ends(c *workflow.Cond, need int) string {
	if c.Op == workflow.OpEnd {
		if c.Need != need || c.Ends == workflow.EndOK {
			return ""
		}
		return endWords(c.Ends)
	}
	for i := range c.Args {
		if text := ends(&c.Args[i], need); text != "" {
			if c.Op == workflow.OpNot {
				return "not " + text
			}
			return text
		}
	}
	return ""
}

func endWords(e workflow.Ends) string {
	if e == workflow.EndAny {
		return "done"
	}
	var out []string
	for i, word := range []string{"succeeded", "skipped", "failed", "canceled", "not_run", "timed_out", "ready"} {
		if e&(1<<i) != 0 {
			out = append(out, word)
		}
	}
	return strings.Join(out, ", ")
}

// last is the last segment of a path.
func last(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}
