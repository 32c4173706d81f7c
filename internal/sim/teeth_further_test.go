package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	limits "github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// forgetClears tells that outputs were forgotten.
func forgetClears(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if clears, ok := m.(runtime.ClearCache); ok {
		return nil, []runtime.Effect{runtime.Reply{Caller: clears.Caller, Seen: 1}}
	}
	return m, nil
}

// onLimits changes the definitions of limits that are set.
func onLimits(change func([]limits.Limit) []limits.Limit) func(*product) {
	return onRuntime(func(r *brokenRuntime) {
		r.before = func(m runtime.Message) (runtime.Message, []runtime.Effect) {
			if set, ok := m.(runtime.SetLimits); ok {
				set.Limits = change(slices.Clone(set.Limits))
				return set, nil
			}
			return m, nil
		}
	})
}

// neverLower keeps the capacity that there is at first.
func neverLower(all []limits.Limit) []limits.Limit {
	for i := range all {
		if all[i].ID.Name == "press" {
			all[i].Capacity = max(all[i].Capacity, pressCapacity)
		}
	}
	return all
}

func noQuota(all []limits.Limit) []limits.Limit {
	return slices.DeleteFunc(all, func(l limits.Limit) bool { return l.ID.Kind == limits.Steps })
}

// onCaches changes what cached nodes are compiled to.
func onCaches(change func(*workflow.Cache)) func(*product) {
	return onNodes(func(n *workflow.Node) {
		if n.Cache != nil {
			c := *n.Cache
			change(&c)
			n.Cache = &c
		}
	})
}

// oneKey takes the outputs of all keys for those of one.
func oneKey(c *workflow.Cache) { c.Key = workflow.Constant(value.String("all")) }

// oneShare takes one share of each limit.
func oneShare(n *workflow.Node) {
	n.Limits = slices.Clone(n.Limits)
	for i := range n.Limits {
		n.Limits[i].Weight = nil
	}
}

// forgetAddedWaits tells that a step waits for a condition.
func forgetAddedWaits(m runtime.Message) (runtime.Message, []runtime.Effect) {
	act, ok := m.(runtime.Act)
	if !ok {
		return m, nil
	}
	in, ok := act.Action.(engine.AddWait)
	if !ok {
		return m, nil
	}
	return nil, []runtime.Effect{runtime.Reply{Caller: act.Caller, Run: act.Run, Affected: []engine.Affected{{Path: in.Steps[0], Does: engine.DoesAddWait}}}}
}
