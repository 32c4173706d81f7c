package api

import (
	"context"
	"slices"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow/graph"
)

// MaxGraphSteps is how many steps of a run are counted for its graph. Those of
// larger runs that began later are left out, and the answer says so: a step
// takes some hundred bytes while it is counted.
const MaxGraphSteps = 100_000

// GetGraph draws a version of a workflow.
func (a *API) GetGraph(ctx context.Context, m *regiev1.GetGraphRequest) (*regiev1.GetGraphResponse, error) {
	version, err := a.cfg.Catalog.Version(m.GetNamespace(), m.GetWorkflow(), m.GetVersion())
	if err != nil {
		return nil, failure(err)
	}
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, version.Value.Hash())
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.GetGraphResponse{Version: version.Value.Program[:16], Graph: graphOf(graph.Of(machine.Program(), asl.Words))}, nil
}

// GetRunGraph draws the program of a run with how far each node has come.
func (a *API) GetRunGraph(ctx context.Context, m *regiev1.GetRunGraphRequest) (*regiev1.GetRunGraphResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	seen, _, err := a.history(ctx, &row, func(number int, _ string) bool { return number < MaxGraphSteps })
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.GetRunGraphResponse{
		Run: a.run(ctx, &row), States: nodeStates(a.steps(&row, seen.Run())), Truncated: seen.Began() > MaxGraphSteps,
	}
	if !m.GetStatesOnly() {
		machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, row.Program)
		if err != nil {
			return nil, failure(err)
		}
		out.Graph = graphOf(graph.Of(machine.Program(), asl.Words))
	}
	return out, nil
}

func graphOf(g *graph.Graph) *regiev1.Graph {
	out := &regiev1.Graph{Language: g.Language, Truncated: g.Truncated}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		out.Nodes = append(out.Nodes, &regiev1.GraphNode{
			Id: n.ID, Parent: n.Parent, Name: n.Name, Label: n.Label, Kind: n.Kind, Shape: n.Shape, Role: string(n.Role), Uses: n.Uses,
			Condition: n.Condition, Join: n.Join, File: n.File, Line: int32(n.Line), Start: n.Start, Recursive: n.Recursive,
		})
	}
	for _, e := range g.Edges {
		out.Edges = append(out.Edges, &regiev1.GraphEdge{From: e.From, To: e.To, Kind: string(e.Kind), Label: e.Label})
	}
	return out
}

// telling are the states from the one that says least of a node to the one that
// says most.
var telling = []engine.State{
	engine.Skipped, engine.Succeeded, engine.Canceled, engine.Pending, engine.Queued, engine.Waiting, engine.Running, engine.Failed,
}

// nodeStates sums the steps up by their nodes.
func nodeStates(steps []*regiev1.Step) []*regiev1.GraphNodeState {
	nodes, ranks := map[string]*regiev1.GraphNodeState{}, map[string]int{}
	var out []*regiev1.GraphNodeState
	for _, s := range steps {
		n := nodes[s.GetNode()]
		if n == nil {
			n = &regiev1.GraphNodeState{Node: s.GetNode(), States: map[string]uint32{}}
			nodes[n.GetNode()], ranks[n.GetNode()] = n, -1
			out = append(out, n)
		}
		n.States[s.GetState()]++
		n.Attempts = max(n.GetAttempts(), s.GetAttempts())
		rank := tells(s.GetState(), s.GetHandled())
		if rank >= ranks[n.GetNode()] { // of the same, the later one
			ranks[n.GetNode()], n.State, n.Path = rank, s.GetState(), s.GetPath()
		}
	}
	slices.SortFunc(out, func(x, y *regiev1.GraphNodeState) int { return strings.Compare(x.GetNode(), y.GetNode()) })
	return out
}
