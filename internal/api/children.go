package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// parentOf is the run that started a run as its child, or empty.
func parentOf(row *store.RunRow) string {
	if parent, ok := strings.CutPrefix(row.Trigger, runtime.TriggerRun); ok {
		return parent
	}
	return ""
}

// childState adds how the child run stands that a step waits for.
func (a *API) childState(ctx context.Context, id string, c *regiev1.Condition) {
	row, err := a.cfg.Store.Run(ctx, store.RunID(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.Text += " It has not been accepted yet."
	case err == nil && a.cfg.Runtime.Quarantine(row.ID) != nil:
		c.Text += " That run was set aside."
	case err == nil:
		c.Text += " That run is " + stateWords(&row) + "."
	}
}

// closestRun adds what is known of the runs that a step waits for.
func (a *API) closestRun(ctx context.Context, what engine.Awaited, c *regiev1.Condition) {
	rows, err := a.cfg.Store.Runs(ctx, store.RunQuery{
		Namespaces: []string{what.Namespace}, Workflows: []string{what.Name}, DateTo: what.Date, Limit: 1,
	})
	switch {
	case err != nil:
	case len(rows) == 0:
		c.Text += " There is no run of that date or before."
	default:
		c.Text += fmt.Sprintf(" The newest one is run %s of %s, which is %s.", rows[0].ID, rows[0].BusinessDate, stateWords(&rows[0]))
	}
}

func stateWords(row *store.RunRow) string {
	if row.Reason == "" {
		return row.State
	}
	return row.State + " (" + row.Reason + ")"
}
