package notify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Breaker is the circuit breaker of a connection that is not closed.
type Breaker struct {
	Namespace, Connection string
	// OpenedAt is when it opened; a probe that fails does not open it anew.
	OpenedAt time.Time
	// Failures in a row opened it, Last is what the last was.
	Failures int
	Last     string
	// Held says that a person opened it, which opens no alert.
	Held bool
}

// BreakersChanged says that circuit breakers have opened or closed. It never
// blocks: the service asks for them later.
func (s *Service) BreakersChanged() {
	s.tripped.Store(true)
	s.wake()
}

// followBreakers makes and closes the alerts that follow from circuit breakers, if
// some have changed.
func (s *Service) followBreakers(ctx context.Context) error {
	if !s.tripped.Swap(false) {
		return nil
	}
	list := s.cfg.Breakers()
	_, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
		d.breakers(list)
		return nil
	})
	if err != nil {
		s.tripped.Store(true)
	}
	return err
}

// breakers takes in which breakers are not closed.
func (d *draft) breakers(list []Breaker) {
	open := map[subject]bool{}
	for i := range list {
		b := &list[i]
		s := subject{namespace: b.Namespace, cause: CauseBreaker, connection: b.Connection}
		open[s] = true
		if _, told := d.peek(s); !told && !b.Held {
			d.opened(s, b)
		}
	}
	var over []place
	for s, p := range d.index.open {
		if s.cause == CauseBreaker && !open[s] {
			over = append(over, p)
		}
	}
	slices.SortFunc(over, place.compare)
	for _, p := range over {
		d.close(d.at(p), store.Entry{Actor: actor}, "the circuit breaker has closed")
	}
}

// opened opens the alert that a breaker has opened, once.
func (d *draft) opened(s subject, b *Breaker) {
	p := place{b.Namespace, "al-" + derive(b.Namespace, b.Connection, string(s.cause), strconv.FormatInt(b.OpenedAt.UnixMicro(), 10))}
	if _, there := d.cfg.Tables.Alerts.Get(p.namespace, p.id); there {
		return // somebody has closed it
	}
	a := &Alert{
		ID: p.id, Namespace: b.Namespace, Connection: b.Connection, Cause: s.cause, State: Open,
		OpenedAt: store.Time(b.OpenedAt), UpdatedAt: d.now, Count: 1,
		Text: fmt.Sprintf("the circuit breaker of connection %s opened at %s after %d failures in a row, the last: %s; `regie runs waiting:breaker` lists what waits",
			b.Connection, instant(b.OpenedAt), b.Failures, b.Last),
	}
	d.keep(p, a)
	d.open[s] = a
	d.record(store.Entry{Actor: actor}, "alert.open", a, fact("cause", string(s.cause)), fact("connection", b.Connection))
	d.announce(a, AboutOpened)
}
