package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// backups serves backups as a test says.
type backups struct {
	regiev1connect.UnimplementedSystemServiceHandler

	serve func(ctx context.Context, send func(text string)) error
}

func (b *backups) Backup(ctx context.Context, _ *regiev1.BackupRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	return b.serve(ctx, func(text string) { _ = stream.Send(&httpbody.HttpBody{Data: []byte(text)}) })
}

// A backup is there whole or not at all, and replaces nothing.
func TestBackupFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, had string
		args      []string
		code      int
		want      string // content of the file; empty: there is none
		said      string
		// serve sends the backup into dir; interrupt presses Ctrl-C.
		serve func(ctx context.Context, send func(text string), dir string, interrupt func()) error
	}{
		{
			name: "whole", want: "one two", said: "keys/kek",
			serve: func(_ context.Context, send func(string), _ string, _ func()) error {
				send("one ")
				send("two")
				return nil
			},
		},
		{name: "there already", had: "old", want: "old", code: 2, said: "regie.backup is there already"},
		{
			name: "force", had: "old", args: []string{"--force"}, want: "new",
			serve: func(_ context.Context, send func(string), _ string, _ func()) error {
				send("new")
				return nil
			},
		},
		{
			name: "broken in the middle", had: "old", args: []string{"--force"}, want: "old", code: 3, said: "disk I/O",
			serve: func(_ context.Context, send func(string), _ string, _ func()) error {
				send("new")
				return connect.NewError(connect.CodeInternal, errors.New("disk I/O"))
			},
		},
		{
			name: "a file has come meanwhile", want: "other", code: 3, said: "file exists",
			serve: func(_ context.Context, send func(string), dir string, _ func()) error {
				send("new")
				return os.WriteFile(filepath.Join(dir, "regie.backup"), []byte("other"), 0o600)
			},
		},
		{
			name: "interrupted", code: 1, said: "interrupted: regie.backup was not written",
			serve: func(ctx context.Context, send func(string), _ string, interrupt func()) error {
				send("new")
				interrupt()
				<-ctx.Done()
				return ctx.Err()
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, asked := t.TempDir(), make(chan struct{})
			mux := http.NewServeMux()
			mux.Handle(regiev1connect.NewSystemServiceHandler(&backups{serve: func(ctx context.Context, send func(string)) error {
				return test.serve(ctx, send, dir, func() { asked <- struct{}{} })
			}}))
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			if test.had != "" {
				if err := os.WriteFile(filepath.Join(dir, "regie.backup"), []byte(test.had), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr bytes.Buffer
			code := cli.Main(t.Context(), cli.World{
				Args:  append([]string{"backup", "regie.backup", "--server", server.URL, "--token", "t"}, test.args...),
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Terminal:   func(io.Writer) (int, int, bool) { return 0, 0, false },
				LookupEnv:  func(name string) (string, bool) { return dir, name == "HOME" },
				Environ:    func() []string { return nil },
				Getwd:      func() (string, error) { return dir, nil },
				Interrupts: func() (<-chan struct{}, func()) { return asked, func() {} },
				Clock:      clock.Real{}, Random: rand.Reader,
			})
			if code != test.code || !strings.Contains(stderr.String(), test.said) {
				t.Errorf("exit code %d, said %q; want %d and %q", code, &stderr, test.code, test.said)
			}
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			hidden, err2 := filepath.Glob(filepath.Join(dir, ".*"))
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "regie.backup"))
			if string(got) != test.want || (err == nil) != (test.want != "") || len(names) > 1 || len(hidden) > 0 {
				t.Errorf("the file has %q (%v), and there are %q and %q", got, err, names, hidden)
			}
		})
	}
}
