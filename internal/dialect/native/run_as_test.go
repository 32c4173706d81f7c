package native

import (
	"strconv"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/descriptor"
)

// Row B70 of the list of bad inputs: a user is an exact name, never a number.
// Whether it is allowed is the supervisor's to say.
func TestRunAs(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"settle": true, "_apt": true, "svc-a.b_1": true, "root": true,
		"0": false, "+0": false, "-1": false, "1000": false, "0x0": false, "nobody ": false, " nobody": false, "": false,
		"nob\tody": false, "a/b": false, "a:b": false, "аdmin": false, "no\x00body": false, strings.Repeat("x", 33): false,
	} {
		set, diags := loadText("kind: Workflow\nname: x\nsteps:\n  - {run: x, run_as: " + strconv.Quote(name) + "}\n")
		refused := false
		for _, d := range diags {
			refused = refused || d.Code == descriptor.CodeInvalidValue && strings.Contains(d.Message, "run_as")
		}
		if ok && (len(diags) > 0 || set.Workflows[0].Program.Bodies[0].Nodes[0].Task.RunAs != name) {
			t.Errorf("%q: %v", name, diags)
		}
		if !ok && !refused && len(diags) == 0 {
			t.Errorf("%q is not refused", name)
		}
	}
	_, diags := loadText("kind: Workflow\nname: x\nsteps:\n  - {uses: log, with: {message: x}, run_as: settle}\n")
	if len(diags) != 1 || !strings.Contains(diags[0].Message, "run_as") {
		t.Errorf("on a step that runs no script: %v", diags)
	}
}
