package api

import (
	"context"
	"math"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// MaxCompared is how many steps one comparison names.
const MaxCompared = 1000

// CompareRuns says how a run differs from another one of its workflow.
func (a *API) CompareRuns(ctx context.Context, m *regiev1.CompareRunsRequest) (*regiev1.CompareRunsResponse, error) {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	other, err := a.comparable(ctx, &row, m.GetWith())
	if err != nil {
		return nil, err
	}
	now, err := a.summary(ctx, &row)
	if err != nil {
		return nil, failure(err)
	}
	before, err := a.summary(ctx, &other)
	if err != nil {
		return nil, failure(err)
	}
	input, known, err := a.acceptedInput(ctx, &row)
	if err != nil {
		return nil, failure(err)
	}
	otherInput, otherKnown, err := a.acceptedInput(ctx, &other)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.CompareRunsResponse{
		Run: a.run(ctx, &row), With: a.run(ctx, &other), VersionDiffers: row.Program != other.Program,
		InputDiffers: known && otherKnown && input != otherInput, InputUnknown: !known || !otherKnown,
	}
	out.Steps, out.Truncated = compareSteps(now, before)
	out.Truncated = out.GetTruncated() || now.more || before.more
	return out, nil
}

// comparable is the run that a run is compared with: the one that is named, or the
// newest before it that succeeded.
func (a *API) comparable(ctx context.Context, row *store.RunRow, with string) (store.RunRow, error) {
	if with != "" {
		other, err := a.find(ctx, row.Namespace, with)
		if err == nil && other.Workflow != row.Workflow {
			err = invalid("with", "it is of workflow %s, the run is of %s", other.Workflow, row.Workflow)
		}
		return other, err
	}
	rows, err := a.cfg.Store.Runs(ctx, store.RunQuery{
		Namespaces: []string{row.Namespace}, Workflows: []string{row.Workflow}, States: []string{string(engine.Succeeded)}, Before: row.ID, Limit: 1,
	})
	if err != nil {
		return store.RunRow{}, failure(err)
	}
	if len(rows) == 0 {
		return store.RunRow{}, refuse(connect.CodeNotFound, "run_not_found", "no run of "+row.Workflow+" before it has succeeded", "name a run to compare it with")
	}
	return rows[0], nil
}

// acceptedInput is the input of a run as JSON. It is not known of one that was
// erased.
func (a *API) acceptedInput(ctx context.Context, row *store.RunRow) (text string, known bool, err error) {
	for record, err := range a.cfg.Store.Events(ctx, row.ID, 1) {
		if err != nil || record.Payload == nil {
			return "", false, err
		}
		events, err := engine.DecodeEvents(record.Control, record.Payload)
		if err != nil || len(events) == 0 {
			return "", false, err
		}
		return events[0].Input.String(), true, nil // a run begins with its acceptance
	}
	return "", false, nil
}

// compareSteps names the nodes that one of two runs has only, or that ended in
// another way or took another time.
func compareSteps(now, before *summary) (out []*regiev1.StepDifference, more bool) {
	a, b := cellsOf(now), cellsOf(before)
	add := func(d *regiev1.StepDifference) {
		if len(out) == MaxCompared {
			more = true
			return
		}
		out = append(out, d)
	}
	for _, row := range a.order {
		cell := row.GetCells()[0]
		d := &regiev1.StepDifference{Node: row.GetNode(), Now: cell, Change: "added"}
		if of := b.rows[row.GetNode()]; of != nil {
			d.Before, d.Change = of.GetCells()[0], "same"
			if cell.GetState() != d.GetBefore().GetState() || cell.GetErrorName() != d.GetBefore().GetErrorName() {
				d.Change = "state"
			}
			d.Percent = percent(cell.GetDuration(), d.GetBefore().GetDuration())
		}
		add(d)
	}
	for _, row := range b.order {
		if a.rows[row.GetNode()] == nil {
			add(&regiev1.StepDifference{Node: row.GetNode(), Before: row.GetCells()[0], Change: "removed"})
		}
	}
	return out, more
}

func cellsOf(s *summary) *grid {
	g := &grid{rows: map[string]*regiev1.StepHistory{}, place: map[string]int{}}
	g.add(0, s)
	return g
}

// percent is how long something took, in percent of how long it did before; 0 if
// nobody can say.
func percent(now, before *durationpb.Duration) uint32 {
	if now.AsDuration() <= 0 || before.AsDuration() <= 0 {
		return 0
	}
	return uint32(min(math.MaxUint32, math.Round(100*now.AsDuration().Seconds()/before.AsDuration().Seconds())))
}
