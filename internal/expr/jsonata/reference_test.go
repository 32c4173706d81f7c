package jsonata

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/regie-dev/regie/internal/value"
)

// referenceDir holds the script that evaluates with the reference.
const referenceDir = "../../../tools/jsonata-reference"

// askReference evaluates requests with the reference implementation on Node,
// all in one process. See run.js for the fields of requests and answers.
func askReference(t testing.TB, requests []value.Value, options ...string) []value.Value {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(referenceDir, "node_modules", "jsonata"))
	}
	if err != nil {
		t.Skipf("the reference implementation is not there (%v): install Node.js 18 or newer, then run: npm ci --prefix tools/jsonata-reference", err) //nolint:forbidigo // CI has it
	}
	var in bytes.Buffer
	for _, r := range requests {
		in.Write(append(r.Append(nil), '\n'))
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"run.js"}, options...)...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = referenceDir, &in, os.Stderr
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []value.Value
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		v, err := value.Parse(lines.Bytes())
		if err != nil { // half of a surrogate pair, which is no text
			v = value.Object(value.M("error", value.String("")))
		}
		answers = append(answers, v)
	}
	if len(answers) != len(requests) {
		t.Fatalf("the reference gave %d answers to %d requests", len(answers), len(requests))
	}
	return answers
}
