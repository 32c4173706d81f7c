package dispatch

import (
	"maps"
	"slices"

	"github.com/regie-dev/regie/internal/dispatch/match"
)

// workerUp takes a worker in with what it has.
func (r *Reactor) workerUp(m WorkerUp) {
	w := r.workers[m.Worker]
	if w == nil {
		w = &worker{name: m.Worker}
		r.workers[m.Worker] = w
	}
	w.seen, w.silent, w.capacity = r.now, false, m.Capacity
	w.inUse = map[Ref]match.Class{}
	r.slots.Drop(w.name)
	r.slots.Set(w.name, w.capacity)
	has := map[Ref]bool{}
	for _, h := range m.Has {
		has[h.Ref] = true
		if h.Outcome != nil {
			r.ended(Ended{Worker: w.name, Ref: h.Ref, Outcome: *h.Outcome})
			continue
		}
		w.inUse[h.Ref] = h.Class
		r.slots.Hold(w.name, h.Class)
		r.offered(w, h.Ref)
	}
	for _, a := range r.sorted() {
		if a.phase == out && a.worker == w.name && !has[a.ref] {
			a.worker = ""
			r.lose(a)
		}
	}
}

// offered judges an attempt that a worker says it is running.
func (r *Reactor) offered(w *worker, ref Ref) {
	a := r.current[ref.key()]
	switch {
	case a == nil:
		r.do(Ask{Ref: ref}) // somebody wanted it before a restart
	case a.ref == ref && a.phase == out && (a.worker == "" || a.worker == w.name):
		r.adopt(w, a)
	default:
		r.do(Kill{Worker: w.name, Ref: ref})
	}
}

// silence takes a worker out of touch.
func (r *Reactor) silence(w *worker, dead bool) {
	w.silent = true
	r.slots.Set(w.name, nil)
	for _, a := range r.sorted() {
		switch {
		case a.worker != w.name || a.phase == queued:
		case a.phase == ended && dead:
			a.worker = "" // nobody there to forget it
		case a.phase == ended:
		case dead:
			a.worker = ""
			r.lose(a)
		default:
			r.await(a)
		}
	}
	if dead {
		r.slots.Drop(w.name)
		delete(r.workers, w.name)
	}
}

// inTouch notes that a worker has been heard of.
func (r *Reactor) inTouch(w *worker) {
	w.seen = r.now
	if !w.silent {
		return
	}
	w.silent = false
	r.slots.Set(w.name, w.capacity)
	for _, ref := range slices.SortedFunc(maps.Keys(w.inUse), Ref.compare) {
		if a := r.current[ref.key()]; a != nil && a.ref == ref && a.phase == out && a.worker == w.name {
			r.adopt(w, a)
		} else {
			r.do(Kill{Worker: w.name, Ref: ref}) // it was given up
		}
	}
}
