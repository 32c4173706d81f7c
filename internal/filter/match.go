package filter

import (
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
)

// Row is what is known about a run. Of a workflow only Namespace, Workflow,
// Folder, Owner and Labels are.
type Row struct {
	ID        string // sorts by the time of acceptance
	Namespace string
	Workflow  string // name of it
	Folder    string // such as /payments/eod; empty is /
	Owner     string
	Labels    map[string]string

	State        string
	Reason       string
	BusinessDate string // 2006-01-02, or empty
	Trigger      string // manual, or schedule/ID
	Actor        string // user/ada, or system/schedule

	// Zero: not yet, or of DueAt: whenever.
	AcceptedAt, StartedAt, EndedAt, DueAt time.Time

	Held     bool
	Attempts uint32 // highest number of an attempt of any step

	// Live asks for what only the live run knows, and reports whether that can
	// be known now. It is called at most once for each Match and Rank, and only
	// when nothing else decides. Nil: it cannot be known.
	Live func() (Live, bool)
}

// Live is what only a live run knows, or for workers who has kept its history.
type Live struct {
	Waiting []string      // what its steps wait for: reason codes and kinds such as limit, worker, timer
	Workers []string      // names of the workers that have, or had, attempts of it
	Wait    time.Duration // how long it has waited, 0: it does not wait
}

func (r *Row) ended() bool { return slices.Contains(states[4:], r.State) }

// Tri is an answer.
type Tri int8

// The answers. Unknown means that a fact is not known that would decide: lists
// leave the run out and should say so, and an action must not count it in.
const (
	No Tri = iota - 1
	Unknown
	Yes
)

func (t Tri) String() string { return [...]string{"no", "unknown", "yes"}[t+1] }

func tri(yes bool) Tri {
	if yes {
		return Yes
	}
	return No
}

// asking is a row that is being matched.
type asking struct {
	*Row

	context Context
	asked   bool
	known   bool
	facts   Live
}

// live returns what the live run knows.
func (a *asking) live() (*Live, bool) {
	if !a.asked && a.Live != nil {
		a.facts, a.known = a.Live()
	}
	a.asked = true
	return &a.facts, a.known
}

// matcher decides a term as it is without its minus.
type matcher func(t *term, a *asking) Tri

// Match reports whether the filter has the row.
func (f Filter) Match(r *Row) Tri {
	a := &asking{Row: r, context: f.context}
	answer := Yes
	for _, live := range [...]bool{false, true} {
		for i := range f.terms {
			t := &f.terms[i]
			if t.key.live != live {
				continue
			}
			got := t.key.match(t, a)
			if t.not {
				got = -got
			}
			if answer = min(answer, got); answer == No {
				return No
			}
		}
	}
	return answer
}

// any reports whether one of the values matches the text.
func (t *term) any(text string) Tri {
	return tri(slices.ContainsFunc(t.values, func(v value) bool { return v.glob.Match(text) }))
}

func (t *term) matchID(a *asking) Tri {
	return tri(slices.ContainsFunc(t.values, func(v value) bool { return strings.HasPrefix(a.ID, v.glob.String()) }))
}

func (t *term) matchName(a *asking) Tri {
	return tri(slices.ContainsFunc(t.values, func(v value) bool {
		if v.glob.has('/') {
			return v.glob.Match(a.Namespace + "/" + a.Workflow)
		}
		return v.glob.Match(a.Workflow)
	}))
}

func (t *term) matchNamespace(a *asking) Tri { return t.any(a.Namespace) }

func (t *term) matchFolder(a *asking) Tri {
	path := folderSegments(a.Folder)
	return tri(slices.ContainsFunc(t.values, func(v value) bool { return v.folder.match(path) }))
}

func (t *term) matchLabel(a *asking) Tri {
	for key, text := range a.Labels {
		if slices.ContainsFunc(t.values, func(v value) bool {
			return v.glob.has('=') && v.glob.Match(key+"="+text) || !v.glob.has('=') && v.glob.Match(key)
		}) {
			return Yes
		}
	}
	return No
}

func (t *term) matchOwner(a *asking) Tri {
	return tri(slices.ContainsFunc(t.values, func(v value) bool {
		return v.me && a.context.Me != "" && a.Owner == a.context.Me || !v.me && v.glob.Match(a.Owner)
	}))
}

const userPrefix = "user/"

func (t *term) matchActor(a *asking) Tri {
	user, isUser := strings.CutPrefix(a.Actor, userPrefix)
	return tri(slices.ContainsFunc(t.values, func(v value) bool {
		if v.me {
			return isUser && a.context.Me != "" && user == a.context.Me
		}
		return v.glob.Match(a.Actor) || isUser && !v.glob.has('/') && v.glob.Match(user)
	}))
}

func (t *term) matchTrigger(a *asking) Tri {
	kind, _, _ := strings.Cut(a.Trigger, "/")
	return tri(slices.ContainsFunc(t.values, func(v value) bool {
		return v.glob.Match(a.Trigger) || !v.glob.has('/') && v.glob.Match(kind)
	}))
}

func (t *term) matchState(a *asking) Tri  { return t.any(a.State) }
func (t *term) matchReason(a *asking) Tri { return t.any(a.Reason) }

func (t *term) matchDate(a *asking) Tri {
	date, err := calendar.ParseDate(a.BusinessDate)
	if err != nil {
		return No // it has none
	}
	today := a.context.today()
	return tri(slices.ContainsFunc(t.days, func(r days) bool { return r.contain(date, today) }))
}

func (t *term) matchSince(a *asking) Tri {
	return tri(!a.AcceptedAt.Before(t.moment.instant(a.context, false)))
}

func (t *term) matchUntil(a *asking) Tri {
	return tri(a.AcceptedAt.Before(t.moment.instant(a.context, true)))
}

func (t *term) matchWaiting(a *asking) Tri {
	if a.ended() {
		return No
	}
	live, known := a.live()
	if !known {
		return Unknown
	}
	return tri(slices.ContainsFunc(live.Waiting, func(text string) bool { return t.any(text) == Yes }))
}

func (t *term) matchWorker(a *asking) Tri {
	if a.Attempts == 0 {
		return No
	}
	live, known := a.live()
	if !known {
		return Unknown
	}
	return tri(slices.ContainsFunc(live.Workers, func(text string) bool { return t.any(text) == Yes }))
}

func (t *term) matchWait(a *asking) Tri {
	if a.ended() {
		return No
	}
	live, known := a.live()
	switch {
	case !known:
		return Unknown
	case live.Wait == 0:
		return No
	}
	return tri(compare(t.op, live.Wait, t.length))
}

func (t *term) matchDuration(a *asking) Tri {
	took, started := a.took(a.context.Now)
	return tri(started && compare(t.op, took, t.length))
}

// took is how long the run has run, if it has started.
func (r *Row) took(now time.Time) (time.Duration, bool) {
	switch {
	case r.StartedAt.IsZero():
		return 0, false
	case r.EndedAt.IsZero():
		return now.Sub(r.StartedAt), true
	}
	return r.EndedAt.Sub(r.StartedAt), true
}

func (t *term) matchAttempt(a *asking) Tri { return tri(compare(t.op, a.Attempts, t.number)) }
func (t *term) matchHeld(a *asking) Tri    { return tri(a.Held) }

func (t *term) matchLate(a *asking) Tri {
	until := a.EndedAt
	if until.IsZero() {
		until = a.context.Now
	}
	return tri(!a.DueAt.IsZero() && until.After(a.DueAt))
}

func compare[T time.Duration | uint32](op string, a, b T) bool {
	switch op {
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	}
	return a == b
}

// has reports whether the character stands in the pattern.
func (g Glob) has(r rune) bool { return slices.Contains(g.chars, r) }
