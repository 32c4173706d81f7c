package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/problem"
)

// An exchange is what the steps of one request tell each other. One goroutine
// uses it at a time.
type exchange struct {
	info call.Info
	// entered says that the guard has the request, authorized that it let it pass.
	entered, authorized bool
	// rest takes the answer of a REST request instead of connect.
	rest *sink
	// sent is the error that the client gets, hidden the one that only the log
	// gets, with the stack if it was a panic.
	sent   *connect.Error
	hidden error
	stack  []byte
	// cut says that the answer was ended in the middle.
	cut bool
}

type exchangeKey struct{}

// exchangeOf returns the exchange of a call, or an error if the call did not come
// through the Handler.
func exchangeOf(ctx context.Context, procedure string) (*exchange, error) {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x == nil || x.info.Route == nil || x.info.Route.Procedure() != procedure {
		return nil, problem.New(connect.CodeInternal, problem.CodeInternal, procedure+" was not called through its route", "")
	}
	return x, nil
}

// A guard stands before every method: nobody passes without Access, no panic and
// no error leaves without its problem.
type guard struct{ access Access }

var _ connect.Interceptor = (*guard)(nil)

// pass lets a message in or says why not.
func (g *guard) pass(ctx context.Context, x *exchange, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("request of type %T is no message", message)
	}
	if err := codec.Fault(m); err != nil {
		return err
	}
	route := x.info.Route
	if err := g.access.Authorize(ctx, route, route.Namespace(m)); err != nil {
		return err
	}
	x.authorized = true
	return nil
}

// finish makes of an error or panic what the client gets.
func finish(ctx context.Context, x *exchange, panicked any, err error) error {
	if panicked == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like that
		panic(panicked)
	}
	if panicked != nil {
		err, x.stack = fmt.Errorf("panic: %v", panicked), debug.Stack()
	}
	if err == nil {
		return nil
	}
	sent, hidden := problem.Complete(ctx, err, x.info.RequestID)
	x.sent = sent
	if hidden {
		x.hidden = err
	}
	return sent
}

// WrapUnary implements connect.Interceptor.
func (g *guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (response connect.AnyResponse, err error) {
		x, err := exchangeOf(ctx, request.Spec().Procedure)
		if err != nil {
			return nil, err
		}
		x.entered = true
		defer func() { err = finish(ctx, x, recover(), err) }()
		if err := g.pass(ctx, x, request.Any()); err != nil {
			return nil, err
		}
		response, err = next(ctx, request)
		if err == nil && x.rest != nil {
			x.rest.message, _ = response.Any().(proto.Message)
		}
		return response, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (g *guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) (err error) {
		x, err := exchangeOf(ctx, conn.Spec().Procedure)
		if err != nil {
			return err
		}
		x.entered = true
		defer func() { err = finish(ctx, x, recover(), err) }()
		return next(ctx, &guardedConn{StreamingHandlerConn: conn, ctx: ctx, guard: g, exchange: x})
	}
}

// WrapStreamingClient implements connect.Interceptor: there are no clients here.
func (*guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// guardedConn lets the one message of a stream's request pass the guard before
// the handler sees it.
type guardedConn struct {
	connect.StreamingHandlerConn

	ctx      context.Context //nolint:containedctx // lives as long as the call
	guard    *guard
	exchange *exchange
}

// Receive implements connect.StreamingHandlerConn.
func (c *guardedConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		if errors.Is(err, io.EOF) {
			return err //nolint:wrapcheck // connect compares it
		}
		return malformed(err)
	}
	if c.exchange.authorized {
		return malformed(errors.New("there is a second message"))
	}
	return c.guard.pass(c.ctx, c.exchange, message)
}

// Send implements connect.StreamingHandlerConn.
func (c *guardedConn) Send(message any) error {
	switch {
	case !c.exchange.authorized:
		return errors.New("an answer before the request was let in")
	case c.exchange.rest != nil:
		return c.exchange.rest.send(c.ResponseHeader(), message)
	default:
		return c.StreamingHandlerConn.Send(message)
	}
}
