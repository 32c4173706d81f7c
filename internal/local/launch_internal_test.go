package local

import (
	"testing"

	"github.com/regie-dev/regie/internal/mock"
)

// A run that goes on has the mocks of the case that it was started with.
func TestLaunchKeepsTheCase(t *testing.T) {
	t.Parallel()
	const text = `{"StateMachines": {"a": {"TestCases": {"x": {"S": "r"}, "y": {}}}}, "MockedResponses": {"r": {"0": {"Return": 1}}}}`
	encoded, err := (&Launch{MocksText: []byte(text), MocksOf: mock.Which{Workflow: "a", Case: "x"}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	l, err := decodeLaunch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := l.Mocks.Find(mock.Call{Name: "S"}); !ok || r.Output.Text() != "1" {
		t.Errorf("mocks %+v, %v", r, ok)
	}
}
