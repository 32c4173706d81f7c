package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// shelf keeps what workers leave by reference. What is put is durable at once, and
// outlives every crash.
type shelf struct {
	s     *simulation
	r     random
	blobs map[string][]byte // by run and name
}

var _ engine.Values = (*shelf)(nil)

// Reserve implements engine.Values.
func (*shelf) Reserve(int64) (release func()) { return func() {} }

// Keep implements engine.Values: nothing that is evaluated here is large.
func (*shelf) Keep(_ string, v value.Value) (value.Value, error) { return v, nil }

// KeepList implements engine.Values.
func (h *shelf) KeepList(run string, list value.Value) (value.Value, error) {
	h.s.faults["(outputs put away)"]++
	whole, err := list.Resolve(func(r value.Ref) (value.Value, error) {
		if len(r.Path) == 0 {
			return value.Reference(r), nil
		}
		return h.Load(run, r)
	})
	return h.put(run, whole), err
}

// Load implements engine.Values.
func (h *shelf) Load(run string, r value.Ref) (value.Value, error) {
	if r.Run != "" {
		run = r.Run
	}
	text, ok := h.blobs[run+"/"+r.SHA256]
	if !ok {
		return value.Undefined, fmt.Errorf("run %s has no %s", run, r.SHA256)
	}
	h.s.faults["(large outputs loaded)"]++
	if r.Run != "" {
		h.s.faults["(outputs of another run)"]++
	}
	var v value.Value
	if err := v.UnmarshalJSON(text); err != nil {
		return v, err
	}
	for _, step := range r.Path {
		v = v.Within(step)
	}
	return v.Resolve(func(inner value.Ref) (value.Value, error) { return h.Load(run, inner) })
}

// put keeps a value of a run.
func (h *shelf) put(run string, v value.Value) value.Value {
	text := v.AppendStored(nil)
	sum := sha256.Sum256(text)
	r := value.Ref{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Kind: v.Kind(), Len: v.Len()}
	h.blobs[run+"/"+r.SHA256] = text
	return value.Reference(r)
}

// enlarge keeps some outputs by reference, before anybody is told of them: whole,
// or a list that is a member.
func (h *shelf) enlarge(run string, output value.Value) value.Value {
	switch h.r.IntN(3) {
	case 0:
		h.s.faults["(large outputs)"]++
		return h.put(run, value.List(output.Get("result"), output.Get("attempt"), value.Int(3)))
	case 1:
		h.s.faults["(large outputs)"]++
		return output.With("rows", h.put(run, value.List(output.Get("result"), value.String("row"))))
	}
	return output
}

// large has some nodes use what earlier ones left: hand it on, look into it, go
// over it, leave it to the run that waits.
func large(r random, p *workflow.Program) {
	plain := map[workflow.BodyID]bool{} // compensations have no data of their own
	for i := range p.Bodies {
		for j := range p.Bodies[i].Nodes {
			if c := p.Bodies[i].Nodes[j].Compensate; c != nil {
				plain[c.Body] = true
			}
		}
	}
	for id := range p.Bodies {
		b := &p.Bodies[id]
		if len(b.Start) > 0 {
			continue
		}
		for i := 1; i < len(b.Nodes); i++ {
			n := &b.Nodes[i]
			from := workflow.Data{Expr: outputOf(r, workflow.NodeID(r.IntN(i)))}
			switch {
			case n.Task != nil && r.chance(0.3):
				if c := n.Task.With.Const; !c.IsUndefined() {
					with := &workflow.Data{}
					for _, m := range c.Members() {
						with.Object = append(with.Object, workflow.DataMember{Key: m.Key, Data: *workflow.Constant(m.Value)})
					}
					n.Task.With = with
				}
				n.Task.With.Object = append(n.Task.With.Object, workflow.DataMember{Key: "rows", Data: from})
			case n.Map != nil && r.chance(0.3):
				n.Map.Items = &from
			}
		}
		if len(b.Nodes) > 0 && b.Output == nil && !plain[workflow.BodyID(id)] && r.chance(0.9) {
			b.Output = &workflow.Data{}
			for i := range b.Nodes {
				b.Output.List = append(b.Output.List, workflow.Data{Expr: outputOf(r, workflow.NodeID(i))})
			}
		}
	}
}

// outputOf reads what a node of the body left.
func outputOf(r random, n workflow.NodeID) *workflow.Expr {
	src := "left"
	if r.chance(0.4) {
		src = "costly left"
	}
	return &workflow.Expr{Language: languageName, Source: src, Bind: []workflow.Binding{{
		Path: []string{"left"}, From: workflow.Source{Root: workflow.RootNode, Node: n, Name: "output"},
	}}}
}
