package asl_test

import (
	"strings"
	"testing"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/dialect/asl"
)

// TestJSONataNames: names of other letters than ASCII stay what they are, and a
// space that is none in JSONata is not passed over.
func TestJSONataNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, want string
		lost         int
	}{
		{"$states.input.à", `inputs.input["à"]`, 0},
		{"$states.input.größe", `inputs.input["größe"]`, 0},
		{"$states.input.名前", `inputs.input["名前"]`, 0},
		{"$states.input\u00a0.n", "", 1},
		{"$states.input.×", "", 1},
	} {
		text := "QueryLanguage: JSONata\nStartAt: A\nStates:\n  A:\n    Type: Succeed\n    Output: {v: \"{% " + c.source + " %}\"}\n"
		m, problems := asl.Read(aslConfig(asl.Standard), "machine.asl.yaml", []byte(text))
		if asl.HasErrors(problems) {
			t.Fatalf("%s: %v", c.source, problems)
		}
		r := convert.Convert(convert.Config{Name: "machine"}, m)
		if got := r.Report.Count(convert.Lost); got != c.lost || !strings.Contains(string(r.YAML), c.want) {
			t.Errorf("%s: %d lost, want %d\n%s\nwant %s in\n%s", c.source, got, c.lost, r.Report.Text(), c.want, r.YAML)
		}
	}
}
