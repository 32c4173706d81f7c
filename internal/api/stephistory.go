package api

import (
	"context"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
)

// Bounds of ListStepHistory.
const (
	// MaxHistoryRuns is how many runs, the columns, one answer has; without a
	// wish it has DefaultHistoryRuns.
	MaxHistoryRuns     = 100
	DefaultHistoryRuns = 30
	// MaxHistoryRows is how many rows it has, of all that the runs have.
	MaxHistoryRows = 500
)

// ListStepHistory shows the steps of the runs of a workflow side by side.
func (a *API) ListStepHistory(ctx context.Context, m *regiev1.ListStepHistoryRequest) (*regiev1.ListStepHistoryResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	size, rows, err := historySize(m)
	if err != nil {
		return nil, err
	}
	of := "steps\n" + m.GetWorkflow() + "\n" + listOf(m.GetNamespace(), m.GetFilter())
	at, err := openToken[runToken](m.GetPageToken(), of)
	if err != nil {
		return nil, err
	}
	if at.At.IsZero() {
		at.At = a.cfg.Now()
	}
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, m.GetFilter(), at.At)
	if err != nil {
		return nil, err
	}
	if !q.filter.NewestFirst() {
		return nil, refuse(connect.CodeInvalidArgument, "filter_invalid", "runs beside each other stand in the order of time", "leave sort out")
	}
	q.of = of
	q.only1(m.GetWorkflow())
	out := &regiev1.ListStepHistoryResponse{}
	found, next, err := a.matching(ctx, q, at, size, MaxScan, filter.Unknown)
	if err != nil {
		return nil, failure(err)
	}
	out.NextPageToken = next
	cells := &grid{rows: map[string]*regiev1.StepHistory{}, place: map[string]int{}}
	for i := range found {
		s, err := a.summary(ctx, &found[i])
		if err != nil {
			return nil, failure(err)
		}
		out.Runs = append(out.Runs, a.run(ctx, &found[i]))
		out.Truncated = out.GetTruncated() || s.more
		cells.add(uint32(i), s)
	}
	out.TotalRows = uint32(len(cells.order))
	from := min(int(m.GetRowsFrom()), len(cells.order))
	out.Rows = cells.order[from:min(from+rows, len(cells.order))]
	return out, nil
}

func historySize(m *regiev1.ListStepHistoryRequest) (runs, rows int, err error) {
	runs, rows = DefaultHistoryRuns, MaxHistoryRows
	if n := m.GetPageSize(); n != 0 {
		if n < 1 || n > MaxHistoryRuns {
			return 0, 0, invalid("page_size", "it is %d; it lies between 1 and %d", n, MaxHistoryRuns)
		}
		runs = int(n)
	}
	if n := m.GetRowsLimit(); n != 0 {
		if n > MaxHistoryRows {
			return 0, 0, invalid("rows_limit", "it is %d; it lies between 1 and %d", n, MaxHistoryRows)
		}
		rows = int(n)
	}
	if m.GetWorkflow() == "" {
		return 0, 0, invalid("workflow", "it is missing")
	}
	return runs, rows, nil
}

// only1 asks for the runs of one workflow only.
func (q *runQuery) only1(workflow string) {
	if q.store.Workflows != nil && !slices.Contains(q.store.Workflows, workflow) {
		q.none = true
	}
	q.store.Workflows = []string{workflow}
}

// grid puts steps of several runs into rows by their nodes: those of the newest
// run in its order, and what only older ones have behind the row that came before
// it there.
type grid struct {
	rows  map[string]*regiev1.StepHistory
	order []*regiev1.StepHistory
	place map[string]int // in order
}

func (g *grid) add(column uint32, s *summary) {
	last := -1 // place of the row before
	for i := range s.steps {
		step := &s.steps[i]
		row := g.rows[step.node]
		if row == nil {
			row = &regiev1.StepHistory{Node: step.node, Kind: step.kind}
			last++
			g.insert(last, row)
		} else {
			last = max(last, g.place[step.node])
		}
		n := len(row.GetCells())
		if n == 0 || row.GetCells()[n-1].GetRun() != column {
			row.Cells = append(row.Cells, &regiev1.StepCell{Run: column})
			n++
		}
		take(row.GetCells()[n-1], step)
	}
}

func (g *grid) insert(at int, row *regiev1.StepHistory) {
	g.rows[row.GetNode()] = row
	g.order = slices.Insert(g.order, at, row)
	for i := at; i < len(g.order); i++ {
		g.place[g.order[i].GetNode()] = i
	}
}

// take adds a step to a cell, which shows the one whose state says most.
func take(cell *regiev1.StepCell, s *stepSummary) {
	cell.Steps++
	cell.Attempts = max(cell.GetAttempts(), s.attempts)
	if _, ran, ok := s.ran(); ok && ran > cell.GetDuration().AsDuration() {
		cell.Duration = durationpb.New(ran)
	}
	if cell.GetSteps() > 1 && tells(s.state, s.handled) < tells(cell.GetState(), cell.GetHandled()) {
		return
	}
	cell.State, cell.Reason, cell.Path, cell.Handled, cell.ErrorName = s.state, s.reason, s.path, s.handled, s.error
}

// tells is how much a state says of a node; a failure that was handled says no
// more than a success.
func tells(state string, handled bool) int {
	if handled && state == string(engine.Failed) {
		state = string(engine.Succeeded)
	}
	return slices.Index(telling, engine.State(state))
}
