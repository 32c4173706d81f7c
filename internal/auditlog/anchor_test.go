package auditlog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/secret"
)

// fakeAnchor takes checkpoints, or fails as it is told.
type fakeAnchor struct {
	mu    sync.Mutex
	err   error
	tries []time.Time
	sizes []int64
}

func (*fakeAnchor) Kind() string   { return "fake" }
func (*fakeAnchor) Target() string { return "nowhere" }

func (a *fakeAnchor) Put(_ context.Context, c *auditlog.Signed, _ auditlog.History) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tries = append(a.tries, time.Now())
	if a.err == nil {
		a.sizes = append(a.sizes, c.Size)
	}
	return a.err
}

func (a *fakeAnchor) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err, a.tries = err, nil
}

func (a *fakeAnchor) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sizes)
}

func TestAnchorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t, "a")
		broken := errors.New("no route")
		good, bad := &fakeAnchor{}, &fakeAnchor{err: broken}
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir), Anchors: []auditlog.Anchor{good, bad}})
		begin := time.Now()
		synctest.Wait()
		h.grow("a")
		pass(20*time.Minute + time.Second)
		var waits []time.Duration
		for i := 1; i < len(bad.tries); i++ {
			waits = append(waits, bad.tries[i].Sub(bad.tries[i-1]))
		}
		if want := []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}; len(waits) < 11 || !slices.Equal(waits[:11], scaled(want, time.Second)) {
			t.Errorf("waits %v", waits)
		}
		status := s.Status().Anchored
		if !slices.Equal(good.sizes, []int64{1, 2}) || status[0].Size != 2 || status[0].Error != nil || status[0].At.Before(begin) {
			t.Errorf("the good one has %v, status %+v", good.sizes, status[0])
		}
		if !errors.Is(status[1].Error, broken) || status[1].Size != 0 || !status[1].At.IsZero() || status[1].Failures != len(bad.tries) {
			t.Errorf("status %+v", status[1])
		}
		bad.fail(nil)
		pass(auditlog.MaxRetry)
		if status := s.Status().Anchored[1]; !slices.Equal(bad.sizes, []int64{2}) || status.Error != nil || status.Failures != 0 || status.Size != 2 {
			t.Errorf("took %v, status %+v", bad.sizes, status)
		}

		// The last one is given over at the end, in one try each.
		bad.fail(broken)
		h.grow("a")
		if err := s.Stop(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "fake nowhere") || len(bad.tries) != 1 {
			t.Errorf("stop: %v after %d tries", err, len(bad.tries))
		}
		if !slices.Equal(good.sizes, []int64{1, 2, 3}) {
			t.Errorf("the good one has %v", good.sizes)
		}
	})
}

func scaled(n []time.Duration, unit time.Duration) []time.Duration {
	for i := range n {
		n[i] *= unit
	}
	return n
}

func TestForkFoundByAnAnchor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var told alarms
		h := newHistory(t, "a")
		anchor := &fakeAnchor{err: fmt.Errorf("seen: %w", auditlog.ErrFork)}
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir), Alarm: told.raise, Anchors: []auditlog.Anchor{anchor}})
		synctest.Wait()
		if told.count() != 1 || !errors.Is(s.Ready(), auditlog.ErrFork) {
			t.Errorf("alarms %v", told.told)
		}
		h.grow("a")
		pass(time.Hour)
		if signed(s) != 1 || len(anchor.tries) != 1 {
			t.Errorf("signed %d, %d tries", signed(s), len(anchor.tries))
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWarning(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	if s := open(t, auditlog.Config{Log: h, Root: folder(t, t.TempDir())}); !strings.Contains(s.Warning(), "an administrator who has the data folder with the key can rewrite everything") {
		t.Errorf("warning %q", s.Warning())
	}
	if s := open(t, auditlog.Config{Log: h, Root: folder(t, t.TempDir()), Anchors: []auditlog.Anchor{&fakeAnchor{}}}); s.Warning() != "" {
		t.Errorf("warning %q", s.Warning())
	}
}

// once runs a service on a log from its start to its end.
func once(t testing.TB, dir string, log auditlog.Log, anchor auditlog.Anchor) (*auditlog.Service, error) {
	t.Helper()
	s := start(t, auditlog.Config{Log: log, Root: folder(t, dir), Anchors: []auditlog.Anchor{anchor}})
	err := s.Stop(t.Context())
	return s, errors.Join(err, s.Ready())
}

func TestFileAnchor(t *testing.T) {
	t.Parallel()
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "anchor.jsonl")
	h := newHistory(t, words(3)...)
	anchor := auditlog.NewFileAnchor(path)
	for range 2 { // the second time there is nothing new
		if _, err := once(t, dir, h, anchor); err != nil {
			t.Fatal(err)
		}
	}
	h.grow("a")
	s, err := once(t, dir, h, anchor)
	if err != nil {
		t.Fatal(err)
	}
	if got := keptSizes(t, s, path); !slices.Equal(got, []uint64{3, 4}) {
		t.Errorf("the file has %v", got)
	}
	if state := s.Status().Anchored[0]; state.Kind != "file" || state.Target != path || state.Size != 4 {
		t.Errorf("status %+v", state)
	}

	// A crash cut a line: the next one stands by itself.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"checkpoint":"regie`)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	h.grow("a")
	if _, err := once(t, dir, h, anchor); err != nil {
		t.Fatal(err)
	}
	if got := keptSizes(t, s, path); !slices.Equal(got, []uint64{3, 4, 5}) {
		t.Errorf("the file has %v", got)
	}

	// Another log must not write into it.
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := once(t, t.TempDir(), h, anchor); err == nil || errors.Is(err, auditlog.ErrFork) || !strings.Contains(err.Error(), "a file of its own") {
		t.Errorf("another log: %v", err)
	}
	for name, path := range map[string]string{"no folder": filepath.Join(dir, "none", "anchor"), "a folder": dir} {
		if _, err := once(t, dir, h, auditlog.NewFileAnchor(path)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
}

func keptSizes(t testing.TB, s *auditlog.Service, path string) (sizes []uint64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kept, _, err := evidence.ReadKept(path, f, s.Key())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		sizes = append(sizes, k.Size)
	}
	return sizes
}

// TestOldCopyIsFoundByAnchors: the whole data folder was put back to an old copy
// (B82), so that nothing in it tells; then the log goes on.
func TestOldCopyIsFoundByAnchors(t *testing.T) {
	t.Parallel()
	server := newWitness(t)
	for name, anchor := range map[string]func() auditlog.Anchor{
		"file": func() auditlog.Anchor { return auditlog.NewFileAnchor(filepath.Join(t.TempDir(), "anchor")) },
		"witness": func() auditlog.Anchor {
			return auditlog.NewHTTPAnchor(auditlog.HTTPConfig{Client: client(t, server.url), URL: server.url, Witness: true})
		},
	} {
		for _, test := range []struct {
			then []string
			want string
		}{
			{words(3), "but the log has 3"},
			{append(words(3), "b"), "but the log has 4"},
			{append(words(3), "b", "b"), "of which the log has others"},
			{append(words(3), "b", "b", "b"), "of which the log has others"},
		} {
			t.Run(fmt.Sprint(name, len(test.then)), func(t *testing.T) {
				t.Parallel()
				dir, a := t.TempDir(), anchor()
				s, err := once(t, dir, newHistory(t, words(3)...), a)
				if err != nil {
					t.Fatal(err)
				}
				server.trust(s.Key())
				old := t.TempDir()
				if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				private(t, old)
				if _, err := once(t, dir, newHistory(t, words(5)...), a); err != nil {
					t.Fatal(err)
				}
				if name == "witness" { // another process does not know what the witness has seen
					a = anchor()
				}
				if _, err := once(t, old, newHistory(t, test.then...), a); !errors.Is(err, auditlog.ErrFork) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
			})
		}
	}
}

// client may call the server of a test.
func client(t testing.TB, to *url.URL) *http.Client {
	t.Helper()
	place, err := egress.PlaceOf(to)
	if err != nil {
		t.Fatal(err)
	}
	c := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{Allow: []egress.HostPort{place}}})})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func serve(t testing.TB, h http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestHTTPAnchor(t *testing.T) {
	t.Parallel()
	var got struct {
		sync.Mutex
		body, kind, authorization string
	}
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Lock()
		got.body, got.kind, got.authorization = string(body), r.Method+" "+r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		got.Unlock()
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
	})
	h := newHistory(t, words(3)...)
	for status, ok := range map[int]bool{200: true, 201: true, 204: true, 302: false, 307: false, 400: false, 401: false, 409: false, 500: false} {
		to := u.JoinPath(strconv.Itoa(status))
		to.RawQuery, to.User = "key=hidden", url.UserPassword("ada", "hidden")
		anchor := auditlog.NewHTTPAnchor(auditlog.HTTPConfig{Client: client(t, u), URL: to, Bearer: secret.New("t0ken")})
		s, err := once(t, t.TempDir(), h, anchor)
		if (err == nil) != ok || err != nil && (!strings.Contains(err.Error(), strconv.Itoa(status)) || errors.Is(err, auditlog.ErrFork) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%d: %v", status, err)
		}
		if got.body != string(s.Last().Note) || got.kind != "POST text/plain; charset=utf-8" || got.authorization != "Bearer t0ken" {
			t.Errorf("%d: got %+v", status, &got)
		}
		if want := u.String() + "/" + strconv.Itoa(status); anchor.Target() != want || anchor.Kind() != "http" {
			t.Errorf("target %s, want %s", anchor.Target(), want)
		}
	}
	// Nobody may be called that is not allowed.
	anchor := auditlog.NewHTTPAnchor(auditlog.HTTPConfig{Client: egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{})}), URL: u})
	var denied *egress.DeniedError
	if _, err := once(t, t.TempDir(), h, anchor); !errors.As(err, &denied) {
		t.Errorf("%v", err)
	}
}

// witness is a server as of C2SP tlog-witness. It knows one state for each log.
type witness struct {
	t   testing.TB
	url *url.URL

	mu   sync.Mutex
	keys map[string]evidence.Key
	seen map[string]audit.Checkpoint
}

func newWitness(t testing.TB) *witness {
	w := &witness{t: t, keys: map[string]evidence.Key{}, seen: map[string]audit.Checkpoint{}}
	w.url = serve(t, w.handle).JoinPath("prefix")
	return w
}

func (w *witness) trust(key evidence.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[key.Origin()] = key
}

func (w *witness) handle(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	head, note, ok := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !ok || err != nil || r.URL.Path != "/prefix/add-checkpoint" || r.Method != http.MethodPost {
		out.WriteHeader(http.StatusBadRequest)
		return
	}
	origin, _, _ := strings.Cut(note, "\n")
	key, known := w.keys[origin]
	if !known { // this one trusts at first use what has the origin of a key that is to come
		c, err := audit.ParseCheckpoint(note[:strings.Index(note, "\n\n")+1])
		if err != nil {
			out.WriteHeader(http.StatusBadRequest)
			return
		}
		w.seen[origin] = c
		return
	}
	c, _, err := audit.OpenCheckpoint([]byte(note), key.Verifier())
	if err != nil {
		out.WriteHeader(http.StatusForbidden)
		return
	}
	seen := w.seen[origin]
	var proof []audit.Hash
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != sha256.Size {
			out.WriteHeader(http.StatusBadRequest)
			return
		}
		proof = append(proof, audit.Hash(hash))
	}
	switch {
	case old > c.Size:
		out.WriteHeader(http.StatusBadRequest)
	case old != seen.Size:
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintln(out, seen.Size)
	case old == c.Size && c.Root != seen.Root:
		out.WriteHeader(http.StatusConflict)
	case old > 0 && audit.CheckConsistency(proof, c.Size, c.Root, old, seen.Root) != nil:
		out.WriteHeader(http.StatusUnprocessableEntity)
	default:
		w.seen[origin] = c
		fmt.Fprintln(out, "— witness AAAA")
	}
}

func TestWitness(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	dir := t.TempDir()
	h := newHistory(t, words(3)...)
	for i := range 8 {
		anchor := auditlog.NewHTTPAnchor(auditlog.HTTPConfig{Client: client(t, w.url), URL: w.url, Witness: true})
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir), Anchors: []auditlog.Anchor{anchor}})
		w.trust(s.Key())
		h.grow(words(i)...)
		if err := errors.Join(s.Stop(t.Context()), s.Ready()); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		if got := w.seen[s.Key().Origin()].Size; got != int64(h.last) {
			t.Errorf("the witness has seen %d of %d", got, h.last)
		}
		w.mu.Unlock()
	}
	for _, answer := range []string{"", "x\n", "-1\n", "2\n"} {
		tries := 0
		u := serve(t, func(out http.ResponseWriter, _ *http.Request) {
			tries++
			out.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(out, answer)
		})
		anchor := auditlog.NewHTTPAnchor(auditlog.HTTPConfig{Client: client(t, u), URL: u, Witness: true})
		s := open(t, auditlog.Config{Log: h, Root: folder(t, t.TempDir())})
		c, err := s.Sign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := anchor.Put(t.Context(), c, proofs{}); err == nil || errors.Is(err, auditlog.ErrFork) || tries > 2 {
			t.Errorf("answer %q: %v after %d tries", answer, err, tries)
		}
	}
}

// proofs has empty ones.
type proofs struct{ auditlog.History }

func (proofs) Consistency(context.Context, *auditlog.Signed, int64) ([]audit.Hash, error) {
	return nil, nil
}

func TestCommandAnchor(t *testing.T) {
	t.Parallel()
	h := newHistory(t, words(3)...)
	dir := t.TempDir()
	run := func(argv ...string) (*auditlog.Service, error) {
		return once(t, t.TempDir(), h, auditlog.NewCommandAnchor(argv))
	}
	s, err := run("/bin/sh", "-c", `cat > "$0/out"; env > "$0/names"; pwd`, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || !bytes.Equal(got, s.Last().Note) {
		t.Errorf("got %q, %v", got, err)
	}
	if state := s.Status().Anchored[0]; state.Kind != "command" || state.Target != "/bin/sh" || state.Size != 3 {
		t.Errorf("status %+v", state)
	}
	if names, err := os.ReadFile(filepath.Join(dir, "names")); err != nil || bytes.Contains(names, []byte("HOME=")) {
		t.Errorf("environment %q, %v", names, err)
	}
	if _, err := run("/bin/sh", "-c", `echo "no room\033[2J" >&2; exit 3`); err == nil || !strings.Contains(err.Error(), "exit status 3: no room") || strings.Contains(err.Error(), "\033") {
		t.Errorf("%v", err)
	}
	if _, err := run("/bin/sh", "-c", `yes | head -c 100000; exit 1`); err == nil || len(err.Error()) > 5000 {
		t.Errorf("%v", err)
	}
	if _, err := run(filepath.Join(dir, "none")); err == nil {
		t.Error("a program that is not there took it")
	}
	// The context bounds it.
	ctx, cancel := context.WithCancel(t.Context())
	c := auditlog.NewCommandAnchor([]string{"/bin/sh", "-c", `cat; exec sleep 1000`})
	done := make(chan error, 1)
	go func() { done <- c.Put(ctx, s.Last(), nil) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
