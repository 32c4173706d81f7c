package kill

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
)

// TestLoadFails: a load that cannot go on ends the experiment at once, with why.
func TestLoadFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code": "permission_denied", "message": "not for you"}`)
	}))
	defer server.Close()
	dir := t.TempDir()
	w, err := openWorld(filepath.Join(dir, "world"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	h := &harness{cfg: Config{Dir: dir, Runs: 10, InFlight: 1}, world: w, report: &Report{}}
	h.client = &client{runs: regiev1connect.NewRunServiceClient(server.Client(), server.URL)}
	l, err := begin(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	err = h.kill(l.ctx)
	if connect.CodeOf(err) != connect.CodePermissionDenied || !strings.Contains(err.Error(), "not for you") {
		t.Errorf("waiting for attempts said %v", err)
	}
	if said := l.end(err); !errors.Is(said, err) || strings.Contains(said.Error(), "refused") {
		t.Errorf("the load said %v", said)
	}
}

// TestWorldsBook: beginnings are counted, and what is no line of the book is kept.
func TestWorldsBook(t *testing.T) {
	t.Parallel()
	w, err := openWorld(filepath.Join(t.TempDir(), "world"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, text := range []string{"began r1 first 1\nbegan r1 first 1\nended r1 fir", "st 1\nbegan r1\nnoise\n", "ended r1 last 1\nbegan r2 first 2"} {
		if _, err := w.file.WriteAt([]byte(text), w.end(t)); err != nil {
			t.Fatal(err)
		}
		if err := w.read(); err != nil {
			t.Fatal(err)
		}
	}
	began, strays, err := w.beginnings()
	if err != nil || len(began) != 1 || began["r1 first 1"] != 2 || len(strays) != 2 || strays[0] != "began r1" || strays[1] != "noise" {
		t.Errorf("began %v, strays %q, %v", began, strays, err)
	}
	if w.inFlight() != 0 || w.finished() != 1 {
		t.Errorf("%d in flight, %d finished", w.inFlight(), w.finished())
	}
	if err := w.await(context.WithoutCancel(t.Context()), 0); err != nil {
		t.Error(err)
	}
}

func (w *world) end(t *testing.T) int64 {
	t.Helper()
	info, err := w.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
