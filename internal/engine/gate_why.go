package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/gate"
)

func factText(f gate.Fact) string {
	if f.Date == "" {
		return f.Name
	}
	return f.Name + " of " + f.Date
}

func limitText(id gate.ID) string {
	switch id.Kind {
	case gate.Concurrency:
		return "concurrency " + id.Name
	case gate.Runs:
		return "the runs of namespace " + id.Namespace
	case gate.Steps:
		return "the running steps of namespace " + id.Namespace
	case gate.Named:
	}
	return "limit " + id.Name
}

// inGate explains what a queue waits for, as far as the run knows: the conditions
// that it needs, and its limits.
func inGate(g *InGate, needs []gate.Fact) []Condition {
	out := make([]Condition, 0, len(needs)+len(g.Queue.Uses))
	for _, f := range needs {
		out = append(out, Condition{Kind: ConditionFact, Subject: f.Name, Since: g.AskedAt, Text: "It needs condition " + factText(f) + "."})
	}
	for _, use := range g.Queue.Uses {
		out = append(out, Condition{Kind: ConditionLimit, Subject: use.ID.Name, Since: g.AskedAt, Limit: max(use.Weight, 1),
			Text: fmt.Sprintf("It waits for %s of %s since %s.", shares(use.Weight), limitText(use.ID), stamp(g.AskedAt))})
	}
	return out
}

func shares(weight int) string {
	if weight <= 1 {
		return "a share"
	}
	return fmt.Sprintf("%d shares", weight)
}

// InGateConditions explains a request that waits in the gate: its conditions, met
// or not, and of each limit what there is of it, who holds it and who comes first.
func InGateConditions(st *gate.Standing, now time.Time) []Condition {
	var out []Condition
	lacks := map[gate.Fact]bool{}
	for _, f := range st.Lacks {
		lacks[f] = true
	}
	for _, f := range st.Needs {
		c := Condition{Kind: ConditionFact, Subject: f.Name, Met: !lacks[f], Since: st.Since, Text: "Condition " + factText(f) + " holds."}
		if lacks[f] {
			c.Text = "It needs condition " + factText(f) + ", which does not hold."
		}
		out = append(out, c)
	}
	for i := range st.Limits {
		out = append(out, limitCondition(&st.Limits[i], now))
	}
	return out
}

func limitCondition(v *gate.View, now time.Time) Condition {
	c := Condition{Kind: ConditionLimit, Subject: v.ID.Name, Limit: v.Capacity}
	if len(v.Queue) == 0 {
		return c
	}
	w := &v.Queue[0]
	c.Since, c.Position, c.Due = w.Since, w.Position, w.Next
	var b strings.Builder
	fmt.Fprintf(&b, "It waits for %s of %s", shares(w.Weight), limitText(v.ID))
	switch {
	case v.Capacity > 0 && v.Rate.Count > 0:
		fmt.Fprintf(&b, " (%d of %d held, %d of %d in %s left)", v.Used, v.Capacity, v.Tokens, v.Rate.Count, v.Rate.Per)
	case v.Capacity > 0:
		fmt.Fprintf(&b, " (%d of %d held)", v.Used, v.Capacity)
	case v.Rate.Count > 0:
		fmt.Fprintf(&b, " (%d of %d in %s left)", v.Tokens, v.Rate.Count, v.Rate.Per)
	}
	if !v.Defined && v.ID.Kind == gate.Named {
		b.WriteString(", which nobody has defined: it counts as a lock")
	}
	switch w.Why {
	case gate.Held:
		b.WriteString("; while it is held, it is passed over.")
	case gate.Condition:
		b.WriteString("; until its conditions hold, it is passed over.")
	case gate.TooBig:
		b.WriteString("; that is more than there will ever be, so it waits until the limit is raised.")
	case gate.Spread:
		b.WriteString("; the rate does not allow it yet.")
	case gate.Elsewhere:
		c.Met = true
		b.WriteString("; that is free, and kept for it until it has all it needs.")
	case gate.Busy:
		b.WriteString(".")
	case gate.Behind:
		b.WriteString("; what is free is kept for those before it.")
	}
	for i, h := range v.Holders {
		if i == 0 {
			b.WriteString(" Held by ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(h.Ref.Run)
		if h.Path != "" {
			b.WriteString(" " + h.Path)
		}
		fmt.Fprintf(&b, " since %s", stamp(h.Since))
	}
	if len(v.Holders) > 0 {
		b.WriteString(".")
	}
	if w.Position > 0 {
		fmt.Fprintf(&b, " It is number %d in the queue.", w.Position)
	}
	if !w.Next.IsZero() && w.Next.After(now) {
		fmt.Fprintf(&b, " The next is due at %s.", stamp(w.Next))
	}
	c.Text = b.String()
	return c
}
