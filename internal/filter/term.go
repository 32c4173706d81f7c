package filter

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
)

// kind says what values a key takes.
type kind int

const (
	flagKind kind = iota
	textKind
	idKind
	folderKind
	stateKind
	daysKind
	momentKind
	lengthKind
	numberKind
)

// key is a word that a term begins with.
type key struct {
	name        string
	kind        kind
	ofWorkflows bool
	me          bool // me stands for who asks
	live        bool // only the live run knows it
	match       matcher
	example     string
}

// keys are all keys and flags. What is asked of live runs stands in match.go.
var keys = []key{
	{name: "id", kind: idKind, match: (*term).matchID, example: "id:01jw3k"},
	{name: "name", kind: textKind, ofWorkflows: true, match: (*term).matchName, example: "name:nightly, or name~\"gl_*\""},
	{name: "namespace", kind: textKind, ofWorkflows: true, match: (*term).matchNamespace, example: "namespace:risk"},
	{name: "folder", kind: folderKind, ofWorkflows: true, match: (*term).matchFolder, example: "folder:/fin/**"},
	{name: "label", kind: textKind, ofWorkflows: true, match: (*term).matchLabel, example: "label:crit, or label:team=payments"},
	{name: "owner", kind: textKind, ofWorkflows: true, me: true, match: (*term).matchOwner, example: "owner:me"},
	{name: "actor", kind: textKind, me: true, match: (*term).matchActor, example: "actor:ada"},
	{name: "trigger", kind: textKind, match: (*term).matchTrigger, example: "trigger:schedule"},
	{name: "state", kind: stateKind, match: (*term).matchState, example: "state:failed,running"},
	{name: "reason", kind: textKind, match: (*term).matchReason, example: "reason:timed_out"},
	{name: "date", kind: daysKind, match: (*term).matchDate, example: "date:today-1..today"},
	{name: "since", kind: momentKind, match: (*term).matchSince, example: "since:24h"},
	{name: "until", kind: momentKind, match: (*term).matchUntil, example: "until:today-1"},
	{name: "waiting", kind: textKind, live: true, match: (*term).matchWaiting, example: "waiting:limit"},
	{name: "worker", kind: textKind, live: true, match: (*term).matchWorker, example: "worker:lnx*"},
	{name: "wait", kind: lengthKind, live: true, match: (*term).matchWait, example: "wait>15m"},
	{name: "duration", kind: lengthKind, match: (*term).matchDuration, example: "duration>1h"},
	{name: "attempt", kind: numberKind, match: (*term).matchAttempt, example: "attempt>1"},
	{name: "late", kind: flagKind, match: (*term).matchLate},
	{name: "held", kind: flagKind, match: (*term).matchHeld},
}

// states are all states of runs, in the order in which they come.
var states = []string{"pending", "queued", "running", "waiting", "succeeded", "failed", "canceled", "skipped"}

// term is one condition. Which fields it has follows from the key's kind.
type term struct {
	key    *key
	column int
	not    bool
	op     string // of comparisons

	values []value // text, folder, id, state
	days   []days  // date
	moment moment  // since, until
	length time.Duration
	number uint32
}

// value is one of a term's alternatives.
type value struct {
	glob   Glob
	folder folderGlob // of folders
	me     bool
}

const meWord = "me"

// value reads what follows the operator; at is where.
func (p *parser) value(t *term, op string, at int) error {
	compares := t.key.kind == lengthKind || t.key.kind == numberKind
	switch {
	case compares && op == "~", !compares && op != ":" && op != "~":
		return p.fail(at-len(op), "write "+t.key.example, "%s is not followed by %s", t.key.name, op)
	case op == "~" && t.key.kind != textKind && t.key.kind != folderKind:
		return p.fail(at-len(op), "write "+t.key.example, "%s knows no patterns", t.key.name)
	}
	if compares {
		if t.op = op; op == ":" {
			t.op = "="
		}
	}
	words, err := p.words(op)
	if err != nil {
		return err
	}
	if (compares || t.key.kind == momentKind) && len(words) > 1 {
		return p.fail(words[1].at, "write "+t.key.example, "%s takes one value", t.key.name)
	}
	for i := range words {
		if err := p.take(t, &words[i]); err != nil {
			return err
		}
	}
	return nil
}

// take adds a value to the term.
func (p *parser) take(t *term, w *word) error {
	hint := "write " + t.key.example
	var err error
	switch t.key.kind {
	case flagKind:
	case textKind:
		v := value{glob: w.glob.simple(), me: t.key.me && !w.quoted && w.text == meWord}
		if v.me && p.filter.context.Me == "" {
			return p.fail(w.at, `write a name, or "me" for one that is so called`, "nobody is signed in who could be me")
		}
		if v.me {
			v.glob = Glob{}
		}
		t.values = append(t.values, v)
	case idKind:
		if !validID(w.text) {
			return p.fail(w.at, hint, "%q is not the beginning of a run's ID", cut(w.text))
		}
		t.values = append(t.values, value{glob: w.glob})
	case stateKind:
		if !slices.Contains(states, w.text) {
			hint = diag.DidYouMean(w.text, states)
			if hint == "" {
				hint = "states are " + strings.Join(states, " ")
			}
			return p.fail(w.at, hint, "there is no state %q", cut(w.text))
		}
		t.values = append(t.values, value{glob: literal(w.text)})
	case folderKind:
		return p.takeFolder(t, w)
	case daysKind:
		var r days
		if r, err = parseDays(w.text); err != nil {
			return p.fail(w.at, dayHint, "%v", err)
		}
		t.days = append(t.days, r)
	case momentKind:
		if t.moment, err = parseMoment(w.text); err != nil {
			return p.fail(w.at, momentHint, "%v", err)
		}
	case lengthKind:
		if t.length, err = duration.Parse(w.text); err != nil {
			return p.fail(w.at, hint, "%q is not a duration", cut(w.text))
		}
		t.length = t.length.Round(time.Millisecond) // what is written again
	case numberKind:
		n, err := strconv.ParseUint(w.text, 10, 32)
		if err != nil {
			return p.fail(w.at, hint, "%q is not a number", cut(w.text))
		}
		t.number = uint32(n)
	}
	return nil
}

// validID reports whether the text is the beginning of a run's ID.
func validID(text string) bool {
	const maxID = 128 // as the store has it
	return text != "" && len(text) <= maxID && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-_.", r)
	})
}

func (p *parser) takeFolder(t *term, w *word) error {
	g := w.glob
	if len(g.chars) == 0 || g.chars[0] != '/' {
		return p.fail(w.at, "write folder:/fin, or folder:/fin/** with all below it", "a folder begins with /")
	}
	v := value{folder: g.folder()}
	for _, part := range v.folder {
		for i := 1; i < len(part.chars); i++ {
			if part.chars[i] == anyText && part.chars[i-1] == anyText && !part.deep() {
				return p.fail(w.at, "write /fin/** or /fin/gl*", "** stands for whole folders only")
			}
		}
	}
	t.values = append(t.values, v)
	return nil
}
