package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Config says how requests are made.
type Config struct {
	// Dialer opens connections. Required.
	Dialer *egress.Dialer
	// Proxy names the proxy for a request; nil means none, see
	// [egress.HTTPConfig].
	Proxy func(*http.Request) (*url.URL, error)
}

// Web is the connector http.request.
type Web struct {
	descriptor *connector.Descriptor
	connection connector.ObjectType
	clients    *egress.Clients
}

var _ connector.Connector = (*Web)(nil)

// New returns the connector. Close it after the last call.
func New(config Config) *Web {
	return &Web{
		descriptor: describe(), connection: ConnectionType(),
		clients: egress.NewClients(egress.HTTPConfig{Dialer: config.Dialer, Proxy: config.Proxy}),
	}
}

// Describe returns the descriptor of http.request.
func (w *Web) Describe() *connector.Descriptor { return w.descriptor }

// Close closes idle connections. The connector can still be used.
func (w *Web) Close() error {
	w.clients.CloseIdle()
	return nil
}

// client returns the HTTP client for calls through the connection, which may
// be nil.
func (w *Web) client(conn *connector.Connection, ca string) (*http.Client, error) {
	if conn == nil {
		return w.clients.Client("", nil, "")
	}
	client, err := w.clients.Client(conn.Name, conn.AllowHosts, ca)
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", conn.Name, err)
	}
	return client, nil
}

// Call sends the request.
func (w *Web) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, w.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	var conn connector.Input
	if call.Connection != nil {
		if conn, err = call.Connection.Connect(w.connection); err != nil {
			return connector.Result{}, err
		}
	}
	timeout := in.Duration("timeout")
	if timeout <= 0 || timeout > MaxTimeout {
		return connector.Result{}, connector.Errorf(connector.InvalidInput, "timeout: want more than 0 and at most %s", MaxTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := newRequest(ctx, in, conn, call.IdempotencyKey)
	if err != nil {
		return connector.Result{}, err
	}
	expected, err := newExpectation(in.Get("expected_status"))
	if err != nil {
		return connector.Result{}, err
	}
	client, err := w.client(call.Connection, conn.Text("ca"))
	if err != nil {
		return connector.Result{}, err
	}
	if !in.Bool("follow_redirects") {
		client = egress.WithoutRedirects(client)
	}
	return exchange(client, r, expected, in, call)
}

// exchange sends the request and judges the answer.
func exchange(client *http.Client, r *http.Request, expected expectation, in connector.Input, call connector.Call) (connector.Result, error) {
	result := connector.Result{BytesOut: max(0, r.ContentLength)}
	start := call.Now()
	resp, err := egress.Exchange(client, r, in.Int("max_bytes"))
	var fault *egress.ExchangeError
	switch {
	case errors.As(err, &fault) && fault.Status != 0 && !expected[fault.Status]:
		call.Log(fmt.Sprintf("%s: status %d; the body could not be read: %v", summary(r), fault.Status, fault))
		return result, statusError(r, fault.Status, fault.Header, nil, call.Now())
	case errors.As(err, &fault):
		call.Log(fmt.Sprintf("%s: %v", summary(r), fault))
		return result, callError(r, fault, in)
	case err != nil:
		return result, err
	}
	result.BytesIn = resp.BytesIn
	call.Log(fmt.Sprintf("%s: status %d, %d bytes, %s", summary(r), resp.Status, len(resp.Body), call.Now().Sub(start).Round(time.Millisecond)))
	if !expected[resp.Status] {
		return result, statusError(r, resp.Status, resp.Header, resp.Body, call.Now())
	}
	result.Output, err = output(resp, in.Text("response"))
	if err != nil {
		e := connector.Errorf(egress.NameProtocol, "%s answered %d, but %v", summary(r), resp.Status, err)
		e.Details = value.Object(value.M("status", value.Int(int64(resp.Status))))
		return result, e
	}
	return result, nil
}

// callError turns a fault into the step's error.
func callError(r *http.Request, fault *egress.ExchangeError, in connector.Input) *connector.Error {
	e := &connector.Error{Name: fault.Name}
	switch fault.Name {
	case egress.NameTimeout:
		e.Message = fmt.Sprintf("%s: no complete answer within %s", summary(r), in.Text("timeout"))
	case egress.NameCanceled:
		e.Message = summary(r) + ": the call was canceled"
	case egress.NameTooLarge:
		e.Message = fmt.Sprintf("%s: %v; raise max_bytes if that is right", summary(r), fault)
	default:
		e.Message = fmt.Sprintf("%s: %v", summary(r), fault)
	}
	// The server refused nothing and confirmed nothing: it may have acted.
	e.Unknown = fault.Sent && !idempotent(r.Method) && fault.Name != egress.NameTooLarge
	return e
}
