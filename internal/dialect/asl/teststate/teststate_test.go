package teststate_test

import (
	"errors"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/dialect/asl/teststate"
	"github.com/regie-dev/regie/internal/value"
)

// TestRun compares the answers to the requests of testdata/run.yaml.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range asltest.Documents(t, "testdata/run.yaml") {
		name := c.Get("case").Text
		request, err := teststate.ParseRequest(c.Get("request").ToValue())
		var response teststate.Response
		if err == nil {
			request.File = "x.asl.yaml"
			response, err = teststate.Run(config(), request)
		}
		var refused *teststate.Error
		got := response.Value()
		if errors.As(err, &refused) {
			got = value.Object(value.M("code", value.String(refused.Code)), value.M("message", value.String(refused.Message)), value.M("hint", value.String(refused.Hint)))
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := c.Get("want").ToValue(); !value.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got.Indent(), want.Indent())
		}
	}
}

// TestCall: a Task is inspected with its arguments and what it is answered; no
// one answers it without a mock.
func TestCall(t *testing.T) {
	t.Parallel()
	request := teststate.Request{
		Definition: `{"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:price", "Parameters": {"n": 1}, "ResultPath": "$.r", "End": true}`,
		Level:      teststate.Trace,
	}
	var refused *teststate.Error
	if _, err := teststate.Run(config(), request); !errors.As(err, &refused) || refused.Code != teststate.CodeValidation {
		t.Errorf("without a mock: %v", err)
	}
	request.Mock = &teststate.Mock{Result: value.Int(2)}
	response, err := teststate.Run(config(), request)
	if err != nil {
		t.Fatal(err)
	}
	got := response.Inspection.AfterParameters.String() + " " + response.Inspection.AfterResultSelector.String() + " " + response.Output.String()
	if want := `{"n":1} 2 {"r":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestJSON: in the form of AWS data is text.
func TestJSON(t *testing.T) {
	t.Parallel()
	response, err := teststate.Run(config(), teststate.Request{Definition: `{"Type": "Succeed"}`, Input: value.Int(1), Level: teststate.Debug})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"output":"1","inspectionData":{"input":"1","afterInputPath":"1"},"status":"SUCCEEDED"}`
	if got := response.JSON().String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPositions: faults of a state alone have the places of its own text,
// however its text begins and ends.
func TestPositions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, text   string
		line, column int
	}{
		{"x.asl.json", "{\"Type\": \"Pass\",\n \"Nxt\": \"A\",\n \"End\": true}", 2, 2},
		{"x.asl.yaml", "Type: Pass\nNxt: A\nEnd: true\n", 2, 1},
		{"x.asl.yaml", "---\nType: Pass\nNxt: A\nEnd: true\n", 3, 1},
		{"x.asl.yaml", "# a state\n--- # begins\nType: Pass\nNxt: A\nEnd: true\n...\n", 4, 1},
		{"x.asl.yaml", "%YAML 1.1\n---\nType: Pass\nNxt: A\nEnd: true\n", 4, 1},
		{"x.asl.yaml", "--- {Type: Pass, Nxt: A, End: true}\n", 1, 18},
		{"x.asl.yaml", "  Type: Pass\n  Nxt: A\n  End: true\n", 2, 3},
	} {
		_, err := teststate.Run(config(), teststate.Request{Definition: c.text, File: c.file})
		var refused *teststate.Error
		if !errors.As(err, &refused) || len(refused.Diagnostics) != 1 || refused.Diagnostics[0].Code != asl.CodeSchema {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if at := refused.Diagnostics[0].Pos; at.File != c.file || at.Line != c.line || at.Column != c.column {
			t.Errorf("%q: the fault is at %s:%d:%d, want %d:%d", c.text, at.File, at.Line, at.Column, c.line, c.column)
		}
	}
}

// TestRandom: what is inspected is what the state made, also where it is drawn.
func TestRandom(t *testing.T) {
	t.Parallel()
	response, err := teststate.Run(config(), teststate.Request{
		Definition: `{"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:price", "Parameters": {"id.$": "States.UUID()"},
			"ResultSelector": {"id.$": "States.UUID()"}, "Next": "Then"}`,
		Mock:  &teststate.Mock{Result: value.Int(1)},
		Level: teststate.Debug,
	})
	if err != nil {
		t.Fatal(err)
	}
	sent, got := response.Inspection.AfterParameters, response.Inspection.AfterResultSelector
	if sent.Get("id").Text() == "" || !value.Equal(got, response.Output) || value.Equal(got, sent) {
		t.Errorf("afterParameters is %s, afterResultSelector %s, the output %s", sent, got, response.Output)
	}
}

// FuzzRun: whatever the definition and the mock, a test ends with a response
// whose status is one of four, or is refused.
func FuzzRun(f *testing.F) {
	for _, c := range asltest.Documents(f, "testdata/run.yaml") {
		request := c.Get("request")
		f.Add(request.Get("definition").ToValue().String(), request.Get("mock").ToValue().String())
	}
	f.Fuzz(func(t *testing.T, definition, mock string) {
		request := teststate.Request{Definition: definition, Level: teststate.Trace}
		if v, err := value.Parse([]byte(mock)); err == nil {
			request.Mock, _ = teststate.ParseMock(v)
		}
		response, err := teststate.Run(config(), request)
		var refused *teststate.Error
		switch {
		case errors.As(err, &refused):
			if refused.Code == "" || refused.Message == "" {
				t.Errorf("refused without a reason: %+v", refused)
			}
		case err != nil:
			t.Error(err)
		default:
			switch response.Status {
			case teststate.Succeeded, teststate.Failed, teststate.Retriable, teststate.CaughtError:
			default:
				t.Errorf("status %q", response.Status)
			}
		}
	})
}
