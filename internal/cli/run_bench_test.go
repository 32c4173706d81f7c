package cli_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// BenchmarkRun is a whole `regie run` of one step that does nothing, without
// the start of a process.
func BenchmarkRun(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.yaml"), []byte("kind: Workflow\nname: one\nsteps: [{run: \"true\"}]\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out bytes.Buffer
		code := cli.Main(b.Context(), cli.World{
			Args: []string{"run", "one.yaml"}, Stdin: &out, Stdout: &out, Stderr: &out,
			Terminal:  func(io.Writer) (int, int, bool) { return 0, 0, false },
			LookupEnv: func(name string) (string, bool) { return map[string]string{"REGIE_STATE_DIR": filepath.Join(dir, "state")}[name], name == "REGIE_STATE_DIR" },
			Environ:   os.Environ,
			Getwd:     func() (string, error) { return dir, nil },
			Clock:     clock.Real{}, Random: rand.Reader,
		})
		if code != 0 {
			b.Fatal(out.String())
		}
	}
}
