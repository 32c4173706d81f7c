package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxApprovals is how many approvals one answer lists.
const MaxApprovals = 1000

// asked is a question of a run, as it was seen.
type asked struct {
	row      store.RunRow
	step     string
	wait     uint64
	question engine.Question
	votes    []engine.Voted
	shown    *regiev1.Approval
	// may judges whether somebody may decide.
	may func(actor string, roles, authors []string) error
}

// ask copies what an activation asks, nil if nothing.
func ask(v runtime.View, a *engine.Activation) *asked {
	q := a.Question()
	if q == nil {
		return nil
	}
	out := &asked{row: v.Row, step: a.Path, wait: a.Awaits.ID, question: *q, votes: slices.Clone(a.Votes)}
	out.shown = &regiev1.Approval{
		Namespace: v.Row.Namespace, Workflow: v.Row.Workflow, Run: string(v.Row.ID), Step: a.Path, Question: a.Awaits.ID,
		Message: q.Message, Count: uint32(q.Count), Roles: slices.Clone(q.Roles), Users: slices.Clone(q.Users),
		FourEyes: q.FourEyes, AskedAt: timeOf(a.Since), OnTimeout: cmp.Or(q.OnTimeout, engine.OnTimeoutFail),
	}
	if t := v.Run.Timers[a.Deadline]; t != nil {
		out.shown.ExpiresAt = timeOf(t.At)
	}
	for i := range a.Votes {
		d := &a.Votes[i]
		out.shown.Decisions = append(out.shown.Decisions, &regiev1.Decision{Actor: d.Actor, Approved: d.Approve, Comment: d.Comment, At: timeOf(d.At)})
	}
	// The state must not be looked at later: what is judged is a copy.
	act := &engine.Activation{Path: a.Path, Phase: a.Phase, State: a.State, Awaits: &engine.Awaited{ID: a.Awaits.ID, Kind: a.Awaits.Kind, Question: &out.question}, Votes: out.votes}
	run := &engine.Run{Starter: v.Run.Starter}
	out.may = func(actor string, roles, authors []string) error { return run.MayVote(act, actor, roles, authors) }
	return out
}

// questions are those of a run, the oldest first.
func questions(v runtime.View) (out []*asked) {
	if v.Run == nil || !v.Run.Asks() {
		return nil
	}
	for _, act := range v.Run.Acts {
		if q := ask(v, act); q != nil {
			out = append(out, q)
		}
	}
	slices.SortFunc(out, func(x, y *asked) int { return cmp.Compare(x.wait, y.wait) })
	return out
}

// ListApprovals lists what is asked.
func (a *API) ListApprovals(ctx context.Context, m *regiev1.ListApprovalsRequest) (*regiev1.ListApprovalsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	names, all := a.namespaces(identityOf(ctx), m.GetNamespace(), access.RunsRead)
	var found []*asked
	err := a.cfg.Runtime.Survey(ctx, func(v runtime.View) bool {
		if strings.HasPrefix(string(v.Row.ID), m.GetRun()) && (all || slices.Contains(names, v.Row.Namespace)) {
			found = append(found, questions(v)...)
		}
		return true
	})
	if err != nil {
		return nil, failure(err)
	}
	slices.SortStableFunc(found, func(x, y *asked) int { return x.shown.GetAskedAt().AsTime().Compare(y.shown.GetAskedAt().AsTime()) })
	out := &regiev1.ListApprovalsResponse{}
	for _, q := range found {
		if err := a.mayDecide(ctx, q); err != nil {
			q.shown.Refusal = plain(err)
		}
		switch {
		case m.GetMine() && q.shown.GetRefusal() != "":
		case len(out.Approvals) == MaxApprovals:
			out.More = true
			return out, nil
		default:
			out.Approvals = append(out.Approvals, q.shown)
		}
	}
	return out, nil
}

// plain is the text of an error, without a code of the API before it.
func plain(err error) string {
	var sent *connect.Error
	if errors.As(err, &sent) {
		return sent.Message()
	}
	return err.Error()
}

// mayDecide says why the caller may not decide on a question, nil if they may.
func (a *API) mayDecide(ctx context.Context, q *asked) error {
	identity := identityOf(ctx)
	if err := identity.Allow(access.ApprovalsDecide, q.row.Namespace, true); err != nil {
		return err
	}
	authors, err := a.authorsOf(q)
	if err != nil {
		return err
	}
	return q.may(identity.Actor(), a.rolesIn(identity, q), authors)
}

// authorsOf are those who made the version that a run is of. A question that
// needs four eyes is not decided if nobody knows them.
func (a *API) authorsOf(q *asked) ([]string, error) {
	authors := a.cfg.Catalog.Authors(q.row.Namespace, q.row.Workflow, q.row.Program)
	if q.question.FourEyes && len(authors) == 0 {
		return nil, refuse(connect.CodeAborted, "author_unknown",
			"step "+q.step+" needs four eyes, and nobody knows any more who made this version of the workflow", "cancel the run, and start another")
	}
	return authors, nil
}

// rolesIn are those of the roles and groups of a question that the caller has.
func (a *API) rolesIn(identity access.Identity, q *asked) []string {
	var out []string
	for _, name := range q.question.Roles {
		if a.cfg.Access.Holds(identity, name, q.row.Namespace) {
			out = append(out, name)
		}
	}
	return out
}

// DecideApproval takes a decision.
func (a *API) DecideApproval(ctx context.Context, m *regiev1.DecideApprovalRequest) (*regiev1.DecideApprovalResponse, error) {
	if err := checkName("comment", strings.ReplaceAll(m.GetComment(), "\n", " "), engine.MaxComment); err != nil {
		return nil, err
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	q, err := a.asked(ctx, &row, m.GetStep())
	if err != nil {
		return nil, a.decisionRefused(ctx, &row, m.GetStep(), err)
	}
	authors, err := a.authorsOf(q)
	if err != nil {
		return nil, a.decisionRefused(ctx, &row, q.step, err)
	}
	identity := identityOf(ctx)
	decision := "reject"
	if m.GetApprove() {
		decision = "approve"
	}
	e := identity.Done(access.Act{
		Action: "approval." + decision, Namespace: row.Namespace, Object: "run/" + string(row.ID),
		Detail: map[string]any{"step": q.step, "question": q.wait},
	})
	wait := m.GetQuestion()
	if wait == 0 {
		wait = q.wait
	}
	done, err := a.cfg.Runtime.Vote(ctx, row.ID, engine.Vote{
		Step: q.step, Wait: wait, Actor: identity.Actor(), Approve: m.GetApprove(), Comment: m.GetComment(),
		Roles: a.rolesIn(identity, q), Authors: authors,
	}, []store.Entry{e})
	if err != nil {
		return nil, a.decisionRefused(ctx, &row, q.step, err)
	}
	out := &regiev1.DecideApprovalResponse{
		Run: string(row.ID), Step: q.step, Count: uint32(q.question.Count), Over: true, Position: done.Position,
		Approvals: uint32(len(q.votes)),
	}
	if m.GetApprove() {
		out.Approvals++
	}
	if now, err := a.asked(ctx, &row, q.step); err == nil && now.wait == q.wait {
		out.Over, out.Approvals = false, uint32(len(now.votes))
	}
	return out, nil
}

// asked finds what a step of a run asks; without a step, what the only one that
// asks does.
func (a *API) asked(ctx context.Context, row *store.RunRow, step string) (*asked, error) {
	seen, err := a.cfg.Runtime.Inspect(ctx, row.ID, func(v runtime.View) any { return questions(v) })
	if err != nil {
		return nil, err
	}
	all, _ := seen.([]*asked)
	if step != "" {
		for _, q := range all {
			if q.step == step {
				return q, nil
			}
		}
		return nil, refuse(connect.CodeAborted, "nothing_asked", "step "+step+" asks nothing now", "`regie approvals` lists what is asked")
	}
	switch len(all) {
	case 0:
		return nil, refuse(connect.CodeAborted, "nothing_asked", "the run asks nothing now", "`regie approvals` lists what is asked")
	case 1:
		return all[0], nil
	}
	return nil, invalid("step", "several steps of the run ask: name one of them, such as %s", all[0].step)
}

// decisionRefused puts on record that a decision was not taken, and says so.
func (a *API) decisionRefused(ctx context.Context, row *store.RunRow, step string, err error) error {
	var refused *engine.Refusal
	var sent *connect.Error
	switch {
	case errors.As(err, &refused) && refused.Denied:
		err = refuse(connect.CodePermissionDenied, "approval_denied", err.Error(), "`regie why RUN` says who may decide")
	case errors.As(err, &refused):
		err = refuse(connect.CodeAborted, "refused", err.Error(), "`regie why RUN` says what the run waits for")
	case errors.Is(err, runtime.ErrNotLive):
		err = refuse(connect.CodeAborted, "run_ended", "the run has ended", "")
	case !errors.As(err, &sent):
		return failure(err)
	}
	denied := a.cfg.Access.Denied(ctx, identityOf(ctx), access.Act{
		Action: "approval.decide", Namespace: row.Namespace, Object: "run/" + string(row.ID), Reason: plain(err), Detail: map[string]any{"step": step},
	})
	if denied != nil {
		a.cfg.Log.WarnContext(ctx, "a refusal could not be recorded", "run", row.ID, "error", denied)
	}
	return err
}
