package mock_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/mock"
)

const localMocks = `{
  "StateMachines": {
    "Order": {"TestCases": {
      "Happy": {"Charge": "Charged", "Ship": "Shipped"},
      "Retried": {"Charge": "ChargedLate"}
    }},
    "Other": {"TestCases": {"Only": {"Look": "Charged"}}}
  },
  "MockedResponses": {
    "Charged": {"0": {"Return": {"StatusCode": 200, "Payload": {"ok": true}}}},
    "Shipped": {"0-2": {"Return": "shipped"}, "3": {"Throw": {"Error": "Late", "Cause": "no truck"}}},
    "ChargedLate": {"1-2": {"Throw": {"Error": "Busy", "Cause": "again"}}, "0": {"Throw": {"Error": "Down", "Cause": "x"}}, "3": {"Return": null}}
  }
}`

// Responses go by the number of the invocation, from 0; beyond them the
// execution fails.
func TestLocal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		which mock.Which
		state string
		want  string // of the invocations, in order
	}{
		{mock.Which{Workflow: "order", Case: "Happy"}, "Charge", `{"StatusCode":200,"Payload":{"ok":true}} States.Runtime`},
		{mock.Which{Workflow: "Order", Case: "Happy"}, "Ship", `"shipped" "shipped" "shipped" Late:no truck States.Runtime`},
		{mock.Which{Workflow: "order", Case: "Retried"}, "Charge", "Down:x" + strings.Repeat(" Busy:again", 2) + " null States.Runtime"},
		{mock.Which{Workflow: "other"}, "Look", `{"StatusCode":200,"Payload":{"ok":true}} States.Runtime`},
	} {
		set, problems := mock.Parse("m.json", []byte(localMocks), c.which)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if !set.Counts(c.state) || !set.Answers(c.state) || set.Answers("Pay") || !slices.Contains(set.States(), c.state) {
			t.Errorf("%v: states %v", c.which, set.States())
		}
		var got []string
		for i := 0; ; i++ {
			r, ok := set.Find(mock.Call{Path: "Each[0]/" + c.state, Name: c.state, Attempt: 1, Invocation: i})
			if !ok {
				t.Fatalf("%s is not mocked", c.state)
			}
			if r.ErrorName == "States.Runtime" {
				if want := fmt.Sprintf("has nothing for invocation %d of state %q", i, c.state); !strings.Contains(r.ErrorMessage, want) {
					t.Errorf("message %s", r.ErrorMessage)
				}
				got = append(got, r.ErrorName)
				break
			}
			if r.ErrorName != "" {
				got = append(got, r.ErrorName+":"+r.ErrorMessage)
			} else {
				got = append(got, r.Output.String())
			}
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%v %s:\ngot  %s\nwant %s", c.which, c.state, got, c.want)
		}
	}
}

func TestLocalFaults(t *testing.T) {
	t.Parallel()
	machines := func(cases, responses string) string {
		return `{"StateMachines": {"m": {"TestCases": {` + cases + `}}}, "MockedResponses": {` + responses + `}}`
	}
	const good = `"r": {"0": {"Return": 1}}`
	for _, c := range []struct {
		text  string
		which mock.Which
		want  string
	}{
		{localMocks, mock.Which{Workflow: "order"}, "which case is meant? there are 2 (name it: --mocks FILE#CASE; there are Happy, Retried)"},
		{localMocks, mock.Which{Workflow: "order", Case: "Hapy"}, `there is no case "Hapy" (did you mean "Happy"?)`},
		{localMocks, mock.Which{Workflow: "third"}, `there is no state machine "third" (there are Order, Other)`},
		{machines(`"c": {"A": "x"}`, good), mock.Which{}, `1:51: error[unknown_response]: there is no response "x"`},
		{machines(`"c": {"A": "r"}`, `"r": {"a": {"Return": 1}}`), mock.Which{}, `"a" is neither the number of an invocation nor a range`},
		{machines(`"c": {"A": "r"}`, `"r": {"3-1": {"Return": 1}}`), mock.Which{}, `the range "3-1" ends before it begins`},
		{machines(`"c": {"A": "r"}`, `"r": {"0-2": {"Return": 1}, "1": {"Return": 2}}`), mock.Which{}, `the response "r" says twice what invocation 1 gives`},
		{machines(`"c": {"A": "r"}`, `"r": {"0": {}}`), mock.Which{}, "`Return` or `Throw`"},
		{machines(`"c": {"A": "r"}`, `"r": {"0": {"Throw": {"Cause": "x"}}}`), mock.Which{}, "`Error`"},
		{"mocks: {a: {output: 1}}", mock.Which{Case: "x"}, `there are no cases here to choose "x" from`},
	} {
		_, problems := mock.Parse("m.json", []byte(c.text), c.which)
		if len(problems) == 0 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.text, problems, c.want)
		}
	}
}
