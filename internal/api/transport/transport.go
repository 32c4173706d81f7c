package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
)

// CompressFrom is the size in bytes from which answers are compressed for
// clients of connect and gRPC that ask for it.
const CompressFrom = 1024

// Access decides who may call what. It is asked for every request. Safe for
// concurrent use.
type Access interface {
	// Identify says who calls, and puts that into the context, which handlers get.
	// It is also asked for public routes, and then refuses nobody for having no
	// credentials. Where the context it returns ends before the request, so does
	// the request; a cause that is an error of the API is what the client is told.
	Identify(ctx context.Context, route *routes.Route, request Request) (context.Context, error)
	// Authorize refuses callers who may not call the route in the namespace: the
	// field of the request that the route names, "-" for all if the route takes
	// many, empty for routes of the installation.
	Authorize(ctx context.Context, route *routes.Route, namespace string) error
}

// Request is what is known of a request before its body is read.
type Request struct {
	// Host is the one that the client meant to reach.
	Host string
	// Header as it was sent.
	Header http.Header
	// Remote is the address of the other end of the connection, with its port.
	Remote string
	// TLS says that the connection is encrypted.
	TLS bool
}

// Observation is a request that has ended, for metrics.
type Observation struct {
	// Route is its name in the table, empty if there was none.
	Route string
	// Protocol is connect, grpc, grpc-web, rest or http.
	Protocol string
	// Code is ok or the code of the error, such as not_found.
	Code string
	// Duration is how long it took.
	Duration time.Duration
}

// Services are the handlers of the API. All are needed.
type Services struct {
	Runs       regiev1connect.RunServiceHandler
	Workflows  regiev1connect.WorkflowServiceHandler
	Schedules  regiev1connect.ScheduleServiceHandler
	Alerts     regiev1connect.AlertServiceHandler
	Identities regiev1connect.IdentityServiceHandler
	Audit      regiev1connect.AuditServiceHandler
	System     regiev1connect.SystemServiceHandler
	Tasks      regiev1connect.TaskServiceHandler
	Limits     regiev1connect.LimitServiceHandler
	Signals    regiev1connect.SignalServiceHandler
	Approvals  regiev1connect.ApprovalServiceHandler
}

// Config is what a Handler is made of.
type Config struct {
	// Table has the routes. Needed.
	Table *routes.Table
	// Services answer the methods. Needed.
	Services Services
	// Plain has a handler for each plain route of the table, by path.
	Plain map[string]http.Handler
	// Access decides who may call what. Needed.
	Access Access
	// Logger gets a line for each request: Debug for reads, Info for writes and
	// refusals, Error for internal errors. Needed.
	Logger *slog.Logger
	// Random is where IDs of requests come from, such as crypto/rand.Reader. Needed.
	Random io.Reader
	// Observe is told of each request that has ended, if it is set.
	Observe func(Observation)
}

// A Handler serves the API. Safe for concurrent use.
type Handler struct {
	cfg    Config
	byName map[string]http.Handler // by the name of the service
	errors *connect.ErrorWriter
}

var _ http.Handler = (*Handler)(nil)

// New makes the handler. An error says what of the configuration is missing.
func New(cfg Config) (*Handler, error) {
	if cfg.Table == nil || cfg.Access == nil || cfg.Logger == nil || cfg.Random == nil {
		return nil, errors.New("make the API's handler: it needs a table, access, a logger and a source of randomness")
	}
	h := &Handler{cfg: cfg, byName: map[string]http.Handler{}, errors: connect.NewErrorWriter()}
	h.mount(cfg.Services)
	plain := 0
	for _, r := range cfg.Table.Routes() {
		if r.Method == nil {
			plain++
			if cfg.Plain[r.Name] == nil {
				return nil, fmt.Errorf("make the API's handler: nothing serves %s", r.Name)
			}
		} else if h.service(r) == nil {
			return nil, fmt.Errorf("make the API's handler: nothing serves %s", r.Name)
		}
	}
	if plain != len(cfg.Plain) {
		return nil, errors.New("make the API's handler: a plain handler has a path that is not in the table of routes")
	}
	return h, nil
}

// mount makes connect's handlers.
func (h *Handler) mount(s Services) {
	options := connect.WithHandlerOptions(
		connect.WithInterceptors(&guard{access: h.cfg.Access}),
		connect.WithCodec(codec.Binary{}),
		connect.WithCodec(codec.JSON{}),
		connect.WithCodec(codec.JSON{As: "json; charset=utf-8"}),
		connect.WithCompressMinBytes(CompressFrom),
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			limit := routes.MaxBody
			if match, _ := h.cfg.Table.Lookup(http.MethodPost, spec.Procedure); match.Route != nil {
				limit = match.Route.MaxBody
			}
			return []connect.HandlerOption{connect.WithReadMaxBytes(limit)}
		}),
	)
	put := func(path string, handler http.Handler) { h.byName[strings.Trim(path, "/")] = handler }
	if s.Runs != nil {
		put(regiev1connect.NewRunServiceHandler(s.Runs, options))
	}
	if s.Workflows != nil {
		put(regiev1connect.NewWorkflowServiceHandler(s.Workflows, options))
	}
	if s.Schedules != nil {
		put(regiev1connect.NewScheduleServiceHandler(s.Schedules, options))
	}
	if s.Alerts != nil {
		put(regiev1connect.NewAlertServiceHandler(s.Alerts, options))
	}
	if s.Identities != nil {
		put(regiev1connect.NewIdentityServiceHandler(s.Identities, options))
	}
	if s.Audit != nil {
		put(regiev1connect.NewAuditServiceHandler(s.Audit, options))
	}
	if s.System != nil {
		put(regiev1connect.NewSystemServiceHandler(s.System, options))
	}
	if s.Tasks != nil {
		put(regiev1connect.NewTaskServiceHandler(s.Tasks, options))
	}
	if s.Limits != nil {
		put(regiev1connect.NewLimitServiceHandler(s.Limits, options))
	}
	if s.Signals != nil {
		put(regiev1connect.NewSignalServiceHandler(s.Signals, options))
	}
	if s.Approvals != nil {
		put(regiev1connect.NewApprovalServiceHandler(s.Approvals, options))
	}
}

// service returns what serves a method, or nil.
func (h *Handler) service(r *routes.Route) http.Handler {
	return h.byName[string(r.Method.Parent().FullName())]
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	start := time.Now()
	x := &exchange{info: call.Info{RequestID: h.requestID(r.Header), Protocol: "http", Remote: r.RemoteAddr}}
	w := newWriter(rw, x)
	defer w.end()
	defer func() { h.report(r, x, w, time.Since(start)) }()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like that
			x.cut = true
			panic(p)
		}
		x.hidden, x.stack = fmt.Errorf("panic: %v", p), debug.Stack()
		w.hold = false
		if w.started {
			panic(http.ErrAbortHandler) // what was sent so far must not pass for all
		}
		h.fail(w, r, x, 0, x.hidden)
	}()
	header := w.Header()
	header.Set("X-Request-Id", x.info.RequestID)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	header.Set("Referrer-Policy", "no-referrer")
	h.serve(w, r, x)
}

// serve finds the route, asks who calls, and hands over to the protocol.
func (h *Handler) serve(w *writer, r *http.Request, x *exchange) {
	match, allow := h.cfg.Table.Lookup(r.Method, r.URL.EscapedPath())
	if match.Route == nil {
		h.noRoute(w, r, x, allow)
		return
	}
	x.info.Route, x.info.Protocol = match.Route, protocol(r, match)
	ctx := context.WithValue(call.With(r.Context(), x.info), exchangeKey{}, x)
	ctx, err := h.cfg.Access.Identify(ctx, match.Route, Request{
		Host: r.Host, Header: r.Header, Remote: r.RemoteAddr, TLS: r.TLS != nil,
	})
	if err != nil {
		h.fail(w, r, x, 0, err)
		return
	}
	r = r.WithContext(ctx)
	switch {
	case match.Route.Method == nil:
		h.servePlain(w, r, x, match.Route)
	case match.Binding == nil:
		h.serveProcedure(w, r, x, match.Route)
	default:
		h.serveREST(w, r, x, match)
	}
}

// noRoute answers a request that fits no route: 404, or 405 when the path has
// other methods.
func (h *Handler) noRoute(w *writer, r *http.Request, x *exchange, allow []string) {
	if len(allow) == 0 {
		h.fail(w, r, x, http.StatusNotFound, problem.New(connect.CodeNotFound, problem.CodeNoRoute,
			"there is no such route", "/openapi.json lists those of REST; paths are compared letter by letter"))
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	h.fail(w, r, x, http.StatusMethodNotAllowed, problem.New(connect.CodeUnimplemented, problem.CodeMethod,
		"this route is not called with "+strings.ToValidUTF8(r.Method, "?"), "use "+strings.Join(allow, " or ")))
}

// protocol names the protocol of a request that has a route.
func protocol(r *http.Request, match routes.Match) string {
	mediaType := strings.ToLower(r.Header.Get("Content-Type"))
	switch {
	case match.Binding != nil:
		return "rest"
	case match.Route.Method == nil:
		return "http"
	case strings.HasPrefix(mediaType, "application/grpc-web"):
		return "grpc-web"
	case strings.HasPrefix(mediaType, "application/grpc"):
		return "grpc"
	default:
		return "connect"
	}
}

// servePlain serves a route that is no method.
func (h *Handler) servePlain(w *writer, r *http.Request, x *exchange, route *routes.Route) {
	if err := h.cfg.Access.Authorize(r.Context(), route, ""); err != nil {
		h.fail(w, r, x, 0, err)
		return
	}
	w.leaveBody(r)
	r.Body = http.NoBody
	h.cfg.Plain[route.Name].ServeHTTP(w, r)
}

// serveProcedure serves connect, gRPC and gRPC-Web.
func (h *Handler) serveProcedure(w *writer, r *http.Request, x *exchange, route *routes.Route) {
	if r.Method == http.MethodPost && !procedureType(r.Header, route.Stream()) {
		h.fail(w, r, x, http.StatusUnsupportedMediaType, unsupported(
			"send application/json or application/proto, for streams application/connect+json or application/connect+proto, or gRPC"))
		return
	}
	if r.ContentLength > int64(route.MaxBody)+envelopeSize {
		h.fail(w, r, x, http.StatusRequestEntityTooLarge, tooLarge(route.MaxBody))
		return
	}
	sent := &body{}
	if r.Method == http.MethodGet {
		if err := noBody(r); err != nil {
			h.fail(w, r, x, 0, err)
			return
		}
	} else {
		sent = w.limit(r, route, envelopeSize)
	}
	// Until the guard has the request, all that connect writes is an error of its
	// own, without a problem.
	before := w.Header().Clone()
	w.hold = true
	h.service(route).ServeHTTP(w, r)
	w.hold = false
	if x.entered {
		return
	}
	err := w.heldError(sent, route.MaxBody)
	clear(w.Header())
	maps.Copy(w.Header(), before)
	h.fail(w, r, x, 0, err)
}

// fail answers with an error, in the form of the request's protocol. A status of
// 0 stands for that of the error's code.
func (h *Handler) fail(w *writer, r *http.Request, x *exchange, status int, err error) {
	sent, hidden := problem.Complete(r.Context(), err, x.info.RequestID)
	x.sent = sent
	if hidden && x.hidden == nil {
		x.hidden = err
	}
	w.leaveBody(r)
	maps.Copy(w.Header(), sent.Meta())
	route := x.info.Route
	if route != nil && route.Method != nil && x.info.Protocol != "rest" &&
		status != http.StatusUnsupportedMediaType && h.errors.IsSupported(r) {
		_ = h.errors.Write(w, r, sent) // the client is gone
		return
	}
	if status == 0 {
		status = problem.Status(sent.Code())
	}
	body, e := problem.JSON(sent)
	if e != nil {
		panic(e) // nothing in it comes from outside
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // likewise
}

// report logs the request and tells of it.
func (h *Handler) report(r *http.Request, x *exchange, w *writer, took time.Duration) {
	code, route := "ok", ""
	if x.sent != nil {
		code = x.sent.Code().String()
	} else if x.cut {
		code = connect.CodeUnknown.String()
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.info.RequestID),
		slog.String("protocol", x.info.Protocol),
		slog.String("code", code),
		slog.Int("status", w.status),
		slog.Duration("duration", took),
		slog.String("remote", r.RemoteAddr),
	}
	level := slog.LevelDebug
	if x.info.Route != nil {
		route = x.info.Route.Name
		attrs = append(attrs, slog.String("route", route))
		if x.info.Route.Write || x.sent != nil {
			level = slog.LevelInfo
		}
	}
	if x.hidden != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", x.hidden.Error()))
	}
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	h.cfg.Logger.LogAttrs(r.Context(), level, "request", attrs...)
	if h.cfg.Observe != nil {
		h.cfg.Observe(Observation{Route: route, Protocol: x.info.Protocol, Code: code, Duration: took})
	}
}
