package cli

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/workflow"
)

// mockFile takes what --mocks names apart: FILE, or FILE#CASE.
func mockFile(flag string) (file, testCase string) {
	file, testCase, _ = strings.Cut(flag, "#")
	return file, testCase
}

// mocksFit refuses mocks that can stand in for no step of the program: the step
// that was meant would be made for real.
func mocksFit(p *workflow.Program, mocks *mock.Set) error {
	var ids []string
	for _, body := range p.Bodies {
		for i := range body.Nodes {
			if id := body.Nodes[i].ID; id != "" {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, pattern := range mocks.Patterns() {
		id, _, _ := strings.Cut(pattern[strings.LastIndexByte(pattern, '/')+1:], "[")
		if !strings.Contains(pattern, "*") && !slices.Contains(ids, id) {
			return misfit(p, pattern, id, ids)
		}
	}
	for _, state := range mocks.States() {
		if !slices.Contains(ids, state) {
			return misfit(p, state, state, ids)
		}
	}
	return nil
}

// misfit is the failure for a mock that stands in for no step.
func misfit(p *workflow.Program, key, id string, ids []string) *failure {
	f := failf(exitInvalid, "unknown_step", "the mock %q stands in for no step: there is no step %q in workflow %s", key, id, p.Name)
	if meant := diag.Suggest(id, ids); meant != "" {
		return f.withHint("did you mean %q?", meant)
	}
	return f.withHint("a key with * may fit none")
}
