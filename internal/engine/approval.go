package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of approvals.
const (
	// MaxApprovals is how many people an approval may need.
	MaxApprovals = 100
	// MaxQuestion and MaxComment are the longest texts of their kind, in bytes.
	MaxQuestion = 16 << 10
	MaxComment  = 4 << 10
)

// Question is what people are asked.
type Question struct {
	Message string `json:"message,omitempty"`
	// Count is how many have to approve; one who rejects is enough.
	Count int `json:"count"`
	// Roles and Users are who may decide, users without "user/"; both empty:
	// whoever the caller lets.
	Roles []string `json:"roles,omitempty"`
	Users []string `json:"users,omitempty"`
	// FourEyes keeps those from deciding who started the run or made its version.
	FourEyes bool `json:"four_eyes,omitempty"`
	// OnTimeout is what no answer means: OnTimeoutFail, OnTimeoutApprove or
	// OnTimeoutReject.
	OnTimeout string `json:"on_timeout,omitempty"`
}

// What no answer to a question means.
const (
	OnTimeoutFail    = "fail"
	OnTimeoutApprove = "approve"
	OnTimeoutReject  = "reject"
)

// Vote is the decision of a person on the question of a step. Decide refuses it
// from who may not decide, or has, and once nothing is asked any more.
type Vote struct {
	Step string
	// Wait is the ID of the wait (see [Awaited]); 0: that of now.
	Wait    uint64
	Actor   string
	Approve bool
	Comment string
	// Roles are the names of roles and groups that the actor has, Authors the
	// actors who made the version that the run is of.
	Roles   []string
	Authors []string
}

func (Vote) input() {}

// Voted is a decision that counts.
type Voted struct {
	Actor   string
	Approve bool
	Comment string
	At      time.Time
}

// Question is what the activation asks people, nil if nothing.
func (a *Activation) Question() *Question {
	if a.Phase != PhaseEvent || a.Awaits.Kind != AwaitApproval {
		return nil
	}
	return a.Awaits.Question
}

// Asks reports whether a step of the run asks people.
func (r *Run) Asks() bool { return r.asking > 0 }

// countQuestion keeps count of what people are asked.
func (r *Run) countQuestion(before, now bool) {
	switch {
	case now && !before:
		r.asking++
	case before && !now:
		r.asking--
	}
}

// asksPeople reports whether a node asks people: no operator approves for them.
func asksPeople(n *workflow.Node) bool {
	return n.Wait != nil && n.Wait.Event != nil && n.Wait.Event.Kind == workflow.EventApproval
}

func onlyPeople(path string) *Refusal {
	return refusef(path, "step %s asks people: who may decide approves or rejects it; an operator can set it failed", path)
}

// planVote finds what a decision is about, and whether it counts.
func (m *Machine) planVote(run *Run, in *Vote) (*Activation, []Affected, error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	a := run.actAt(in.Step)
	if a == nil {
		return nil, nil, refusef(in.Step, "nothing is asked at %q", in.Step)
	}
	if a.Question() == nil {
		return nil, nil, refusef(a.Path, "step %s asks nothing now: it is %s", a.Path, a.State)
	}
	if in.Wait != 0 && in.Wait != a.Awaits.ID {
		return nil, nil, refusef(a.Path, "step %s asks anew: the question that this decides is over", a.Path)
	}
	if err := run.mayVote(a, in.Actor, in.Roles, in.Authors); err != nil {
		return nil, nil, err
	}
	if len(in.Comment) > MaxComment {
		return nil, nil, refusef(a.Path, "the comment has %d bytes, more than %d", len(in.Comment), MaxComment)
	}
	does := DoesReject
	if in.Approve {
		does = DoesApprove
	}
	return a, []Affected{{Path: a.Path, Does: does}}, nil
}

// MayVote returns nil if the actor may decide on what the activation asks, else
// a *[Refusal] that says why not. Roles and authors are those of a [Vote].
func (r *Run) MayVote(a *Activation, actor string, roles, authors []string) error {
	if err := r.mayVote(a, actor, roles, authors); err != nil {
		return err
	}
	return nil
}

func (r *Run) mayVote(a *Activation, actor string, roles, authors []string) *Refusal {
	q := a.Question()
	if q == nil {
		return refusef(a.Path, "step %s asks nothing now: it is %s", a.Path, a.State)
	}
	for i := range a.Votes {
		if v := &a.Votes[i]; v.Actor == actor {
			return refusef(a.Path, "%s has decided on step %s already, at %s: %s", actor, a.Path, stamp(v.At), v.word())
		}
	}
	switch {
	case q.FourEyes && actor == r.Starter:
		return deniedf(a.Path, "step %s needs four eyes: %s started the run and cannot decide", a.Path, actor)
	case q.FourEyes && slices.Contains(authors, actor):
		return deniedf(a.Path, "step %s needs four eyes: %s made this version of the workflow and cannot decide", a.Path, actor)
	case len(q.Roles) == 0 && len(q.Users) == 0, slices.Contains(q.Users, userName(actor)):
		return nil
	case slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(q.Roles, role) }):
		return nil
	}
	return deniedf(a.Path, "step %s asks %s, and %s is not among them", a.Path, q.whom(), actor)
}

func userName(actor string) string { return strings.TrimPrefix(actor, "user/") }

func (v *Voted) word() string {
	if v.Approve {
		return "approved"
	}
	return "rejected"
}

// whom says who may decide.
func (q *Question) whom() string {
	var who []string
	if len(q.Roles) > 0 {
		who = append(who, "the roles "+strings.Join(q.Roles, ", "))
	}
	if len(q.Users) > 0 {
		who = append(who, "the users "+strings.Join(q.Users, ", "))
	}
	if len(who) == 0 {
		return "whoever may decide on approvals here"
	}
	return strings.Join(who, " and ")
}

// vote takes a decision, and goes on if it is the last one that was missing.
func (d *decider) vote(in Vote) error {
	a, affected, err := d.m.planVote(d.run, &in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	outcome := OutcomeFailed
	if in.Approve {
		outcome = OutcomeSucceeded
	}
	if err := d.emit(Event{Kind: EvVoted, Act: a.ID, Actor: in.Actor, Outcome: outcome, Text: in.Comment}); err != nil {
		return err
	}
	switch {
	case !in.Approve:
		return d.happened(Happened{Act: a.ID, Wait: a.Awaits.ID, Error: d.rejected(in.Actor+" rejected "+a.Path, &a.Votes[len(a.Votes)-1])})
	case len(a.Votes) >= a.Awaits.Question.Count:
		return d.happened(Happened{Act: a.ID, Wait: a.Awaits.ID, Output: approved(a, false)})
	}
	return nil
}

// rejected is the error of an approval that was not given.
func (d *decider) rejected(message string, by *Voted) *Error {
	if by != nil && by.Comment != "" {
		message += ": " + by.Comment
	}
	e := d.m.engineError(ErrRejected, message)
	e.Details = value.Object(value.M("by", value.Null), value.M("comment", value.String("")))
	if by != nil {
		e.Details = value.Object(value.M("by", value.String(userName(by.Actor))), value.M("comment", value.String(by.Comment)))
	}
	return e
}

// approved is the result of an approval.
func approved(a *Activation, expired bool) value.Value {
	by := make([]value.Value, len(a.Votes))
	for i := range a.Votes {
		v := &a.Votes[i]
		by[i] = value.Object(
			value.M("user", value.String(userName(v.Actor))),
			value.M("at", value.String(v.At.UTC().Format(time.RFC3339Nano))),
			value.M("comment", value.String(v.Comment)))
	}
	return value.Object(value.M("approved", value.True), value.M("expired", value.Bool(expired)), value.M("by", value.List(by...)))
}

// unanswered ends a question whose time is up.
func (d *decider) unanswered(a *Activation) error {
	switch a.Awaits.Question.OnTimeout {
	case OnTimeoutApprove:
		return d.happened(Happened{Act: a.ID, Wait: a.Awaits.ID, Output: approved(a, true)})
	case OnTimeoutReject:
		return d.setError(a, d.rejected(a.Path+" was not decided in time, which rejects it", nil))
	}
	return d.setError(a, d.expiredError(a, TimerTimeout))
}

// ask evaluates a question and waits for people.
func (d *decider) ask(a *Activation, n *workflow.Node, p *place) error {
	v, err := d.plain(n.Wait.Event.With, p)
	if err != nil {
		return err
	}
	q := &Question{Count: 1, Message: v.Get("message").Text(), OnTimeout: v.Get("on_timeout").Text()}
	if c := v.Get("count"); !c.IsUndefined() && !c.IsNull() {
		count, ok := c.Int()
		if !ok || count < 1 || count > MaxApprovals {
			return d.m.engineError(ErrEvaluation, fmt.Sprintf("approval: the count is %s; it is a whole number from 1 to %d", c, MaxApprovals))
		}
		q.Count = int(count)
	}
	if len(q.Message) > MaxQuestion {
		return d.m.engineError(ErrEvaluation, fmt.Sprintf("approval: the message has %d bytes, more than %d", len(q.Message), MaxQuestion))
	}
	for _, r := range v.Get("roles").Items() {
		q.Roles = append(q.Roles, r.Text())
	}
	for _, u := range v.Get("users").Items() {
		q.Users = append(q.Users, u.Text())
	}
	q.FourEyes, _ = v.Get("four_eyes").Bool()
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	return d.await(a, Awaited{Kind: AwaitApproval, Question: q}, p.input, timeout)
}

func applyVoted(a *Activation, ev *Event) error {
	// Of an erased run nobody knows what is asked.
	if a.Phase != PhaseEvent || a.Awaits.Kind != "" && a.Awaits.Kind != AwaitApproval {
		return fmt.Errorf("%w: decision on activation %d, which asks nothing", ErrProtocol, a.ID)
	}
	a.Votes = append(a.Votes, Voted{Actor: ev.Actor, Approve: ev.Outcome == OutcomeSucceeded, Comment: ev.Text, At: ev.At})
	return nil
}

// asked explains a question.
func (w *whyer) asked(a *Activation, c Condition) Condition {
	q := a.Awaits.Question
	c.Attempt, c.Limit = len(a.Votes), q.Count
	text := fmt.Sprintf("It asks %s since %s; %d of %d have approved", q.whom(), stamp(a.Since), len(a.Votes), q.Count)
	who := make([]string, len(a.Votes))
	for i := range a.Votes {
		who[i] = a.Votes[i].Actor
	}
	if len(who) > 0 {
		text += ": " + strings.Join(who, ", ")
	}
	text += "."
	if q.Message != "" {
		text += " The question: " + q.Message
		if !strings.ContainsAny(q.Message[len(q.Message)-1:], ".!?") {
			text += "."
		}
	}
	if q.FourEyes {
		text += " " + w.run.Starter + ", who started the run, and who made the version cannot decide."
	}
	if !c.Due.IsZero() {
		means := map[string]string{OnTimeoutApprove: "counts as approved", OnTimeoutReject: "counts as rejected"}[q.OnTimeout]
		if means == "" {
			means = "fails"
		}
		text += fmt.Sprintf(" Without an answer until %s it %s.", stamp(c.Due), means)
	}
	c.Text = text
	return c
}
