package engine

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/workflow"
)

// handle offers an error to the activation's handlers: retry rules in order,
// then catch rules, then continue_on_error.
func (d *decider) handle(id ActID) error {
	a := d.run.Acts[id]
	if a == nil || a.Phase != PhaseError {
		return nil
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	taken, err := d.retry(a, n)
	if taken || err != nil {
		return d.orNewError(a, err)
	}
	taken, err = d.catch(a, n)
	if taken || err != nil {
		return d.orNewError(a, err)
	}
	return d.failAct(a, n, failure{reason: a.failReason()})
}

// orNewError makes the failure of a handler's own expression the error of the
// activation, which no other handler takes.
func (d *decider) orNewError(a *Activation, err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	return d.failAct(a, n, failure{reason: ReasonError, err: e})
}

// matches reports whether handlers with these patterns know the error, by any
// name that it has; those that except its first name do not.
func (m *Machine) matches(patterns, except []string, e *Error) bool {
	if matches(patterns, except, e.Name) {
		return true
	}
	mapping := m.mapping(e)
	return mapping != nil && mapping.Also != "" && matches(nil, except, e.Name) && matches(patterns, except, mapping.Also)
}

// matches reports whether an error's name is among the patterns (* stands for
// any text); no patterns match everything.
func matches(patterns, except []string, name string) bool {
	for _, p := range except {
		if glob(p, name) {
			return false
		}
	}
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return len(patterns) == 0
}

func glob(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}

// retry decides whether a retry rule takes the error.
func (d *decider) retry(a *Activation, n *workflow.Node) (bool, error) {
	mapping := d.m.mapping(a.Err)
	if mapping != nil && mapping.NoRetry {
		return false, nil
	}
	for i := a.RuleAt; i < len(n.Retry); i++ {
		r := &n.Retry[i]
		if !d.m.matches(r.Match, r.Except, a.Err) || len(r.Match) == 0 && namedOnly(a.Err) {
			continue
		}
		p := d.placeOf(a)
		if r.When != nil {
			ok, err := d.truth(r.When, p)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
		}
		limit, err := d.count(r.MaxAttempts, p, "max_attempts", math.MaxInt)
		if err != nil {
			return false, err
		}
		if a.retries(i)+1 >= limit {
			return false, d.emit(Event{Kind: EvRetry, Act: a.ID, Rule: i, Same: true}) // matched, none left
		}
		if r.Call != nil {
			return true, d.open(opening{role: RolePredicate, owner: a.ID, body: *r.Call, index: -1, attempt: i, raw: a.Err.Value()})
		}
		return true, d.retryWith(a, n, i)
	}
	return false, nil
}

// namedOnly reports whether only retry rules that name the error take it.
func namedOnly(e *Error) bool {
	switch e.Engine {
	case ErrAttemptLost, ErrDepth, ErrKilled, ErrSetFailed:
		return true
	}
	return false
}

func (a *Activation) retries(rule int) int {
	if rule < len(a.Retries) {
		return a.Retries[rule]
	}
	return 0
}

// predicateDone takes the answer of a retry rule's body.
func (d *decider) predicateDone(a *Activation, rule int, out Outcome) error {
	if a.CancelAsked {
		return d.unwound(a)
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	if yes, _ := out.Output.Bool(); out.State == Succeeded && yes {
		return d.orNewError(a, d.retryWith(a, n, rule))
	}
	d.add(task{kind: taskError, act: a.ID}) // the next rule
	return nil
}

// retryWith decides the next attempt by a rule that took the error.
func (d *decider) retryWith(a *Activation, n *workflow.Node, rule int) error {
	wait, err := d.backoff(a, &n.Retry[rule].Backoff, a.retries(rule)+1)
	if err != nil {
		return err
	}
	ev := Event{Kind: EvRetry, Act: a.ID, Rule: rule}
	if wait > 0 {
		ev.Timer, ev.Due, ev.TimerKind = d.run.lastTimer+1, d.ctx.Now.Add(wait), TimerRetry
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	if wait > 0 {
		d.command(SetTimer{Timer: ev.Timer, At: ev.Due})
		return nil
	}
	return d.again(a)
}

// again begins the next attempt.
func (d *decider) again(a *Activation) error {
	d.add(task{kind: taskBegin, act: a.ID})
	return nil
}

// backoff is the wait before retry number nth (from 1) of a rule.
func (d *decider) backoff(a *Activation, b *workflow.Backoff, nth int) (time.Duration, error) {
	p := d.placeOf(a)
	initial, err := d.duration(b.Initial, p, "backoff.initial")
	if err != nil {
		return 0, err
	}
	factor := 1.0
	if b.Factor != nil {
		v, err := d.value(b.Factor, p)
		if err != nil {
			return 0, err
		}
		f, ok := v.Float()
		if !ok || f < 1 {
			return 0, d.m.engineError(ErrEvaluation, "backoff.factor: "+v.String()+" is no number from 1")
		}
		factor = f
	}
	limit, err := d.duration(b.Max, p, "backoff.max")
	if err != nil {
		return 0, err
	}
	if limit == 0 {
		limit = duration.Max
	}
	wait := time.Duration(min(float64(initial)*math.Pow(factor, float64(nth-1)), float64(limit)))
	if b.Jitter == workflow.JitterFull {
		wait = time.Duration(float64(wait) * fraction(d.run.Seed, uint64(a.ID), uint64(nth)))
	}
	if b.HonourRetryAfter && a.Err.RetryAfter > wait {
		wait = min(a.Err.RetryAfter, duration.Max)
	}
	return wait, nil
}

// fraction draws a number from 0 to 1 by splitmix64 over what names the draw.
func fraction(words ...uint64) float64 { return float64(mix(words...)>>11) / (1 << 53) }

func mix(words ...uint64) uint64 {
	var x uint64
	for _, w := range words {
		x += w + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// catch decides whether a catch rule takes the error.
func (d *decider) catch(a *Activation, n *workflow.Node) (bool, error) {
	if mapping := d.m.mapping(a.Err); mapping != nil && mapping.Uncatchable {
		return false, nil
	}
	for i := range n.Catch {
		c := &n.Catch[i]
		if !d.m.matches(c.Match, c.Except, a.Err) {
			continue
		}
		p := d.placeOf(a)
		if c.When != nil {
			ok, err := d.truth(c.When, p)
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
		}
		if c.Body != nil {
			if err := d.emit(Event{Kind: EvCaught, Act: a.ID, Rule: i}); err != nil {
				return false, err
			}
			return true, d.open(opening{role: RoleCatch, owner: a.ID, body: *c.Body, index: -1, attempt: 1, raw: a.Err.Value()})
		}
		output, err := d.stages(c.Result, a.Err.Value(), p)
		p.output = output
		if err == nil && c.Assign != nil {
			err = d.assign(a, c.Assign, p)
		}
		if err != nil {
			return false, err
		}
		return true, d.endAct(a, ending{state: Succeeded, reason: ReasonHandled, output: nullIfUndefined(output), next: c.Next})
	}
	return false, nil
}

// caughtDone takes the end of a catch frame: the activation counts as
// succeeded with its output, or fails with its error.
func (d *decider) caughtDone(a *Activation, out Outcome) error {
	switch {
	case a.CancelAsked:
		return d.unwound(a)
	case out.State == Succeeded:
		return d.endAct(a, ending{state: Succeeded, reason: ReasonHandled, output: nullIfUndefined(out.Output)})
	case out.State == Canceled:
		return d.endAct(a, ending{state: Canceled, reason: out.Reason})
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	return d.failAct(a, n, failure{reason: out.Reason, err: out.Error})
}

func bigSum(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
