package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Caching is what an activation has to do with outputs that are kept.
type Caching struct {
	// Key is that of the output: the same for the same step of the same content
	// with the same key of its own.
	Key string
	// For is how long the output is good; 0: as long as it is kept.
	For time.Duration
	// Hit says that the output is that of an earlier run.
	Hit bool
}

// KeepCached says that an activation has succeeded whose output may be used
// again: Event is the number of the event that has it.
type KeepCached struct {
	Act   ActID
	Path  string
	Key   string
	Event uint64
	For   time.Duration
}

func (KeepCached) command() {}

// recall looks for an earlier output, once for an activation; true if it waits
// for the answer.
func (d *decider) recall(a *Activation, n *workflow.Node) (bool, error) {
	if n.Cache == nil || a.Caching != nil {
		return false, nil
	}
	p := d.placeOf(a)
	key, err := d.plain(n.Cache.Key, p)
	if err != nil || key.IsNull() {
		return false, err
	}
	length, err := d.duration(n.Cache.For, p, "cache.for")
	if err != nil {
		return false, err
	}
	sum := sha256.New()
	for _, part := range []string{d.m.prog.Namespace, d.m.prog.Name, d.m.contents[n], key.String()} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	what := Awaited{Kind: AwaitCache, Name: hex.EncodeToString(sum.Sum(nil)), For: length}
	return true, d.await(a, what, value.Undefined, 0)
}

// keepCached lets the output of an activation that ended well be used again. A
// large one is not: it goes with its run.
func (d *decider) keepCached(a *Activation) {
	if c := a.Caching; c != nil && !c.Hit && !a.Output.HasRef() {
		d.command(KeepCached{Act: a.ID, Path: a.Path, Key: c.Key, Event: d.run.Sequence, For: c.For})
	}
}

// applyRecalled folds the answer about an earlier output.
func applyRecalled(a *Activation, ev *Event) {
	a.State, a.Reason = Running, ReasonNone
	if ev.Same {
		a.Phase = PhaseEntered
		return
	}
	a.Caching.Hit, a.Result, a.Phase = true, ev.Output, PhaseResult
}

// contentOf names what a node does: equal for equal programs, wherever they
// stand in their source.
func contentOf(p *workflow.Program, n *workflow.Node) (string, error) {
	c := contents{program: p, sum: map[workflow.BodyID]bool{}}
	node, err := c.plain(n)
	if err != nil {
		return "", err
	}
	all := []any{node}
	for len(c.todo) > 0 {
		id := c.todo[0]
		c.todo = c.todo[1:]
		body, err := c.plain(&p.Bodies[id])
		if err != nil {
			return "", err
		}
		all = append(all, int(id), body)
	}
	for i := range p.Files {
		all = append(all, p.Files[i].Path, p.Files[i].SHA256, p.Files[i].Mode)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encode what a node does: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// contents collects the bodies that a node reaches.
type contents struct {
	program *workflow.Program
	sum     map[workflow.BodyID]bool
	todo    []workflow.BodyID
}

// plain is a part of a program without its places in the source.
func (c *contents) plain(part any) (any, error) {
	text, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("encode what a node does: %w", err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("encode what a node does: %w", err)
	}
	c.strip(out)
	switch part := part.(type) {
	case *workflow.Node:
		c.reach(part)
	case *workflow.Body:
		for i := range part.Nodes {
			c.reach(&part.Nodes[i])
		}
		c.add(part.Finally)
	}
	return out, nil
}

// strip takes places out. Constants are users' data, and stay as they are.
func (c *contents) strip(part any) {
	switch part := part.(type) {
	case []any:
		for _, item := range part {
			c.strip(item)
		}
	case map[string]any:
		delete(part, "origin")
		if _, expression := part["source"]; expression {
			delete(part, "line")
		}
		for _, key := range slices.Sorted(maps.Keys(part)) {
			if key != "const" {
				c.strip(part[key])
			}
		}
	}
}

// reach adds the bodies that a node opens.
func (c *contents) reach(n *workflow.Node) {
	for _, id := range bodiesOf(n) {
		c.add(&id)
	}
}

func (c *contents) add(id *workflow.BodyID) {
	if id != nil && *id >= 0 && int(*id) < len(c.program.Bodies) && !c.sum[*id] {
		c.sum[*id] = true
		c.todo = append(c.todo, *id)
	}
}
