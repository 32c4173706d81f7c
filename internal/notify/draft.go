package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// actor is who does what nobody asked for.
const actor = "system/alerts"

// draft is what becomes of alerts in one transaction. It sees its own changes,
// which a transaction of the registry does not.
type draft struct {
	cfg   *Config
	index *index
	now   time.Time

	base     map[place]Alert // as it was
	alerts   map[place]*Alert
	order    []place
	open     map[subject]*Alert // nil: closed here
	seen     map[occurrence]bool
	silences map[string][]silencing
	entries  []store.Entry
	dropped  int // messages that a silence dropped
}

// silencing is a silence that is in force.
type silencing struct {
	Silence

	glob filter.Glob
}

func newDraft(cfg *Config, x *index, now time.Time) *draft {
	return &draft{
		cfg: cfg, index: x, now: now,
		base: map[place]Alert{}, alerts: map[place]*Alert{}, open: map[subject]*Alert{}, seen: map[occurrence]bool{},
		silences: map[string][]silencing{},
	}
}

// at returns an alert to be changed, nil if there is none.
func (d *draft) at(p place) *Alert {
	if a, there := d.alerts[p]; there {
		return a
	}
	was, there := d.cfg.Tables.Alerts.Get(p.namespace, p.id)
	if !there {
		return nil
	}
	d.base[p] = was
	a := was.clone()
	d.keep(p, &a)
	return &a
}

func (d *draft) keep(p place, a *Alert) {
	d.alerts[p] = a
	d.order = append(d.order, p)
}

// forget leaves an alert as it was.
func (d *draft) forget(p place) {
	delete(d.alerts, p)
	delete(d.base, p)
	d.order = slices.DeleteFunc(d.order, func(q place) bool { return p == q })
}

// current returns the alert of the subject that is not closed, nil if there is
// none.
func (d *draft) current(s subject) *Alert {
	if a, there := d.open[s]; there {
		return a
	}
	if p, there := d.index.open[s]; there {
		return d.at(p)
	}
	return nil
}

// peek is current for who may leave the alert as it is.
func (d *draft) peek(s subject) (Alert, bool) {
	if a, there := d.open[s]; there {
		if a == nil {
			return Alert{}, false
		}
		return *a, true
	}
	p, there := d.index.open[s]
	if !there {
		return Alert{}, false
	}
	if a, there := d.alerts[p]; there {
		return *a, true
	}
	return d.cfg.Tables.Alerts.Get(p.namespace, p.id)
}

// flush writes what was changed.
func (d *draft) flush(tx *registry.Tx) {
	for _, p := range d.order {
		a := d.alerts[p]
		if a == nil {
			d.cfg.Tables.Alerts.Delete(tx, p.namespace, p.id)
			continue
		}
		a.trim()
		d.cfg.Tables.Alerts.Put(tx, p.namespace, p.id, *a)
	}
	tx.Record(d.entries...)
}

// record adds an entry about an alert to the audit log.
func (d *draft) record(by store.Entry, action string, a *Alert, detail ...value.Member) {
	d.entries = append(d.entries, entry(by, action, a.Namespace, "alert/"+a.ID, detail...))
}

// entry fills in an entry of the audit log. The detail is added to what there is.
func entry(by store.Entry, action, namespace, object string, detail ...value.Member) store.Entry {
	by.Action, by.Namespace, by.Object, by.Outcome = action, namespace, object, "done"
	if len(detail) > 0 {
		before, _ := value.Parse(by.Detail) // written by us, or empty
		by.Detail = value.Object(slices.Concat(before.Members(), detail)...).Append(nil)
	}
	return by
}

// fact is a text of an entry's detail.
func fact(key, text string) value.Member { return value.M(key, value.String(text)) }

// States and reasons of runs that alerts follow from.
const (
	stateFailed    = "failed"
	stateSucceeded = "succeeded"
	stateSkipped   = "skipped"
	stateWaiting   = "waiting"
	reasonMissed   = "missed"
	reasonApproval = "approval"
)

// heldReasons are the reasons for which a run waits until somebody decides about
// a failure in it.
var heldReasons = []string{"failure_held", "compensation_failed", "compensation_unknown"}

// failureHeld reports whether the run waits until somebody decides about a
// failure in it.
func failureHeld(r *store.RunRow) bool {
	return r.State == stateWaiting && slices.Contains(heldReasons, r.Reason)
}

// asks reports whether the run asks people something.
func asks(r *store.RunRow) bool { return !r.Ended() && r.Reason == reasonApproval }

func missed(r *store.RunRow) bool { return r.State == stateSkipped && r.Reason == reasonMissed }

// late reports whether the run ended after it was due. One that was skipped never
// had to be in time.
func late(r *store.RunRow) bool {
	return r.State != stateSkipped && r.Ended() && !r.Due.IsZero() && r.EndedAt.After(r.Due)
}

// changed takes in that a run has ended, or waits until somebody decides about a
// failure: that counts once for each run. That it asks people counts each time
// that it begins to.
func (d *draft) changed(r *store.RunRow, asking *askers) {
	if failureHeld(r) {
		d.raise(CauseFailed, r, r.StartedAt, fmt.Sprintf("run %s waits until somebody decides about a failure in it", r.ID))
	}
	if asks(r) {
		d.raise(CauseApproval, r, asking.runs[r.ID].since, fmt.Sprintf("run %s asks for approval; `regie approvals` shows what", r.ID))
	} else {
		d.answered(r, asking)
	}
	if !r.Ended() {
		d.postponed(r)
		return
	}
	end := instant(r.EndedAt)
	switch {
	case r.State == stateFailed:
		text := fmt.Sprintf("run %s failed at %s", r.ID, end)
		if r.Reason != "" {
			text += ": " + r.Reason
		}
		d.raise(CauseFailed, r, r.EndedAt, text)
	case missed(r):
		d.raise(CauseMissed, r, r.EndedAt, fmt.Sprintf("run %s was skipped: its tick was dropped", r.ID))
	}
	if late(r) {
		text := fmt.Sprintf("run %s ended at %s; it was due at %s", r.ID, end, instant(r.Due))
		if !d.raise(CauseLate, r, r.Due, text) {
			d.reword(subjectOfRun(r, CauseLate), r.ID, text)
		}
	}
	d.settle(r)
}

// answered closes the alert that runs ask people, once none of them does.
func (d *draft) answered(r *store.RunRow, asking *askers) {
	s := subjectOfRun(r, CauseApproval)
	if _, open := d.peek(s); open && asking.count[s] == 0 {
		d.close(d.current(s), store.Entry{Actor: actor}, "no run asks anything any more")
	}
}

// postponed closes the alert that the run is late, once its deadline was moved and
// it was the last that was.
func (d *draft) postponed(r *store.RunRow) {
	if !r.Due.IsZero() && !r.Due.After(d.now) {
		return
	}
	s := subjectOfRun(r, CauseLate)
	if a, open := d.peek(s); open && a.Run == r.ID {
		d.close(d.current(s), store.Entry{Actor: actor}, fmt.Sprintf("the deadline of run %s was moved", r.ID))
	}
}

// reword changes what an alert that is not closed says of its last run.
func (d *draft) reword(s subject, run store.RunID, text string) {
	if a, open := d.peek(s); open && a.Run == run && a.Text != text {
		d.current(s).Text, d.current(s).UpdatedAt = text, d.now
	}
}

// overdue takes in that a run has not ended when it was due.
func (d *draft) overdue(r *store.RunRow) {
	d.raise(CauseLate, r, r.Due, fmt.Sprintf("run %s has not ended; it was due at %s", r.ID, instant(r.Due)))
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// settle closes what the end of a run makes good.
func (d *draft) settle(r *store.RunRow) {
	for _, c := range Causes() {
		s := subjectOfRun(r, c)
		a, open := d.peek(s)
		inTime := c == CauseLate && !late(r)
		switch {
		case !open, c == CauseApproval:
		case inTime && !slices.ContainsFunc(a.Runs, func(o Occurrence) bool { return o.Run != r.ID }):
			d.close(d.current(s), store.Entry{Actor: actor}, fmt.Sprintf("run %s ended in time", r.ID)) // after all
		case r.State != stateSucceeded || r.ID < a.newest():
		case inTime:
			d.close(d.current(s), store.Entry{Actor: actor}, fmt.Sprintf("run %s ended in time", r.ID))
		case c != CauseLate:
			d.close(d.current(s), store.Entry{Actor: actor}, fmt.Sprintf("run %s succeeded", r.ID))
		}
	}
}

// raise takes in that a cause came, and reports whether that is news.
func (d *draft) raise(c Cause, r *store.RunRow, at time.Time, text string) bool {
	o := occurrenceOf(c, r.ID, at)
	if d.seen[o] || d.index.seen[o] {
		return false
	}
	d.seen[o] = true
	s := subjectOfRun(r, c)
	a, about := d.current(s), AboutRepeated
	if a == nil {
		p := place{r.Namespace, alertID(s, o)}
		if _, there := d.cfg.Tables.Alerts.Get(p.namespace, p.id); there {
			return false // it was opened, and closed, for this very occurrence
		}
		a, about = &Alert{
			ID: p.id, Namespace: r.Namespace, Workflow: r.Workflow, Cause: c, State: Open, OpenedAt: d.now,
			Owner: d.cfg.Owner(r.Namespace, r.Workflow),
		}, AboutOpened
		d.keep(p, a)
		d.open[s] = a
	}
	a.Run, a.Text, a.UpdatedAt = r.ID, text, d.now
	a.Count++
	a.Runs = slices.Insert(a.Runs, 0, Occurrence{Run: r.ID, At: at})
	a.Runs = a.Runs[:min(len(a.Runs), MaxRuns)]
	if about == AboutOpened {
		d.record(store.Entry{Actor: actor}, "alert.open", a, fact("cause", string(c)), fact("workflow", r.Workflow), fact("run", string(r.ID)))
	}
	d.announce(a, about)
	return true
}

// close closes an alert that is not.
func (d *draft) close(a *Alert, by store.Entry, why string) {
	a.State, a.ClosedAt, a.ClosedBy, a.ClosedWhy, a.UpdatedAt = Closed, d.now, by.Actor, why, d.now
	a.Silenced, a.Withheld = false, false
	d.open[subjectOf(a)] = nil
	d.record(by, "alert.close", a, fact("why", why))
	for _, channel := range a.Announced {
		d.deliver(a, channel, AboutClosed)
	}
}

// announce makes the messages about an alert that is not closed, unless there is
// a reason to keep quiet.
func (d *draft) announce(a *Alert, about About) {
	switch {
	case a.State != Open: // somebody is at it
	case about == AboutRepeated && d.now.Before(a.MessagedAt.Add(RepeatAfter)):
	case d.silenced(a, ""):
		a.Silenced, a.Withheld = true, true
	default:
		d.tell(a)
	}
}

// tell makes a message for each channel that is not about to get one.
func (d *draft) tell(a *Alert) {
	a.Silenced, a.Withheld, a.MessagedAt = false, false, d.now
	for _, channel := range slices.Compact(slices.Sorted(slices.Values(d.cfg.Channels(a.Namespace)))) {
		about := AboutRepeated
		if !slices.Contains(a.Announced, channel) {
			a.Announced = append(a.Announced, channel)
			about = AboutOpened
		}
		if !slices.ContainsFunc(a.Deliveries, func(d Delivery) bool { return d.Channel == channel && d.State == Pending }) {
			d.deliver(a, channel, about)
		}
	}
}

// deliver makes a message.
func (d *draft) deliver(a *Alert, channel string, about About) {
	a.Messages++
	a.Deliveries = append(a.Deliveries, Delivery{
		ID:      "msg-" + derive(a.Namespace, a.ID, channel, fmt.Sprint(a.Messages)),
		Channel: channel, About: about, State: Pending, CreatedAt: d.now, NextAt: d.now,
	})
}

// silenced reports whether a silence is in force for the alert, other than one.
func (d *draft) silenced(a *Alert, without string) bool {
	return slices.ContainsFunc(d.inForce(a.Namespace), func(s silencing) bool { return s.ID != without && s.covers(a) })
}

// inForce are the silences of a namespace that have not ended.
func (d *draft) inForce(namespace string) []silencing {
	list, there := d.silences[namespace]
	if !there {
		for _, item := range d.cfg.Tables.Silences.List(namespace) {
			if s, err := newSilencing(item.Value); err == nil && d.now.Before(s.Until) {
				list = append(list, s)
			}
		}
		d.silences[namespace] = list
	}
	return list
}

func newSilencing(s Silence) (silencing, error) {
	pattern := s.Workflow
	if pattern == "" {
		pattern = "*"
	}
	glob, err := filter.ParseGlob(pattern)
	return silencing{s, glob}, err
}

func (s *silencing) covers(a *Alert) bool {
	about := s.Workflow == "" || a.Connection == "" && s.glob.Match(a.Workflow)
	return about && (s.Cause == "" || s.Cause == a.Cause)
}

// hush marks the open alerts that a new silence covers, and drops what waits to
// be sent.
func (d *draft) hush(s *silencing) {
	for _, p := range d.index.openIn(s.Namespace) {
		was, _ := d.cfg.Tables.Alerts.Get(p.namespace, p.id)
		if !s.covers(&was) {
			continue
		}
		a := d.at(p)
		a.Silenced = true
		for i := range a.Deliveries {
			if m := &a.Deliveries[i]; m.State == Pending {
				m.State, m.NextAt, m.Error = DeliveryFailed, time.Time{}, strings.TrimSpace("silenced by "+s.CreatedBy)
				a.Withheld = true
				d.dropped++
				if channel := m.Channel; m.About == AboutOpened { // has not heard of it
					a.Announced = slices.DeleteFunc(a.Announced, func(c string) bool { return c == channel })
				}
			}
		}
	}
}

// unhush sends the alerts that no silence but one is in force for any more.
func (d *draft) unhush(places []place, without string) {
	for _, p := range places {
		was, there := d.cfg.Tables.Alerts.Get(p.namespace, p.id)
		if !there || d.silenced(&was, without) {
			continue
		}
		a := d.at(p)
		if a.Withheld && a.State == Open {
			d.tell(a)
		}
		a.Silenced, a.Withheld = false, false
	}
}
