package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func (d *language) describeLimit() {
	most := ranged(kind(descriptor.Integer), 1, gate.MaxCapacity)
	d.limit = &descriptor.Object{
		Name:    "Limit",
		Doc:     "A budget that steps share: how many may run at once, or how often one may start. A limit of one is a lock. Steps take shares of it by `limits`; those that have to wait are `queued` with the reason `limit`.",
		Example: "kind: Limit\nname: bank-api\ncapacity: 5\n",
	}
	d.limit.Fields = append(objectFields("Limit"),
		descriptor.Field{Name: "capacity", Type: most, Doc: "How many shares may be held at once. An operator may change it (`regie limits set`), until the definition changes."},
		descriptor.Field{Name: "lock", Type: kind(descriptor.Boolean), Default: value.False, Doc: "Says that it is a lock: `lock: true` is `capacity: 1`."},
		descriptor.Field{Name: "rate", Type: object(&descriptor.Object{Name: "rate", Doc: "How often shares may be taken.", Fields: []descriptor.Field{
			{Name: "count", Type: most, Required: true, Doc: "How many may be taken"},
			{Name: "per", Type: kind(descriptor.Duration), Required: true, Doc: "in this time. What was not used is there for later, up to `count`; a share that was taken is not given back."},
		}}), Doc: "How often shares may be taken."})
	d.limit.OneOfGroups = []descriptor.Group{{Fields: []string{"capacity", "lock", "rate"}, Needed: true, What: "what is limited"}}
}

// limitOf reads a document of kind Limit that was checked.
func (l *loader) limitOf(n *yamldoc.Node, o *Object) *gate.Limit {
	out := &gate.Limit{ID: gate.ID{Namespace: o.Namespace, Name: o.Name}}
	whole := func(n *yamldoc.Node) int {
		if n == nil {
			return 0
		}
		i, _ := n.ToValue().Int()
		return int(i)
	}
	out.Capacity = whole(n.Get("capacity"))
	if lock := n.Get("lock"); lock != nil {
		if on, _ := lock.ToValue().Bool(); on {
			out.Capacity = 1
		}
	}
	rate := n.Get("rate")
	if rate != nil && rate.Kind == yamldoc.Map {
		per := rate.Get("per")
		out.Rate.Count = whole(rate.Get("count"))
		var err error
		if out.Rate.Per, err = duration.Parse(scalarText(per)); err == nil && out.Rate.Per <= 0 {
			l.list.Errorf(per.Pos, descriptor.CodeInvalidValue, "`per` must be longer than nothing; this is %s", per.Text).WithLength(per.Length())
		}
	}
	if lock := n.Get("lock"); lock != nil && out.Capacity == 0 {
		l.list.Errorf(lock.Pos, descriptor.CodeInvalidValue, "a limit is a lock, or says its `capacity` or `rate`").WithLength(lock.Length())
	}
	return out
}
