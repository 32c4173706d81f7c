package transport_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
)

// Names of runs that make the fake do something else than answer.
const (
	missing = "missing" // an error of the API
	broken  = "broken"  // an error that is not for callers
	bad     = "bad"     // a panic
	cut     = "cut"     // a stream that fails after its first message
	endless = "endless" // a stream that lasts until its context ends
)

// fakeRuns answers some methods with what it was asked.
type fakeRuns struct {
	regiev1connect.UnimplementedRunServiceHandler
}

func act(run string) error {
	switch run {
	case missing:
		return problem.New(connect.CodeNotFound, "run_not_found", "no such run", "look")
	case broken:
		return errors.New("secret detail")
	case bad:
		panic("secret panic")
	default:
		return nil
	}
}

func (fakeRuns) StartRun(ctx context.Context, r *regiev1.StartRunRequest) (*regiev1.StartRunResponse, error) {
	info, _ := connect.CallInfoForHandlerContext(ctx)
	info.ResponseHeader().Set("Set-Cookie", "a=b")
	return &regiev1.StartRunResponse{Run: &regiev1.Run{Namespace: r.GetNamespace(), Workflow: r.GetWorkflow()}, Position: 7}, nil
}

func (fakeRuns) GetRun(_ context.Context, r *regiev1.GetRunRequest) (*regiev1.GetRunResponse, error) {
	return &regiev1.GetRunResponse{Run: &regiev1.Run{Id: r.GetRun(), Namespace: r.GetNamespace(), Held: r.GetSteps()}}, act(r.GetRun())
}

func (fakeRuns) GetRunData(_ context.Context, r *regiev1.GetRunDataRequest) (*regiev1.GetRunDataResponse, error) {
	response := &regiev1.GetRunDataResponse{Input: &regiev1.Json{Text: `{"z":1.50,"a":null}`}}
	for _, path := range r.GetPaths() {
		response.Steps = append(response.Steps, &regiev1.StepData{Path: path})
	}
	return response, nil
}

func (fakeRuns) ListEvents(_ context.Context, r *regiev1.ListEventsRequest) (*regiev1.ListEventsResponse, error) {
	return &regiev1.ListEventsResponse{Events: []*regiev1.Event{{Number: r.GetAfter(), Text: r.GetWait().AsDuration().String()}}}, nil
}

func (fakeRuns) Act(_ context.Context, r *regiev1.ActRequest) (*regiev1.ActResponse, error) {
	return &regiev1.ActResponse{Results: []*regiev1.ActResult{{Run: r.GetRun(), Steps: r.GetSteps()}}}, nil
}

func (fakeRuns) WatchRun(ctx context.Context, r *regiev1.WatchRunRequest, s *connect.ServerStream[regiev1.WatchRunResponse]) error {
	if err := act(r.GetRun()); err != nil {
		return err
	}
	for number := r.GetAfter() + 1; number < r.GetAfter()+3; number++ {
		if err := s.Send(&regiev1.WatchRunResponse{Events: []*regiev1.Event{{Number: number}}}); err != nil {
			return err
		}
	}
	if r.GetRun() == endless {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (fakeRuns) DownloadLog(_ context.Context, r *regiev1.DownloadLogRequest, s *connect.ServerStream[httpbody.HttpBody]) error {
	if err := act(r.GetRun()); err != nil {
		return err
	}
	if r.GetRun() == "empty" {
		return nil
	}
	s.ResponseHeader().Set("Content-Disposition", `attachment; filename="log.txt"`)
	if err := s.Send(&httpbody.HttpBody{ContentType: "text/plain; charset=utf-8", Data: []byte("one\n")}); err != nil {
		return err
	}
	if r.GetRun() == cut {
		return errors.New("disk on fire")
	}
	return s.Send(&httpbody.HttpBody{Data: []byte("two\n")})
}

// fakeWorkflows takes large requests.
type fakeWorkflows struct {
	regiev1connect.UnimplementedWorkflowServiceHandler
}

func (fakeWorkflows) Apply(_ context.Context, r *regiev1.ApplyRequest) (*regiev1.ApplyResponse, error) {
	return &regiev1.ApplyResponse{Position: uint64(len(r.GetFiles()[0].GetContent()))}, nil
}

// fakeAccess knows one token, and refuses the namespace "closed" and routes of
// the installation to everybody else than "Bearer root".
type fakeAccess struct {
	mu   sync.Mutex
	seen []string
	// revoke, if set, is where the ends of contexts are put.
	revoke chan context.CancelCauseFunc
}

func (a *fakeAccess) note(what ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, strings.Join(what, " "))
}

type whoKey struct{}

func (a *fakeAccess) Identify(ctx context.Context, route *routes.Route, r transport.Request) (context.Context, error) {
	a.note("identify", route.Name)
	who := r.Header.Get("Authorization")
	if route.Permission != regiev1.Permission_PERMISSION_PUBLIC && who != "Bearer good" && who != "Bearer root" {
		err := problem.New(connect.CodeUnauthenticated, "token_invalid", "who are you?", "send a token")
		err.Meta().Set("Www-Authenticate", "Bearer")
		return nil, err
	}
	if a.revoke != nil {
		var end context.CancelCauseFunc
		ctx, end = context.WithCancelCause(ctx)
		a.revoke <- end
	}
	return context.WithValue(ctx, whoKey{}, who), nil
}

func (a *fakeAccess) Authorize(ctx context.Context, route *routes.Route, namespace string) error {
	a.note("authorize", route.Name, namespace)
	if route.Permission == regiev1.Permission_PERMISSION_PUBLIC || ctx.Value(whoKey{}) == "Bearer root" {
		return nil
	}
	if namespace == "" || namespace == "closed" {
		return problem.New(connect.CodePermissionDenied, "permission_denied", "you may not", "")
	}
	return nil
}

// A server under test.
type server struct {
	*httptest.Server

	access *fakeAccess
	log    *bytes.Buffer
	seen   []transport.Observation
	mu     sync.Mutex
}

// lockedWriter lets handlers log at once.
type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func config(t testing.TB, s *server) transport.Config {
	t.Helper()
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	text := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text+" "+call.From(r.Context()).RequestID)
		})
	}
	return transport.Config{
		Table: table,
		Services: transport.Services{
			Runs: fakeRuns{}, Workflows: fakeWorkflows{},
			Schedules: regiev1connect.UnimplementedScheduleServiceHandler{}, Alerts: regiev1connect.UnimplementedAlertServiceHandler{},
			Identities: regiev1connect.UnimplementedIdentityServiceHandler{}, Audit: regiev1connect.UnimplementedAuditServiceHandler{},
			System: regiev1connect.UnimplementedSystemServiceHandler{}, Tasks: regiev1connect.UnimplementedTaskServiceHandler{}, Limits: regiev1connect.UnimplementedLimitServiceHandler{},
			Signals: regiev1connect.UnimplementedSignalServiceHandler{}, Approvals: regiev1connect.UnimplementedApprovalServiceHandler{},
		},
		Plain: map[string]http.Handler{
			"/healthz": text("ok"), "/readyz": text("ready"), "/metrics": text("metrics"), "/openapi.json": text("{}"),
		},
		Access: s.access, Random: rand.Reader,
		Logger: slog.New(slog.NewJSONHandler(lockedWriter{&s.mu, s.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(o transport.Observation) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, o)
		},
	}
}

// start serves a fake API on loopback, in HTTP/1.1 and HTTP/2.
func start(t testing.TB) *server {
	t.Helper()
	s := &server{access: &fakeAccess{}, log: &bytes.Buffer{}}
	handler, err := transport.New(config(t, s))
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(nil)
	s.Config = transport.NewServer(handler, transport.Listening{Plaintext: true})
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// logged returns what was logged. Close first: the last line comes after the
// answer.
func (s *server) logged() string {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// An answer of plain HTTP.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// do sends a request with a token.
func (s *server) do(t testing.TB, verb, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer root")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(text), err: err}
}
