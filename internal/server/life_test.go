package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server"
)

// shifted is the machine's clock, so much ahead.
type shifted struct {
	clock.Real

	by time.Duration
}

// Now is the shifted time.
func (s shifted) Now() time.Time { return s.Real.Now().Add(s.by) }

// AfterFunc calls f at the shifted instant.
func (s shifted) AfterFunc(at time.Time, f func()) func() bool {
	return s.Real.AfterFunc(at.Add(-s.by), f)
}

// TestRestart: what runs in a process goes on while the server is away, and is
// found again with all that it printed; timers fire.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "restart")
	gate := filepath.Join(t.TempDir(), "gate")
	w.apply(t, "restart", "kind: Workflow\nname: long\nsteps:\n  - {id: a, run: \"echo before; while ! test -e "+gate+"; do sleep 0.01; done; echo after\"}\n  - {id: b, wait: {for: 1h}}\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "restart", Workflow: "long"}).GetId()
	logged := func() string {
		return w.raw(t, w.token, "GET", "/v1/namespaces/restart/runs/"+run+"/log/text?step=a", "").body
	}
	w.until(t, "restart", run, func(e *regiev1.Event) bool { return e.GetType() == "attempt" })
	eventually(t, "it has begun", func() bool { return logged() == "before\n" })
	before, err := w.admin.audit.GetCheckpoint(t.Context(), &regiev1.GetCheckpointRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := open(options{dir: w.dir, with: w, clock: shifted{by: 2 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
	events := w.until(t, "restart", run, func(e *regiev1.Event) bool { return e.GetType() == "timer_set" })
	if attempts := count(events, "attempt"); attempts != 1 {
		t.Errorf("step a was handed out %d times", attempts)
	}
	if got := logged(); got != "before\nafter\n" {
		t.Errorf("it printed %q", got)
	}
	w.restart(t, options{clock: shifted{by: 4 * time.Hour}})
	events = w.ended(t, "restart", run)
	if end := events[len(events)-1]; end.GetState() != "succeeded" {
		t.Errorf("it ended as %v", end)
	}
	after, err := w.admin.audit.GetCheckpoint(t.Context(), &regiev1.GetCheckpointRequest{})
	if err != nil || after.GetPublicKey() != before.GetPublicKey() {
		t.Errorf("the log goes on with another key: %v, %v", after, err)
	}
	if a, err := w.admin.system.Verify(t.Context(), &regiev1.VerifyRequest{}); err != nil || !a.GetOk() {
		t.Errorf("%v, %v", a, err)
	}
}

// TestQuarantine: a run that is set aside is listed, with whatever filter, and
// says so; the others go on.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "aside")
	w.apply(t, "aside", "kind: Workflow\nname: long\nsteps: [{id: a, wait: {for: 1h}}]\n")
	bad := w.begun(t, &regiev1.StartRunRequest{Namespace: "aside", Workflow: "long"}).GetId()
	good := w.begun(t, &regiev1.StartRunRequest{Namespace: "aside", Workflow: "long"}).GetId()
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	// As if the process had died twice while it decided for the run.
	suspects := fmt.Appendf(nil, "\n%d %s\n", runtime.SuspectExits, bad)
	if err := os.WriteFile(filepath.Join(w.dir, "data", "deciding"), suspects, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := open(options{dir: w.dir, with: w})
	if err != nil {
		t.Fatal(err)
	}
	*w = *again
	for filter, wanted := range map[string][]string{
		"": {good, bad}, "sort:-wait": {good, bad}, "waiting:timer worker:nobody": nil, "name:long sort:name": {good, bad},
	} {
		a, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "aside", Filter: filter})
		if err != nil {
			t.Fatal(filter, err)
		}
		if got := namesOf(a.GetRuns(), (*regiev1.Run).GetId); !slices.Equal(got, wanted) {
			t.Errorf("filter %q: runs %q, want %q", filter, got, wanted)
		}
	}
	why, err := w.admin.runs.Explain(t.Context(), &regiev1.ExplainRequest{Namespace: "aside", Run: bad})
	if err != nil || !slices.ContainsFunc(why.GetConditions(), func(c *regiev1.Condition) bool { return c.GetKind() == "quarantine" }) {
		t.Error(why, err)
	}
	if strings.Contains(w.log.String(), "defect") {
		t.Errorf("logged:\n%s", w.log)
	}
}

func count(events []*regiev1.Event, kind string) (n int) {
	for _, e := range events {
		if e.GetType() == kind {
			n++
		}
	}
	return n
}

// TestRunsAreCountedOnce: metrics have each run that has ended once, however many
// end while changes are read.
func TestRunsAreCountedOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "many")
	w.apply(t, "many", "kind: Workflow\nname: many\nsteps: [{id: a, assign: {x: 1}}]\n")
	const starters, each = 16, 300
	var starting sync.WaitGroup
	for range starters {
		starting.Go(func() {
			for range each {
				if _, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "many", Workflow: "many"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	starting.Wait()
	w.ended(t, "many", w.begun(t, &regiev1.StartRunRequest{Namespace: "many", Workflow: "many"}).GetId())
	counted := func() (n int) {
		for line := range strings.Lines(w.raw(t, w.token, "GET", "/metrics", "").body) {
			if labels, number, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(labels, "regie_runs_total{") {
				n, _ = strconv.Atoi(number)
			}
		}
		return n
	}
	eventually(t, "all are counted", func() bool { return counted() >= starters*each+1 })
	if n := counted(); n != starters*each+1 {
		t.Errorf("%d runs were counted of %d", n, starters*each+1)
	}
}

// TestDrain: a server that drains takes no more runs, answers what there is, and
// ends by itself with the last run.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "drain")
	w.apply(t, "drain", quick)
	held := w.begun(t, &regiev1.StartRunRequest{Namespace: "drain", Workflow: "quick", Held: true}).GetId()
	ctx, cut := context.WithTimeout(t.Context(), patience)
	defer cut()
	stream, err := w.admin.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: "drain"})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	if a := w.rest(t, w.token, "GET", "/readyz", ""); a.status != http.StatusOK {
		t.Errorf("ready: status %d", a.status)
	}
	if _, err := w.admin.system.Drain(t.Context(), &regiev1.DrainRequest{Seconds: 600}); err != nil {
		t.Fatal(err)
	}
	_, err = w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "drain", Workflow: "quick"})
	checkError(t, err, connect.CodeUnavailable, "stopping")
	if a := w.rest(t, w.token, "GET", "/readyz", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "draining") {
		t.Errorf("ready: status %d: %s", a.status, a.body)
	}
	if info, err := w.admin.system.GetInfo(t.Context(), &regiev1.GetInfoRequest{}); err != nil || !info.GetDraining() {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := w.admin.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "drain", Run: held, Action: regiev1.Action_ACTION_RELEASE}); err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
	}
	checkError(t, stream.Err(), connect.CodeUnavailable, "stopping")
	if err := <-w.served; err != nil {
		t.Errorf("it ended with %v", err)
	}
	w.served <- nil
}

// TestConfigRefused: what would put a server at risk is refused before anything
// is opened.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for name, tt := range map[string]struct {
		cfg  server.Config
		want string
	}{
		"every address":     {server.Config{Dir: dir, Listen: "0.0.0.0:0"}, "--tls-self-signed"},
		"every address, v6": {server.Config{Dir: dir, Listen: "[::]:0"}, "--tls-self-signed"},
		"no host":           {server.Config{Dir: dir, Listen: ":0"}, "--tls-self-signed"},
		"another address":   {server.Config{Dir: dir, Listen: "192.0.2.1:0"}, "--tls-self-signed"},
		"a name":            {server.Config{Dir: dir, Listen: "localhost.example:0"}, "--tls-self-signed"},
		"mapped address":    {server.Config{Dir: dir, Listen: "[::ffff:192.0.2.1]:0"}, "--tls-self-signed"},
		"no port":           {server.Config{Dir: dir, Listen: "127.0.0.1"}, "HOST:PORT"},
		"no folder":         {server.Config{}, "--data"},
		"half a pair":       {server.Config{Dir: dir, TLS: server.TLS{Cert: "x"}}, "--tls-key"},
		"two certificates":  {server.Config{Dir: dir, TLS: server.TLS{Cert: "x", Key: "y", SelfSigned: true}}, "--tls-self-signed"},
	} {
		s, err := server.Open(t.Context(), tt.cfg)
		if !errors.Is(err, server.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

// TestSecondServer: a folder that a server has is not opened by another, which
// says who has it.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	_, err := server.Open(t.Context(), server.Config{Dir: filepath.Join(shared.dir, "data"), Listen: "127.0.0.1:0"})
	var held *datadir.HeldError
	if !errors.As(err, &held) || !strings.Contains(err.Error(), "the test's server") {
		t.Errorf("got %v", err)
	}
}

// TestSelfSigned: a certificate of the server's own, for every protocol; it stays
// over restarts unless it is damaged, and cookies are for TLS only.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	crew, err := startCrew(filepath.Join(dir, "crew"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = crew.close() }()
	var certs [3]*x509.Certificate
	for i := range certs {
		if i == 2 { // as if it had been killed when it had made another key
			if err := os.WriteFile(filepath.Join(dir, "data", "tls-key.pem"), newKey(t), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ready := make(chan server.Ready, 1)
		s, err := openServer(ctx, server.Config{
			Dir: filepath.Join(dir, "data"), Listen: "0.0.0.0:0", TLS: server.TLS{SelfSigned: true}, Supervisor: server.Supervisor{Socket: crew.socket},
			Ready: func(r server.Ready) { ready <- r },
		})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx) }()
		var r server.Ready
		select {
		case r = <-ready:
		case err := <-served:
			t.Fatal(errors.Join(err, s.Close()))
		}
		url := strings.Replace(r.URL, "[::]", "127.0.0.1", 1)
		if !strings.HasPrefix(url, "https://") {
			t.Errorf("it listens on %s", r.URL)
		}
		if _, err := http.Get(url + "/healthz"); err == nil {
			t.Error("a certificate that nobody knows was taken")
		}
		text, err := os.ReadFile(filepath.Join(dir, "data", "tls-cert.pem"))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		h := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		w := &world{url: url, plain: h.Transport.(*http.Transport)}
		a := w.raw(t, "", "POST", "/v1/login", `{"password":`+jsonText(r.AdminToken)+`}`)
		if i == 0 && (a.status != http.StatusOK || !strings.Contains(a.header.Get("Set-Cookie"), "__Host-regie=") || !strings.Contains(a.header.Get("Set-Cookie"), "Secure")) {
			t.Errorf("login: %v", a)
		}
		old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}}}
		if _, err := old.Get(url + "/healthz"); err == nil {
			t.Error("an old TLS was taken")
		}
		response, err := h.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		certs[i] = response.TLS.PeerCertificates[0]
		if response.ProtoMajor != 2 {
			t.Errorf("it speaks %s", response.Proto)
		}
		for name, mode := range map[string]os.FileMode{"tls-key.pem": 0o600, "tls-cert.pem": 0o600} {
			if info, err := os.Stat(filepath.Join(dir, "data", name)); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		h.CloseIdleConnections()
		stop()
		if err := errors.Join(<-served, s.Close()); err != nil {
			t.Error(err)
		}
	}
	if !certs[0].Equal(certs[1]) {
		t.Error("each start has a certificate of its own")
	}
	if certs[1].Equal(certs[2]) {
		t.Error("a certificate was used without its key")
	}
}

// newKey is a private key in the form of the server's.
func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
