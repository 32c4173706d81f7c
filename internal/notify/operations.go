package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Errors of operations, wrapped.
var (
	ErrNotFound = errors.New("not found")
	// ErrClosed: the alert is closed, and stays so.
	ErrClosed = errors.New("the alert is closed")
	// ErrInvalid: what was asked for makes no sense; nothing was changed.
	ErrInvalid = errors.New("not valid")
	// ErrFull: there is no room for one more.
	ErrFull = errors.New("too many")
)

// Place is where an alert stands in a list: the newest come first.
type Place struct {
	OpenedAt      time.Time
	Namespace, ID string
}

// compare orders places in lists.
func (p Place) compare(q Place) int {
	return cmp.Or(q.OpenedAt.Compare(p.OpenedAt), cmp.Compare(p.Namespace, q.Namespace), cmp.Compare(p.ID, q.ID))
}

// Place returns where the alert stands in a list.
func (a *Alert) Place() Place { return Place{a.OpenedAt, a.Namespace, a.ID} }

// Query names alerts. All that is set must hold.
type Query struct {
	Namespaces []string // alternatives; nil: any
	States     []State  // alternatives; nil: those that are not closed
	Workflow   string   // empty: any
	After      *Place   // those that come after; nil: from the newest on
	Limit      int      // 0: store.DefaultLimit
}

// List lists alerts, newest first.
func (s *Service) List(q Query) []Alert {
	states := q.States
	if states == nil {
		states = []State{Open, Acknowledged}
	}
	var found []*Alert
	all := s.cfg.Tables.Alerts.All()
	for i := range all {
		a := &all[i].Value
		if (q.Namespaces == nil || slices.Contains(q.Namespaces, a.Namespace)) && slices.Contains(states, a.State) &&
			(q.Workflow == "" || q.Workflow == a.Workflow) && (q.After == nil || q.After.compare(a.Place()) < 0) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *Alert) int { return a.Place().compare(b.Place()) })
	found = found[:min(len(found), store.LimitOf(q.Limit))]
	out := make([]Alert, len(found))
	for i, a := range found {
		out[i] = a.clone()
	}
	return out
}

// Get returns an alert. ErrNotFound if there is none.
func (s *Service) Get(namespace, id string) (Alert, error) {
	a, there := s.cfg.Tables.Alerts.Get(namespace, id)
	if !there {
		return Alert{}, fmt.Errorf("%w: alert %s in namespace %s", ErrNotFound, id, namespace)
	}
	return a.clone(), nil
}

// Edit is a change of an alert by a person. What is nil, empty or false is left
// as it is.
type Edit struct {
	Acknowledged *bool
	Owner        *string // name of a user, whom the caller knows to exist; empty: nobody
	Note         string
	Close        bool
}

// Update changes an alert and returns it with the position of the change, 0 if
// it was so already. By is the entry of the audit log that each change gets:
// actor, request and reason; the rest is filled in. Closed alerts take notes
// only. Errors: ErrNotFound, ErrClosed, ErrInvalid, ErrFull, and those of the
// registry.
func (s *Service) Update(ctx context.Context, by store.Entry, namespace, id string, e Edit) (Alert, uint64, error) {
	if err := e.check(); err != nil {
		return Alert{}, 0, err
	}
	var out Alert
	position, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
		a := d.at(place{namespace, id})
		if a == nil {
			return fmt.Errorf("%w: alert %s in namespace %s", ErrNotFound, id, namespace)
		}
		changed, err := d.edit(a, by, e)
		if err != nil {
			return err
		}
		if !changed {
			d.forget(place{namespace, id})
		}
		out = a.clone()
		return nil
	})
	s.wake() // also after an error: what it did may be unknown
	if err != nil {
		return Alert{}, 0, err
	}
	return out, position, nil
}

func (e *Edit) check() error {
	switch {
	case e.Acknowledged == nil && e.Owner == nil && e.Note == "" && !e.Close:
		return fmt.Errorf("%w: nothing is asked for; acknowledge the alert, give it an owner or a note, or close it", ErrInvalid)
	case len(e.Note) > MaxNote || !utf8.ValidString(e.Note):
		return fmt.Errorf("%w: a note is UTF-8 text of at most %d bytes", ErrInvalid, MaxNote)
	case e.Owner != nil && !validText(*e.Owner):
		return fmt.Errorf("%w: the owner is not the name of a user", ErrInvalid)
	}
	return nil
}

// validText reports whether the text can be stored and shown in one line.
func validText(text string) bool {
	return len(text) <= store.MaxText && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// edit changes an alert, and reports whether it did.
func (d *draft) edit(a *Alert, by store.Entry, e Edit) (bool, error) {
	if a.State == Closed && (e.Acknowledged != nil || e.Owner != nil) {
		return false, fmt.Errorf("%w since %s; if its cause comes again, another one opens", ErrClosed, instant(a.ClosedAt))
	}
	changed := false
	if e.Note != "" {
		if len(a.Notes) >= MaxNotes {
			return false, fmt.Errorf("%w notes: the alert has %d", ErrFull, MaxNotes)
		}
		a.Notes = append(a.Notes, Note{At: d.now, Actor: by.Actor, Text: e.Note})
		d.record(by, "alert.note", a, fact("note", e.Note))
		changed = true
	}
	if e.Owner != nil && *e.Owner != a.Owner {
		a.Owner, changed = *e.Owner, true
		d.record(by, "alert.own", a, fact("owner", a.Owner))
	}
	switch {
	case e.Acknowledged == nil:
	case *e.Acknowledged && a.State == Open:
		a.State, a.AcknowledgedBy, changed = Acknowledged, by.Actor, true
		d.record(by, "alert.acknowledge", a)
	case !*e.Acknowledged && a.State == Acknowledged:
		a.State, a.AcknowledgedBy, changed = Open, "", true
		d.record(by, "alert.unacknowledge", a)
	}
	if changed {
		a.UpdatedAt = d.now
	}
	if e.Close && a.State != Closed {
		why := by.Reason
		if why == "" {
			why = "by hand"
		}
		d.close(a, by, why)
		changed = true
	}
	return changed, nil
}

// Stats are numbers about alerts.
type Stats struct {
	Open    map[Cause]int // that are not closed
	Pending int           // messages
	// Outcomes count what came of sending since the start.
	Outcomes map[Outcome]uint64
}

// Stats returns how things stand.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Open: map[Cause]int{}, Outcomes: map[Outcome]uint64{}}
	for _, c := range Causes() {
		out.Open[c] = 0
	}
	for _, o := range []Outcome{OutcomeSent, OutcomeRetried, OutcomeFailed, OutcomeSilenced} {
		out.Outcomes[o] = s.outcomes[o]
	}
	if s.index != nil {
		for subject := range s.index.open {
			out.Open[subject.cause]++
		}
		for _, list := range s.index.pending {
			out.Pending += len(list)
		}
	}
	return out
}
