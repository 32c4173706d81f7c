package cli_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
)

// TestDefect: a defect of Regie is reported as one, with code 3, in the form
// that was asked for, and without secrets that are in memory (B42).
func TestDefect(t *testing.T) {
	t.Parallel()
	token := secret.New(strings.Repeat("s3cr3t", 3))
	for _, args := range [][]string{{"validate", "x.yaml"}, {"validate", "x.yaml", "--output", "json"}} {
		var stdout, stderr bytes.Buffer
		code := cli.Main(t.Context(), cli.World{
			Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Terminal:  func(io.Writer) (int, int, bool) { return 0, 0, false },
			LookupEnv: func(string) (string, bool) { return token.Reveal(), false },
			Environ:   func() []string { return []string{"REGIE_SECRET_TOKEN=" + token.Reveal()} },
			Getwd:     func() (string, error) { panic(token) },
			Clock:     clock.Real{}, Random: rand.Reader,
		})
		if code != 3 || !strings.Contains(stderr.String(), "error: Regie has a defect: ") || !strings.Contains(stderr.String(), "TestDefect") {
			t.Errorf("%v: code %d, %s", args, code, stderr.String())
		}
		if strings.Contains(stdout.String()+stderr.String(), "s3cr3t") {
			t.Errorf("%v: the secret shows", args)
		}
		if len(args) == 2 {
			continue
		}
		doc, err := value.Parse(stdout.Bytes())
		if err != nil || doc.Get("error").Get("code").Text() != "internal" {
			t.Errorf("document %s, %v", stdout.String(), err)
		}
	}
}
