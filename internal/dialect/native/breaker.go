package native

import (
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// What a breaker does that says no more than that it is there.
const (
	defaultFailures = 5
	defaultProbes   = 1
	defaultWithin   = "1m"
	defaultOpenFor  = "30s"
)

// breakerField is the field of a Connection that gives it a circuit breaker.
func breakerField() descriptor.Field {
	return descriptor.Field{
		Name: "breaker", Type: object(&descriptor.Object{Name: "breaker", Doc: "When calls are kept from a place that does not answer.", Fields: []descriptor.Field{
			{Name: "failures", Type: ranged(kind(descriptor.Integer), 1, breaker.MaxFailures), Default: value.Int(defaultFailures), Doc: "So many failures in a row, of whatever runs, open it."},
			{Name: "within", Type: kind(descriptor.Duration), Default: str(defaultWithin), Doc: "The failures count that lie within this time."},
			{Name: "open_for", Type: kind(descriptor.Duration), Default: str(defaultOpenFor), Doc: "How long it is open before probes go."},
			{Name: "probes", Type: ranged(kind(descriptor.Integer), 1, breaker.MaxProbes), Default: value.Int(defaultProbes), Doc: "How many attempts go at once to try whether the place answers again."},
		}}),
		Doc: "Circuit breaker. While it is open, attempts of steps that use the connection wait, `queued` with the reason `breaker`; a probe that gets through closes it, one that does not opens it again. " +
			"A call fails to get through if there is no connection, no answer in time or half an answer, or if the server says that it is broken or busy (HTTP 500 to 599, SMTP 421, SQL states of classes 08, 53 and 57P); " +
			"any other answer ends the row of failures. Without the field there is none. It acts on a server; `regie run` makes all calls.",
		Example: "kind: Connection\nname: bank\ntype: http\nurl: https://bank.example\nbreaker: {failures: 5, within: 1m, open_for: 30s, probes: 1}\n",
	}
}

// breakerOf reads the field of a document that was checked, nil if it is not
// there.
func (l *loader) breakerOf(n *yamldoc.Node) *breaker.Policy {
	if n == nil || n.Kind != yamldoc.Map {
		return nil
	}
	span := func(field, standard string) time.Duration {
		text := scalarText(n.Get(field))
		if text == "" {
			text = standard
		}
		d, err := duration.Parse(text)
		if err == nil && d <= 0 {
			l.list.Errorf(n.Get(field).Pos, descriptor.CodeInvalidValue, "`%s` must be longer than nothing; this is %s", field, text).WithLength(n.Get(field).Length())
		}
		return d
	}
	number := func(field string, standard int) int {
		if v := n.Get(field); v != nil {
			if i, ok := v.ToValue().Int(); ok {
				return int(i)
			}
		}
		return standard
	}
	return &breaker.Policy{
		Failures: number("failures", defaultFailures), Within: span("within", defaultWithin),
		OpenFor: span("open_for", defaultOpenFor), Probes: number("probes", defaultProbes),
	}
}
