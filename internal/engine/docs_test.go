package engine_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
)

var block = regexp.MustCompile("(?s)```yaml (program|planned)\n(.*?)```")

// TestPrograms prepares every program of docs/program-form.md: what the page
// says can run must, and what it calls planned must be refused.
func TestPrograms(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/program-form.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 8 {
		t.Fatalf("found %d programs", len(blocks))
	}
	for _, b := range blocks {
		_, err := engine.Prepare(loadProgram(t, []byte(b[2])), map[string]expr.Language{"test": testLanguage{}})
		if planned := b[1] == "planned"; planned != (err != nil) {
			t.Errorf("%s program:\n%s\nprepare: %v", b[1], b[2], err)
		}
	}
}
