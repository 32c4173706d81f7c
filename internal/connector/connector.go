package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// A Connector makes one kind of call. Implementations are safe for concurrent
// use.
type Connector interface {
	// Describe returns the descriptor; the same one every time.
	Describe() *Descriptor
	// Call makes the call and waits for its end, at most until ctx ends. What
	// the step failed of is an *[Error]; any other error means that the
	// connector itself is at fault. A call that may have had an effect which
	// nobody can know of (the connection broke after the request was sent) is
	// an *Error with Unknown set.
	Call(ctx context.Context, call Call) (Result, error)
}

// Descriptor describes a connector once; checking, JSON Schema, help and the
// reference page come from it.
type Descriptor struct {
	// Name is what `uses:` names, such as "http.request".
	Name string
	Doc  string
	// Input describes `with:`.
	Input *descriptor.Object
	// Output describes the step's output.
	Output *descriptor.Object
	// Connections are the types of connection that the input may name in
	// "connection"; empty if it names none.
	Connections []string
	// Channel says that the input names a channel in "channel".
	Channel bool
	// Idempotent says that repeating the call is harmless whatever the input.
	Idempotent bool
	// Hidden connectors are for compilers of foreign languages: steps cannot
	// name them, and no page shows them.
	Hidden bool
}

// ObjectType describes one type of `kind: Connection` or `kind: Channel`: the
// fields that stand beside kind, name and type.
type ObjectType struct {
	Name   string // what `type:` names, such as "postgres"
	Object *descriptor.Object
	// Connections are the types of connection that a channel's field
	// "connection" may name; empty for connections.
	Connections []string
	// Hosts returns the host:port pairs to which the fields lead, for
	// [Connection.AllowHosts] and [Channel.AllowHosts]. Nil if they lead
	// nowhere. Secrets need not be resolved, unless they hold the host.
	Hosts func(fields value.Value) ([]string, error)
}

// Call is one call.
type Call struct {
	// Input is `with:` after expressions were evaluated. The connector checks
	// it and fills in defaults, see [Prepare].
	Input value.Value
	// Connection is the connection object that the input names in
	// "connection", nil if it names none.
	Connection *Connection
	// Channel is the channel that the input names in "channel", nil if none.
	Channel *Channel
	// RunID, Step and Attempt say on whose behalf the call is made.
	RunID   string
	Step    string
	Attempt int
	// IdempotencyKey is the same for all attempts of the step in the run;
	// Fence only grows over the whole installation.
	IdempotencyKey string
	Fence          Fence
	// Log takes a line for the step's log, already masked by the receiver.
	// Never nil.
	Log func(line string)
	// Now is the wall clock.
	Now func() time.Time
}

// Fence is the fencing number of an attempt.
type Fence struct {
	Incarnation uint64
	Sequence    uint64
}

// Result is what a call gave.
type Result struct {
	Output value.Value
	// BytesIn and BytesOut are the bytes received and sent, as far as the
	// connector sees them.
	BytesIn, BytesOut int64
	// Warning, if not empty, marks the step: it succeeded, but somebody should
	// look.
	Warning string
}

// Error is a call that failed: name, message and details become the step's
// error.
type Error struct {
	// Name is what `on_error` and `retry` match, such as "http.503",
	// "egress_denied", "sql.23505", "timeout".
	Name    string
	Message string
	Details value.Value
	// RetryAfter is how long the other side asked to wait; 0 if it did not.
	RetryAfter time.Duration
	// Unknown says that the call may have had its effect.
	Unknown bool
}

// Names of errors that all connectors share.
const (
	// InvalidInput is an input that does not match the descriptor.
	InvalidInput = "invalid_input"
	// InvalidConnection is a connection or channel that is missing, has the
	// wrong type or fields that make no sense.
	InvalidConnection = "invalid_connection"
	Timeout           = "timeout"
	Canceled          = "canceled"
)

// Errorf makes an error.
func Errorf(name, format string, args ...any) *Error {
	return &Error{Name: name, Message: fmt.Sprintf(format, args...)}
}

// FromContext is the error of a call whose context has ended, nil if it has
// not.
func FromContext(ctx context.Context) *Error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Errorf(Timeout, "the call took longer than it may")
	default:
		return Errorf(Canceled, "the call was canceled")
	}
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Message) }

// Connection is `kind: Connection` after its secrets were resolved.
type Connection struct {
	Name string
	// Type is what it connects to, such as "http", "postgres", "sqlite",
	// "smtp".
	Type string
	// Fields are the other fields; secrets in them are plain text here and
	// nowhere else.
	Fields value.Value
	// AllowHosts are the host:port pairs that egress rules allow because of
	// this connection.
	AllowHosts []string
}

// Channel is `kind: Channel`: where messages go.
type Channel struct {
	Name string
	// Type is how messages are sent, such as "webhook" or "smtp".
	Type   string
	Fields value.Value
	// Connection is the connection that the channel uses, nil if none.
	Connection *Connection
	// AllowHosts are the host:port pairs that egress rules allow because of
	// this channel.
	AllowHosts []string
}
