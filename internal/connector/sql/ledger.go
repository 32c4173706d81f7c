package sql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// fenced is the name of the error of an attempt that is not the current one.
const fenced = "sql.fenced"

// ledgerLimits bound what is read from the ledger: one recorded result.
func ledgerLimits() limits { return limits{rows: 1, bytes: 2 * MaxMaxBytes} }

// onceTries is how often the effect is tried within one call: again after the
// connection was lost while it committed, since the ledger tells then whether
// it did.
const onceTries = 2

// once runs the statements unless the ledger has the call's key; then it
// returns what they gave the first time.
func (p plan) once(ctx context.Context, db database, call connector.Call) (value.Value, error) {
	if call.IdempotencyKey == "" {
		return value.Undefined, errors.New("a call that is to have its effect once needs an idempotency key")
	}
	if call.Fence.Incarnation > math.MaxInt64 || call.Fence.Sequence > math.MaxInt64 {
		return value.Undefined, fmt.Errorf("fencing number %v does not fit into the ledger", call.Fence)
	}
	for try := 1; ; try++ {
		output, err := p.tryOnce(ctx, db, call)
		var e *connector.Error
		if !errors.As(err, &e) || !e.Unknown {
			return output, err
		}
		if try == onceTries || ctx.Err() != nil {
			known := *e
			known.Unknown = false // a further attempt finds out
			known.Message += "; whether it took effect stands in " + ledgerTable + ", so it is safe to try again"
			return value.Undefined, &known
		}
		call.Log("the connection was lost while the changes were committed; asking the ledger")
	}
}

func (p plan) tryOnce(ctx context.Context, db database, call connector.Call) (value.Value, error) {
	s, err := db.open(ctx, use{log: call.Log})
	if err != nil {
		return value.Undefined, err
	}
	defer s.close()
	if err := s.ledger(ctx); err != nil {
		return value.Undefined, err
	}
	if err := s.begin(ctx); err != nil {
		return value.Undefined, err
	}
	// Of several attempts at once the first gets the key; the others wait here
	// for the end of its transaction.
	inserted, err := s.exec(ctx, statement{
		text: "insert into " + ledgerTable + " (key, run, step, attempt, incarnation, sequence, at) values ($1, $2, $3, $4, $5, $6, $7)" +
			" on conflict (key) do nothing",
		args: []value.Value{
			value.String(call.IdempotencyKey), value.String(call.RunID), value.String(call.Step), value.Int(int64(call.Attempt)),
			value.Int(int64(call.Fence.Incarnation)), value.Int(int64(call.Fence.Sequence)), value.String(call.Now().UTC().Format(time.RFC3339Nano)),
		},
	}, ledgerLimits())
	if err != nil {
		return value.Undefined, err
	}
	if inserted.affected == 0 {
		return recorded(ctx, s, call)
	}
	results, err := p.within(ctx, s)
	if err != nil {
		return value.Undefined, err
	}
	output := p.output(results)
	if _, err := s.exec(ctx, statement{
		text: "update " + ledgerTable + " set result = $2 where key = $1",
		args: []value.Value{value.String(call.IdempotencyKey), value.String(output.String())},
	}, ledgerLimits()); err != nil {
		return value.Undefined, err
	}
	if err := s.commit(ctx); err != nil {
		return value.Undefined, err
	}
	return output.With("replayed", value.False), nil
}

// recorded returns the result that the ledger has for the call's key.
func recorded(ctx context.Context, s session, call connector.Call) (value.Value, error) {
	found, err := s.exec(ctx, statement{
		text: "select result, attempt, incarnation, sequence from " + ledgerTable + " where key = $1",
		args: []value.Value{value.String(call.IdempotencyKey)},
	}, ledgerLimits())
	if err != nil {
		return value.Undefined, err
	}
	if len(found.rows) == 0 {
		return value.Undefined, connector.Errorf("sql.ledger", "the key of this step was deleted from %s meanwhile; try again", ledgerTable)
	}
	row := found.rows[0]
	attempt, _ := row.Get("attempt").Int()
	incarnation, _ := row.Get("incarnation").Int()
	sequence, _ := row.Get("sequence").Int()
	if older(call.Fence, connector.Fence{Incarnation: uint64(incarnation), Sequence: uint64(sequence)}) {
		return value.Undefined, connector.Errorf(fenced,
			"attempt %d is not the current one any more: attempt %d has a higher fencing number (%d.%d)", call.Attempt, attempt, incarnation, sequence)
	}
	text, _ := row.Get("result").Str()
	output, err := value.Parse([]byte(text))
	if err != nil || output.Kind() != value.KindObject {
		return value.Undefined, connector.Errorf("sql.ledger", "the row of this step in %s has no result that can be read", ledgerTable)
	}
	call.Log(fmt.Sprintf("attempt %d had this effect already; its result is returned and nothing is changed", attempt))
	return output.With("replayed", value.True), nil
}

func older(a, b connector.Fence) bool {
	return a.Incarnation < b.Incarnation || a.Incarnation == b.Incarnation && a.Sequence < b.Sequence
}
