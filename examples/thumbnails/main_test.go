package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"image"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server"
	"github.com/regie-dev/regie/worker"
)

// TestMain has this binary be regie when the server starts its supervisor.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "supervisor" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Main(context.Background(), cli.World{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: noTerminal,
		LookupEnv: os.LookupEnv, Environ: os.Environ, Getwd: os.Getwd, Clock: clock.Real{}, Random: rand.Reader,
	}))
}

func noTerminal(io.Writer) (columns, rows int, ok bool) { return 0, 0, false }

// begin starts a server, and returns its address and the admin's token.
func begin(t *testing.T) (url, token string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, served := make(chan server.Ready, 1), make(chan error, 1)
	s, err := server.Open(ctx, server.Config{
		Dir: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", Build: cli.Build{}.ID(), Version: "test", Holder: "test",
		Log: slog.New(slog.DiscardHandler), Ready: func(r server.Ready) { ready <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case r := <-ready:
		c, err := client.New(client.Config{Server: r.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		login, err := c.Identities.Login(ctx, &regiev1.LoginRequest{Password: r.AdminToken, TokenName: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return r.URL, login.GetSecret()
	case err := <-served:
		served <- nil
		t.Fatal(err)
	}
	return "", ""
}

// regie calls regie on the server, and returns its exit code and what it prints.
func regie(t *testing.T, url, token string, args ...string) (int, string) {
	t.Helper()
	env := map[string]string{"HOME": t.TempDir(), "REGIE_SERVER": url, "REGIE_TOKEN": token}
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), cli.World{
		Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Terminal:  noTerminal,
		LookupEnv: func(name string) (string, bool) { text, ok := env[name]; return text, ok },
		Environ:   func() []string { return nil }, Getwd: os.Getwd, Clock: clock.Real{}, Random: rand.Reader, Zone: time.UTC,
	})
	if code != 0 {
		return code, out.String() + errs.String()
	}
	return code, strings.TrimSpace(out.String())
}

// TestWorker: the worker does the work of a real server.
func TestWorker(t *testing.T) {
	t.Parallel()
	url, admin := begin(t)
	must := func(args ...string) string {
		t.Helper()
		code, out := regie(t, url, admin, args...)
		if code != 0 {
			t.Fatalf("regie %q: %d\n%s", args, code, out)
		}
		return out
	}
	must("apply", ".")
	must("users", "create", "thumbs", "--role", "worker@default")
	secret := must("tokens", "create", "thumbs", "--user", "thumbs")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- work(ctx, worker.Config{Server: url, Token: secret, Name: "w1"}) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, image.NewGray(image.Rect(0, 0, 320, 100))); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	must("start", "thumbnails", "--wait", "--input", `{"pictures": ["`+dir+`/a.png"]}`)
	small, err := read(filepath.Join(dir, "a.small.png"))
	if err != nil || small.Bounds() != image.Rect(0, 0, 160, 50) {
		t.Fatalf("%v, %v", small, err)
	}

	code, out := regie(t, url, admin, "start", "thumbnails", "--wait", "--input", `{"pictures": ["`+dir+`/none.png"]}`)
	if code != 1 || !strings.Contains(out, "NoPicture") {
		t.Errorf("a picture that is not there: %d\n%s", code, out)
	}
}
