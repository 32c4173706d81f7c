package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/openapi/openapitest"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server"
)

// patience bounds what a test waits for. It is only used up by a test that
// fails.
const patience = 30 * time.Second

// world is a whole server in this process, with its supervisor and its admin.
type world struct {
	options

	url     string
	admin   *client
	token   string // of the admin
	log     *book
	server  *server.Server
	openapi *openapitest.Checker

	supervisor *crew
	stop       context.CancelFunc
	served     chan error
	transport  *http.Transport // HTTP/2 without TLS, which gRPC needs
	plain      *http.Transport
}

// options say how a world differs.
type options struct {
	dir    string
	clock  clock.Clock
	config func(*server.Config)
	// with takes the supervisor and the admin's token of a server that was
	// there before, on the same folder.
	with *world
}

// crew is a supervisor, a process of its own: this program again.
type crew struct {
	socket string
	cmd    *exec.Cmd
}

// book takes what is logged.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// crewVariable has this program be the supervisor of the folder that it names.
const crewVariable = "SERVER_TEST_SUPERVISOR"

// beCrew is what the command of the same name does.
func beCrew(dir string) error {
	return supervisor.Serve(context.Background(), supervisor.Config{Dir: dir, Environ: []string{"PATH=" + os.Getenv("PATH")}})
}

func startCrew(dir string) (*crew, error) {
	c := &crew{socket: supervisor.SocketIn(dir), cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), crewVariable+"="+dir)
	c.cmd.Stderr = os.Stderr
	return c, c.cmd.Start()
}

// open starts a server. Whoever calls it closes it.
func open(o options) (_ *world, err error) {
	w := &world{options: o, log: &book{}, served: make(chan error, 1)}
	if w.openapi, err = openapitest.NewChecker(); err != nil {
		return nil, err
	}
	if o.with != nil {
		w.supervisor, w.token, w.log = o.with.supervisor, o.with.token, o.with.log
	} else {
		if w.supervisor, err = startCrew(filepath.Join(o.dir, "crew")); err != nil {
			return nil, err
		}
	}
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	w.transport, w.plain = &http.Transport{Protocols: h2c}, &http.Transport{MaxIdleConnsPerHost: 20}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	ready := make(chan server.Ready, 1)
	cfg := server.Config{
		Dir: filepath.Join(o.dir, "data"), Listen: "127.0.0.1:0", Build: "test", Version: "test", Holder: "the test's server",
		Environ: []string{"PATH=" + os.Getenv("PATH")}, Supervisor: server.Supervisor{Socket: w.supervisor.socket},
		Secrets: filepath.Join(o.dir, "secrets"), Clock: o.clock, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Ready: func(r server.Ready) { ready <- r },
	}
	if o.config != nil {
		o.config(&cfg)
	}
	if w.server, err = openServer(ctx, cfg); err != nil {
		stop()
		return nil, errors.Join(err, w.supervisor.close())
	}
	go func() { w.served <- w.server.Serve(ctx) }()
	select {
	case r := <-ready:
		w.url = r.URL
		return w, w.begin(ctx, r.AdminToken)
	case err := <-w.served:
		w.served <- err
		return nil, errors.Join(err, w.close())
	}
}

// openServer opens a server as soon as its supervisor listens.
func openServer(ctx context.Context, cfg server.Config) (*server.Server, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	looks := time.NewTicker(time.Millisecond)
	defer looks.Stop()
	for {
		if _, err := os.Stat(cfg.Supervisor.Socket); err == nil || cfg.Supervisor.Socket == "" {
			return server.Open(ctx, cfg)
		}
		select {
		case <-looks.C:
		case <-late.C:
			return nil, errors.New("the supervisor does not listen")
		}
	}
}

// begin logs in with the token of the first start.
func (w *world) begin(ctx context.Context, adminToken string) error {
	if w.token == "" {
		answer, err := w.as("").identities.Login(ctx, &regiev1.LoginRequest{Password: adminToken, TokenName: "test"})
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		w.token = answer.GetSecret()
	}
	w.admin = w.as(w.token)
	return nil
}

// end takes the server down, and leaves the supervisor with its tasks.
// Idempotent.
func (w *world) end() error {
	w.stop()
	ended := <-w.served
	w.served <- ended
	err := errors.Join(ended, w.server.Close())
	w.transport.CloseIdleConnections()
	w.plain.CloseIdleConnections()
	return err
}

func (w *world) close() error { return errors.Join(w.end(), w.supervisor.close()) }

// close kills the supervisor; its tasks are over, or end by themselves.
func (c *crew) close() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = c.cmd.Wait() // it was killed
	return nil
}

// start starts a server for one test.
func start(t *testing.T, o options) *world {
	t.Helper()
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	w, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w == nil {
			return
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// client speaks to the server as somebody.
type client struct {
	token      string
	http       *http.Client
	runs       regiev1connect.RunServiceClient
	workflows  regiev1connect.WorkflowServiceClient
	schedules  regiev1connect.ScheduleServiceClient
	alerts     regiev1connect.AlertServiceClient
	identities regiev1connect.IdentityServiceClient
	audit      regiev1connect.AuditServiceClient
	system     regiev1connect.SystemServiceClient
	tasks      regiev1connect.TaskServiceClient
}

// bearer adds a token to requests.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// as returns a client with a token, empty for none, and a protocol of connect's.
func (w *world) as(token string, options ...connect.ClientOption) *client {
	h := &http.Client{Transport: bearer{token, w.transport}}
	return &client{
		token: token, http: h,
		runs: regiev1connect.NewRunServiceClient(h, w.url, options...), workflows: regiev1connect.NewWorkflowServiceClient(h, w.url, options...),
		schedules: regiev1connect.NewScheduleServiceClient(h, w.url, options...), alerts: regiev1connect.NewAlertServiceClient(h, w.url, options...),
		identities: regiev1connect.NewIdentityServiceClient(h, w.url, options...), audit: regiev1connect.NewAuditServiceClient(h, w.url, options...),
		system: regiev1connect.NewSystemServiceClient(h, w.url, options...), tasks: regiev1connect.NewTaskServiceClient(h, w.url, options...),
	}
}

// answer is an answer of REST.
type answer struct {
	status int
	header http.Header
	body   string
}

// rest makes a request of REST, with the path as it is given, and checks the
// answer against the document of the API.
func (w *world) rest(t *testing.T, token, verb, path, body string, header ...string) answer {
	t.Helper()
	a := w.raw(t, token, verb, path, body, header...)
	bare, _, _ := strings.Cut(path, "?")
	if err := w.openapi.Check(verb, bare, a.status, []byte(a.body)); err != nil {
		t.Errorf("not as documented: %v", err)
	}
	return a
}

// raw makes a request; header are names and values in turn.
func (w *world) raw(t *testing.T, token, verb, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, w.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	bare, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = "//"+r.URL.Host+bare, query // as it is, without cleaning
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		switch {
		case header[i+1] == "":
			r.Header.Del(header[i])
		case header[i] == "Host":
			r.Host = header[i+1]
		default:
			r.Header.Add(header[i], header[i+1])
		}
	}
	response, err := (&http.Client{Transport: w.plain, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// namespace makes a namespace.
func (w *world) namespace(t *testing.T, name string) {
	t.Helper()
	if _, err := w.admin.identities.PutNamespace(t.Context(), &regiev1.PutNamespaceRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
}

// user makes a user with grants, as role@namespace, and returns a client with a
// token of theirs.
func (w *world) user(t *testing.T, name string, grants ...string) *client {
	t.Helper()
	if _, err := w.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: name, Grants: grantsOf(grants...)}); err != nil {
		t.Fatal(err)
	}
	return w.as(w.newToken(t, &regiev1.CreateTokenRequest{User: name}))
}

// newToken makes a token.
func (w *world) newToken(t *testing.T, q *regiev1.CreateTokenRequest) string {
	t.Helper()
	q.Name = "test"
	made, err := w.admin.identities.CreateToken(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSecret()
}

func grantsOf(texts ...string) []*regiev1.Grant {
	var out []*regiev1.Grant
	for _, text := range texts {
		role, namespace, _ := strings.Cut(text, "@")
		out = append(out, &regiev1.Grant{Role: role, Namespace: namespace})
	}
	return out
}

// apply stores definitions.
func (w *world) apply(t *testing.T, namespace, text string) *regiev1.ApplyResponse {
	t.Helper()
	a, err := w.admin.workflows.Apply(t.Context(), definitions(namespace, text))
	if err != nil {
		t.Fatalf("apply: %v: %v", err, problem.Of(err))
	}
	return a
}

// definitions is a request to apply one file.
func definitions(namespace, text string) *regiev1.ApplyRequest {
	return &regiev1.ApplyRequest{Namespace: namespace, Files: []*regiev1.SourceFile{{Path: "w.yaml", Content: []byte(text), Definition: true}}}
}

// begun starts a run.
func (w *world) begun(t *testing.T, q *regiev1.StartRunRequest) *regiev1.Run {
	t.Helper()
	a, err := w.admin.runs.StartRun(t.Context(), q)
	if err != nil {
		t.Fatalf("start: %v: %v", err, problem.Of(err))
	}
	return a.GetRun()
}

// ended waits for the end of a run and returns its events.
func (w *world) ended(t *testing.T, namespace, run string) []*regiev1.Event {
	t.Helper()
	return w.until(t, namespace, run, func(*regiev1.Event) bool { return false })
}

// until waits for an event of a run, or its end, and returns the events so far.
func (w *world) until(t *testing.T, namespace, run string, wanted func(*regiev1.Event) bool) []*regiev1.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := w.admin.runs.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: namespace, Run: run})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var out []*regiev1.Event
	for stream.Receive() {
		for _, e := range stream.Msg().GetEvents() {
			if out = append(out, e); wanted(e) {
				return out
			}
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("watch run %s: %v", run, err)
	}
	return out
}

// checkError checks kind and stable code of an error.
func checkError(t *testing.T, err error, code connect.Code, name string) {
	t.Helper()
	p := problem.Of(err)
	if connect.CodeOf(err) != code || p.GetCode() != name || len(p.GetRequestId()) < 8 {
		t.Errorf("got %v with problem %v, want %s and %s", err, p, code, name)
	}
}

// eventually waits until something is so that nobody tells of.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	looks := time.NewTicker(5 * time.Millisecond)
	defer looks.Stop()
	for !so() {
		select {
		case <-looks.C:
		case <-late.C:
			t.Fatalf("not so in time: %s", what)
		}
	}
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// far is an instant that tests do not see.
func far() *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(300 * 24 * time.Hour)) }

// restart ends the server and starts it again on the same folder; tasks go on
// meanwhile. The clock and the configuration may be others.
func (w *world) restart(t *testing.T, o options) {
	t.Helper()
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	o.dir, o.with = w.dir, w
	again, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
}

func lower(text string) string { return strings.ToLower(text) }

func base64URL(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) }

// jsonText is a text as JSON has it.
func jsonText(text string) string {
	out, _ := json.Marshal(text) // texts have a form
	return string(out)
}

func pathText(text string) string { return url.PathEscape(text) }
