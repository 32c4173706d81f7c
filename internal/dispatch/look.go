package dispatch

import (
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Load is how much there is to do.
type Load struct {
	// Queued and Running are how many attempts wait for a slot, and how many a
	// worker has, by class.
	Queued, Running map[match.Class]int
	// Workers are the workers that take tasks, with the attempts that they have.
	Workers map[string]int
	// Attempts is how many attempts are known and not settled.
	Attempts int
}

// look is a question that is answered between messages.
type look struct{ ask func(r *Reactor) }

func (look) message() {}

// look asks the reactor something and waits for the answer.
func (s *Service) look(ask func(r *Reactor)) {
	answered := make(chan struct{})
	if !s.offer(look{func(r *Reactor) {
		defer close(answered)
		ask(r)
	}}) {
		return
	}
	<-answered
}

// Place says who has the current attempt of an activation, or at which place,
// from 1, it waits for a slot. A worker may have an attempt that has not begun
// yet.
func (s *Service) Place(run store.RunID, act engine.ActID) (worker string, place int) {
	s.look(func(r *Reactor) {
		a := r.current[activation{run, act}]
		switch {
		case a == nil:
		case a.phase == queued:
			place = r.queue.Place(a.key())
		default:
			worker = a.worker
		}
	})
	return worker, place
}

// Load tells how much there is to do.
func (s *Service) Load() Load {
	l := Load{Queued: map[match.Class]int{}, Running: map[match.Class]int{}, Workers: map[string]int{}}
	s.look(func(r *Reactor) {
		l.Attempts = r.Attempts()
		for _, a := range r.current {
			switch a.phase {
			case queued:
				l.Queued[a.class]++
			case out:
				l.Running[a.class]++
			case ended:
			}
		}
		for name, w := range r.workers {
			if !w.silent {
				l.Workers[name] = len(w.inUse)
			}
		}
	})
	return l
}

// Pause gives workers nothing more, for good: what waits for a slot goes on
// waiting, and is found again by the next process. What workers have goes on.
func (s *Service) Pause() { s.look(func(r *Reactor) { r.paused = true }) }
