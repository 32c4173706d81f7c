package catalog

import (
	"context"
	"fmt"

	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// KindLimit is the kind of limits.
const KindLimit = "Limit"

// Limits lists what all limits allow, by namespace and name.
func (c *Catalog) Limits() []gate.Limit {
	var out []gate.Limit
	for _, i := range c.objects.All() {
		if i.Value.Limit != nil {
			out = append(out, *i.Value.Limit)
		}
	}
	return out
}

// SetLimit changes what a limit allows, until its definition is applied with
// something else. ErrNotFound if nobody defined it; the error of gate.Limit.Check
// if it makes no sense.
func (c *Catalog) SetLimit(ctx context.Context, namespace, name string, change func(*gate.Limit), by store.Entry) (uint64, error) {
	return c.registry.Update(ctx, func(tx *registry.Tx) error {
		now, ok := c.objects.Get(namespace, KindLimit+"/"+name)
		if !ok || now.Limit == nil {
			return fmt.Errorf("%w: %s/%s is no limit", ErrNotFound, namespace, name)
		}
		limit := *now.Limit
		change(&limit)
		if err := limit.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrLimit, err)
		}
		before := *now.Limit
		now.Limit, now.UpdatedBy = &limit, by.Actor
		c.objects.Put(tx, namespace, KindLimit+"/"+name, now)
		tx.Record(entry(by, "limit.set", namespace, "limit/"+name, map[string]any{"capacity": limit.Capacity, "before": before.Capacity}))
		return nil
	})
}

// ObjectsChanged returns a channel that is closed at the next change of a
// connection, channel or limit.
func (c *Catalog) ObjectsChanged() <-chan struct{} { return c.objects.Changed() }
