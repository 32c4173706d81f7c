package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Sizes of the workload loops at scale 1.
const (
	loopTurns  = 200_000
	wideItems  = 100_000
	nestedEach = 300 // turns of the outer loop, and of the inner one in each
)

// progressEvery is how often somebody looks how far a run is.
const progressEvery = 20 * time.Millisecond

// loops measures a server with long loops and wide maps, of steps that the engine
// does itself: a turn must cost at the end what it cost at the begin, and memory
// must not depend on how many there were.
func (b *run) loops(ctx context.Context) error {
	if b.cfg.Binary == "" {
		return nil
	}
	turns, items, nested := b.size(loopTurns), b.size(wideItems), b.size(nestedEach)
	for _, of := range []struct {
		name, what string
		n          int
		steps      string
	}{
		{"repeat", fmt.Sprintf("repeat of %d turns", turns), turns, fmt.Sprintf(
			"  - {id: loop, repeat: {until: turn >= %d, max: %d}, assign: {x: turn}}\n", turns, turns)},
		{"nested", fmt.Sprintf("repeat of %d turns in repeat of %d turns", nested, nested), nested * nested, fmt.Sprintf(
			"  - {id: outer, repeat: {until: turn >= %d, max: %d}, steps: [{id: inner, repeat: {until: turn >= %d, max: %d}, assign: {x: turn}}]}\n",
			nested, nested, nested, nested)},
		{"foreach", fmt.Sprintf("foreach over %d items, 50 at once", items), items, fmt.Sprintf(
			"  - {id: each, foreach: lists.range(%d), max_parallel: 50, assign: {x: item}}\n", items)},
		{"wide", fmt.Sprintf("foreach over %d items, all at once", items), items, fmt.Sprintf(
			"  - {id: each, foreach: lists.range(%d), assign: {x: item}}\n", items)},
		{"outputs", fmt.Sprintf("foreach over %d items with outputs of 1 KB, 50 at once", items), items, fmt.Sprintf(
			"  - {id: each, foreach: lists.range(%d), max_parallel: 50, outputs: \"${{ item }} %s\", steps: [{id: a, assign: {x: item}}]}\n",
			items, strings.Repeat("x", 1000))},
	} {
		if err := b.loop(ctx, of.name, of.what, of.n, "kind: Workflow\nname: "+of.name+"\nsteps:\n"+of.steps); err != nil {
			return err
		}
	}
	return nil
}

// loop measures one run of n turns or items.
func (b *run) loop(ctx context.Context, name, what string, n int, definition string) (err error) {
	s, err := b.serve(ctx, "loop-"+name, definition)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	before, _ := s.memory()
	begin := time.Now()
	started, err := s.client.start(ctx, name, runKey(0), false)
	if err != nil {
		return err
	}
	marks, err := s.progress(ctx, started.GetRun().GetId())
	if err != nil {
		return err
	}
	b.add("loops", what, perSecond(n, time.Since(begin)), "/s", 0)
	_, most := s.memory()
	b.add("loops", what+": most memory, beside that of the server before", most, "MiB", before)
	if first, last := tenths(marks); first > 0 && last > 0 {
		b.add("loops", what+": processor time for an event of the last tenth, beside the first", last*1e6, "µs", first*1e6)
	}
	return nil
}

// mark is how far a run was when the server had used so much processor time, in
// seconds.
type mark struct {
	events uint64
	cpu    float64
}

// progress notes how far a run is until it has ended.
func (s *server) progress(ctx context.Context, run string) ([]mark, error) {
	looks := time.NewTicker(progressEvery)
	defer looks.Stop()
	marks := []mark{{0, s.cpu()}}
	for {
		select {
		case <-looks.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		answer, err := s.client.Runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: namespace, Run: run})
		if err != nil {
			return nil, fmt.Errorf("look at run %s: %w", run, err)
		}
		r := answer.GetRun()
		marks = append(marks, mark{r.GetEvents(), s.cpu()})
		switch {
		case r.GetEndedAt() == nil:
		case r.GetState() != "succeeded":
			return nil, fmt.Errorf("run %s ended %s", run, r.GetState())
		default:
			return marks, nil
		}
	}
}

// tenths is what an event of the first and of the last tenth of a run took, in
// seconds of processor time; 0 where a tenth was too short to tell.
func tenths(marks []mark) (first, last float64) {
	all := marks[len(marks)-1]
	begun, ending := all, marks[0]
	for _, m := range marks {
		if 10*m.events >= all.events && m.events < begun.events {
			begun = m
		}
		if 10*m.events <= 9*all.events {
			ending = m
		}
	}
	return per(marks[0], begun), per(ending, all)
}

// per is the processor time of an event between two marks.
func per(from, to mark) float64 {
	if to.events == from.events {
		return 0
	}
	return (to.cpu - from.cpu) / float64(to.events-from.events)
}
