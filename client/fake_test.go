package client_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
)

// fake is a server that remembers what it is asked and fails as it is told.
type fake struct {
	regiev1connect.UnimplementedRunServiceHandler
	regiev1connect.UnimplementedIdentityServiceHandler

	mu sync.Mutex
	// outages is how many calls to come are answered with "unavailable".
	outages int
	// cuts has after how many messages each stream to come is cut; -1: not at all.
	cuts []int
	// asked has every message of a request, header every token.
	asked  []any
	tokens []string
}

func (f *fake) note(message any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, message)
	if f.outages > 0 {
		f.outages--
		return problem.New(connect.CodeUnavailable, "stopping", "the server is stopping", "try again")
	}
	return nil
}

// requests returns the messages of type T that were asked.
func requests[T any](f *fake) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []T
	for _, m := range f.asked {
		if m, ok := m.(T); ok {
			out = append(out, m)
		}
	}
	return out
}

func (f *fake) StartRun(_ context.Context, r *regiev1.StartRunRequest) (*regiev1.StartRunResponse, error) {
	if r.GetWorkflow() == "wrong" {
		return nil, problem.With(connect.CodeInvalidArgument, "the input is wrong", &regiev1.Problem{
			Code: "input_invalid", Hint: "look at its inputs", Violations: []*regiev1.Violation{{Field: "input.a", Message: "missing"}},
			Diagnostics: []*regiev1.Diagnostic{{File: "w.yaml", Line: 3}},
		})
	}
	return &regiev1.StartRunResponse{Run: &regiev1.Run{Id: "r1", Workflow: r.GetWorkflow()}, Position: 40}, f.note(r)
}

func (f *fake) GetRun(_ context.Context, r *regiev1.GetRunRequest) (*regiev1.GetRunResponse, error) {
	return &regiev1.GetRunResponse{Run: &regiev1.Run{Id: r.GetRun(), State: "running"}}, f.note(r)
}

func (f *fake) ListRuns(_ context.Context, r *regiev1.ListRunsRequest) (*regiev1.ListRunsResponse, error) {
	return &regiev1.ListRunsResponse{Position: 900}, f.note(r)
}

func (f *fake) DeleteGroup(_ context.Context, r *regiev1.DeleteGroupRequest) (*regiev1.DeleteGroupResponse, error) {
	return &regiev1.DeleteGroupResponse{Position: 30}, f.note(r)
}

// stream sends messages 1, 2 ... to the last, or is cut before.
func (f *fake) stream(request any, first, last uint64, send func(uint64) error) error {
	if err := f.note(request); err != nil {
		return err
	}
	f.mu.Lock()
	cut := -1
	if len(f.cuts) > 0 {
		cut, f.cuts = f.cuts[0], f.cuts[1:]
	}
	f.mu.Unlock()
	for n := first; n <= last; n++ {
		if cut == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		cut--
		if err := send(n); err != nil {
			return err
		}
	}
	return nil
}

// lastMessage is the number of the last message of a stream.
const lastMessage = 5

func (f *fake) WatchRun(_ context.Context, r *regiev1.WatchRunRequest, s *connect.ServerStream[regiev1.WatchRunResponse]) error {
	if r.GetRun() == "missing" {
		return problem.New(connect.CodeNotFound, "run_not_found", "no such run", "")
	}
	return f.stream(r, r.GetAfter()+1, lastMessage, func(n uint64) error {
		return s.Send(&regiev1.WatchRunResponse{Events: []*regiev1.Event{{Number: n}}})
	})
}

func (f *fake) WatchRuns(_ context.Context, r *regiev1.WatchRunsRequest, s *connect.ServerStream[regiev1.WatchRunsResponse]) error {
	return f.stream(r, r.GetAfter()+1, lastMessage, func(n uint64) error { return s.Send(&regiev1.WatchRunsResponse{Position: n}) })
}

// WatchLog has one line in each message, of attempts 1 and 2 in turns.
func (f *fake) WatchLog(_ context.Context, r *regiev1.WatchLogRequest, s *connect.ServerStream[regiev1.WatchLogResponse]) error {
	return f.stream(r, uint64(r.GetOffset())+1, lastMessage, func(n uint64) error {
		return s.Send(&regiev1.WatchLogResponse{
			Lines:      []*regiev1.LogLine{{Text: fmt.Sprint(n), Step: "s", Attempt: uint32(n%2) + 1}},
			NextOffset: int64(n),
		})
	})
}

func (f *fake) DownloadLog(_ context.Context, r *regiev1.DownloadLogRequest, s *connect.ServerStream[httpbody.HttpBody]) error {
	return f.stream(r, 1, 3, func(n uint64) error { return s.Send(&httpbody.HttpBody{Data: fmt.Append(nil, n, "\n")}) })
}

// Identify implements transport.Access.
func (f *fake) Identify(ctx context.Context, _ *routes.Route, r transport.Request) (context.Context, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	return ctx, nil
}

// Authorize implements transport.Access.
func (*fake) Authorize(context.Context, *routes.Route, string) error { return nil }

// handler serves the fake as the real API is served.
func (f *fake) handler() http.Handler {
	table, err := routes.Load()
	if err != nil {
		panic(err)
	}
	none := http.NotFoundHandler()
	h, err := transport.New(transport.Config{
		Table: table, Access: f, Logger: slog.New(slog.DiscardHandler), Random: rand.Reader,
		Services: transport.Services{
			Runs: f, Identities: f,
			Workflows: regiev1connect.UnimplementedWorkflowServiceHandler{}, Schedules: regiev1connect.UnimplementedScheduleServiceHandler{},
			Alerts: regiev1connect.UnimplementedAlertServiceHandler{}, Audit: regiev1connect.UnimplementedAuditServiceHandler{},
			System: regiev1connect.UnimplementedSystemServiceHandler{}, Tasks: regiev1connect.UnimplementedTaskServiceHandler{}, Limits: regiev1connect.UnimplementedLimitServiceHandler{},
			Signals: regiev1connect.UnimplementedSignalServiceHandler{}, Approvals: regiev1connect.UnimplementedApprovalServiceHandler{},
		},
		Plain: map[string]http.Handler{"/healthz": none, "/readyz": none, "/metrics": none, "/openapi.json": none},
	})
	if err != nil {
		panic(err)
	}
	return h
}

// serve serves the fake on loopback or, with a listener, there.
func (f *fake) serve(listener net.Listener) *httptest.Server {
	server := httptest.NewUnstartedServer(nil)
	server.Config = transport.NewServer(f.handler(), transport.Listening{Plaintext: true})
	if listener != nil {
		_ = server.Listener.Close()
		server.Listener = listener
	}
	server.Start()
	return server
}

// quick repeats without a pause that a test would feel.
var quick = client.Retry{Tries: 3, First: time.Microsecond, Most: time.Microsecond}

func start(t *testing.T) (*fake, *client.Client) {
	t.Helper()
	f := &fake{}
	server := f.serve(nil)
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Server: server.URL, Token: "secret", Retry: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return f, c
}
