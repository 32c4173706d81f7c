package schedule

import (
	"context"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/workflow"
)

// work plans and takes the steps. It returns the last state that is recorded,
// also with an error, and what to wait for; nothing if steps were taken, so that
// it is planned again, by what is in force then.
func (s *Service) work(ctx context.Context, sched *Schedule, state State) (State, *Plan, error) {
	live := false
	if sched.Overlap != workflow.OverlapAllow && !sched.Paused {
		var err error
		if live, err = s.cfg.Runs.Live(ctx, sched.Key); err != nil {
			return state, nil, fmt.Errorf("look for live runs: %w", err)
		}
	}
	plan := Next(sched, state, s.clock.Now(), live)
	if len(plan.Steps) == 0 {
		return state, &plan, nil
	}
	for i := range plan.Steps {
		select {
		case <-s.halt:
			return state, nil, nil
		default:
		}
		step := &plan.Steps[i]
		if err := s.take(ctx, sched, step); err != nil {
			return state, nil, err
		}
		if err := s.cfg.Ledger.Record(ctx, sched.Key, step.State); err != nil {
			return state, nil, fmt.Errorf("record state: %w", err)
		}
		state = step.State
	}
	return state, nil, nil
}

// take does what a step says.
func (s *Service) take(ctx context.Context, sched *Schedule, step *Step) error {
	if step.Do == DoRecord {
		return nil
	}
	miss := Miss{Why: step.Why, Count: 1, Last: step.Tick}
	miss.Schedule, miss.Tick, miss.Key = sched, step.Tick, sched.TickKey(step.Tick)
	date, err := sched.BusinessDate.DateAt(step.Tick.At, sched.Zone)
	if err == nil {
		miss.BusinessDate = date
		if step.Do == DoStart {
			err = s.cfg.Runs.Start(ctx, miss.Start)
			if err != nil && !errors.Is(err, ErrRefused) {
				return fmt.Errorf("start run: %w", err)
			}
		}
	}
	switch {
	case err != nil && step.Do == DoStart:
		miss.Why, miss.Cause = WhyRefused, err
	case step.Do == DoStart:
		if s.cfg.Lateness != nil {
			s.cfg.Lateness(sched.Key, s.clock.Now().Sub(step.Tick.At))
		}
		return nil
	case step.Fold != nil:
		miss.Count, miss.Last = step.Fold.Count, step.Fold.Last
	}
	if err := s.cfg.Runs.Miss(ctx, miss); err != nil {
		return fmt.Errorf("record missed run: %w", err)
	}
	return nil
}
