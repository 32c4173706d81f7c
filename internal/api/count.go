package api

import (
	"context"
	"slices"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/store"
)

// Bounds of CountRuns.
const (
	// MaxCounted is how many rows are looked at: of more the newest are counted,
	// and the answer says so.
	MaxCounted = 50_000
	// MaxGroups is how many groups an answer has.
	MaxGroups = 1000
)

// CountRuns counts runs by their states.
func (a *API) CountRuns(ctx context.Context, m *regiev1.CountRunsRequest) (*regiev1.CountRunsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	group, err := countedBy(m.GetBy())
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, m.GetFilter(), now)
	if err != nil {
		return nil, err
	}
	out := &regiev1.CountRunsResponse{Position: a.cfg.Runtime.Position(), Total: &regiev1.RunCount{States: map[string]uint32{}}}
	groups := map[string]*regiev1.RunCount{}
	count := func(c *regiev1.RunCount, row *store.RunRow) {
		c.Runs++
		c.States[row.State]++
		if late(row, now) {
			c.Late++
		}
		if row.Held && !row.Ended() {
			c.Held++
		}
	}
	look := a.looker(ctx, now)
	out.AtLeast, err = a.scan(ctx, q, MaxCounted, func(row *store.RunRow) {
		if q.filter.Match(look(row)) < filter.Unknown {
			return
		}
		count(out.Total, row)
		if group == nil {
			return
		}
		namespace, workflow := group(row)
		key := namespace + "/" + workflow
		of := groups[key]
		if of == nil {
			of = &regiev1.RunCount{Namespace: namespace, Workflow: workflow, States: map[string]uint32{}}
			groups[key] = of
			out.Groups = append(out.Groups, of)
		}
		count(of, row)
	})
	if err != nil {
		return nil, failure(err)
	}
	slices.SortStableFunc(out.GetGroups(), func(x, y *regiev1.RunCount) int {
		if x.GetRuns() != y.GetRuns() {
			return int(y.GetRuns()) - int(x.GetRuns())
		}
		return strings.Compare(x.GetNamespace()+"/"+x.GetWorkflow(), y.GetNamespace()+"/"+y.GetWorkflow())
	})
	if len(out.GetGroups()) > MaxGroups {
		out.Groups, out.MoreGroups = out.GetGroups()[:MaxGroups], true
	}
	return out, nil
}

// countedBy says of a row which group it is in; nil: there are none.
func countedBy(by string) (func(row *store.RunRow) (namespace, workflow string), error) {
	switch by {
	case "":
		return nil, nil //nolint:nilnil // no groups is an answer
	case "namespace":
		return func(row *store.RunRow) (string, string) { return row.Namespace, "" }, nil
	case "workflow":
		return func(row *store.RunRow) (string, string) { return row.Namespace, row.Workflow }, nil
	}
	return nil, invalid("by", "it is %q; it is namespace, workflow or empty", by)
}

// scan looks at the rows that the store finds for a query, the newest first, and
// reports whether there were more than most.
func (a *API) scan(ctx context.Context, q *runQuery, most int, see func(row *store.RunRow)) (more bool, err error) {
	if q.none {
		return false, nil
	}
	query := q.store
	query.Limit = readRows
	for seen := 0; ; {
		rows, err := a.cfg.Store.Runs(ctx, query)
		if err != nil {
			return false, err
		}
		for i := range rows {
			if seen == most {
				return true, nil
			}
			seen++
			query.Before = rows[i].ID
			if q.allows(&rows[i]) {
				see(&rows[i])
			}
		}
		if len(rows) < query.Limit || q.past(&rows[len(rows)-1]) {
			return false, nil
		}
	}
}
