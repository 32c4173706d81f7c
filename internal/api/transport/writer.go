package transport

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
)

const (
	// BodyTimeout bounds the time in which a request's body must arrive;
	// HeaderTimeout does for public routes.
	BodyTimeout = 5 * time.Minute
	// WriteTimeout bounds how long one write of an answer waits for the client.
	WriteTimeout = time.Minute
	// envelopeSize is what protocols put around a message: five bytes in gRPC and
	// streams of connect, and room for a second envelope to be found wrong.
	envelopeSize = 64
	// maxHeld bounds what is kept of an error that connect writes by itself.
	maxHeld = 8 << 10
)

// A writer passes an answer on, with a deadline for each write, and knows whether
// it began.
type writer struct {
	http.ResponseWriter

	control  *http.ResponseController
	exchange *exchange
	started  bool
	status   int
	// hold keeps back what is written until the guard has the request.
	hold bool
	held []byte
	// limited says that the body is read by somebody, within its bounds.
	limited bool
}

func newWriter(w http.ResponseWriter, x *exchange) *writer {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // of the request before on this connection
	return &writer{ResponseWriter: w, control: control, exchange: x}
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// holding says that what is written now is kept back.
func (w *writer) holding() bool { return w.hold && !w.exchange.entered }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.holding() {
		return
	}
	if !w.started {
		w.started, w.status = true, status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if w.holding() {
		if room := maxHeld - len(w.held); room > 0 {
			w.held = append(w.held, p[:min(len(p), room)]...)
		}
		return len(p), nil
	}
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	w.deadline()
	defer w.noDeadline()
	return w.ResponseWriter.Write(p) //nolint:gosec // JSON and downloads, which browsers are told not to show
}

// Flush implements http.Flusher.
func (w *writer) Flush() {
	if w.holding() {
		return
	}
	if !w.started {
		w.started, w.status = true, http.StatusOK
	}
	w.deadline()
	defer w.noDeadline()
	_ = w.control.Flush() // the next write says so
}

// Deadlines are set around each write: on HTTP/2 one that passes between two
// messages would end the stream. Not every ResponseWriter has them.
func (w *writer) deadline()   { _ = w.control.SetWriteDeadline(time.Now().Add(WriteTimeout)) }
func (w *writer) noDeadline() { _ = w.control.SetWriteDeadline(time.Time{}) }

// end bounds what net/http does after the handler.
func (w *writer) end() { w.deadline() }

// limit bounds the body of a request in size, with an envelope around it, and in
// time. Strangers get less of both.
func (w *writer) limit(r *http.Request, route *routes.Route, envelope int) *body {
	b := &body{
		ReadCloser: http.MaxBytesReader(w.ResponseWriter, r.Body, int64(route.MaxBody+envelope)),
		control:    w.control,
	}
	timeout := BodyTimeout
	if route.Permission == regiev1.Permission_PERMISSION_PUBLIC {
		timeout = HeaderTimeout
	}
	_ = w.control.SetReadDeadline(time.Now().Add(timeout))
	r.Body = b
	w.limited = true
	return b
}

// leaveBody keeps net/http from reading a body that nobody wants before it
// answers: a client that sends nothing would hold the connection. HTTP/2 does not
// read ahead like that.
func (w *writer) leaveBody(r *http.Request) {
	if !w.limited && r.ProtoMajor == 1 && r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// A body is that of a request. It remembers that it was too large, and lifts the
// deadline at its end.
type body struct {
	io.ReadCloser

	control *http.ResponseController
	large   bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.As(err, &large):
		b.large = true
	}
	return n, err
}

// heldError is the error that connect wrote by itself.
func (w *writer) heldError(b *body, limit int) error {
	if b.large {
		return tooLarge(limit)
	}
	var wire struct {
		Code    connect.Code `json:"code"`
		Message string       `json:"message"`
	}
	header := w.Header()
	for _, prefix := range []string{"", http.TrailerPrefix} {
		if code, err := strconv.Atoi(header.Get(prefix + "Grpc-Status")); err == nil {
			wire.Code = connect.Code(code)
			wire.Message, _ = url.PathUnescape(header.Get(prefix + "Grpc-Message"))
		}
	}
	if wire.Code == 0 && json.Unmarshal(w.held, &wire) != nil {
		wire.Message = "the request could not be read"
	}
	switch {
	case wire.Code == connect.CodeResourceExhausted:
		return tooLarge(limit)
	case wire.Code == connect.CodeUnimplemented && strings.Contains(wire.Message, "compression"):
		return unsupported("compress with gzip or not at all: " + wire.Message)
	default:
		return malformed(errors.New(wire.Message))
	}
}

func malformed(err error) error {
	var known *connect.Error
	if errors.As(err, &known) && known.Code() == connect.CodeResourceExhausted {
		return problem.New(connect.CodeResourceExhausted, problem.CodeTooLarge, known.Message(), "send less at a time")
	}
	message := err.Error()
	if known != nil {
		message = known.Message()
	}
	return problem.New(connect.CodeInvalidArgument, problem.CodeMalformed, "read the request: "+message, "")
}

func tooLarge(limit int) error {
	return problem.New(connect.CodeResourceExhausted, problem.CodeTooLarge,
		"the request is larger than "+strconv.Itoa(limit>>10)+" KiB, which is the most that this method takes", "send less at a time")
}

func unsupported(hint string) error {
	return problem.New(connect.CodeInvalidArgument, problem.CodeMediaType, "the media type of the request is not supported", hint)
}
