package asl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
)

// TestRead reads the definitions of testdata/read.yaml, each with what is wrong
// in it: line:column, severity, code, location and message.
func TestRead(t *testing.T) {
	t.Parallel()
	cases := 0
	for _, c := range asltest.Documents(t, "testdata/read.yaml") {
		cases++
		name, text := c.Get("case").Text, c.Get("definition").Text
		file := "x.asl.json"
		if c.Get("yaml") != nil {
			file = "x.asl.yaml"
		}
		kind := asl.Standard
		if c.Get("express") != nil {
			kind = asl.Express
		}
		_, problems := asl.Read(config(kind), file, []byte(text))
		var got, want []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d %s %s %s: %s", p.Pos.Line, p.Pos.Column, p.Severity, p.Code, p.Location, p.Message))
		}
		for _, item := range c.Get("problems").Items {
			want = append(want, item.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if cases < 30 {
		t.Errorf("there are %d cases", cases)
	}
}

// FuzzRead: whatever the text, reading ends, gives a machine or an error, and
// the place of every finding lies in the file. A machine without errors
// compiles to a program that fits the engine, as far as the engine goes.
func FuzzRead(f *testing.F) {
	f.Add(`{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}`)
	f.Add(`{"StartAt": "A", "QueryLanguage": "JSONata", "States": {"A": {"Type": "Choice", "Choices": [{"Condition": "{% $x %}", "Next": "A"}]}}}`)
	f.Add("StartAt: A\nStates:\n  A: {Type: Map, ItemsPath: $.a['b'][0], ItemProcessor: {StartAt: B, States: {B: {Type: Succeed}}}, End: true}\n")
	f.Add(`{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::a:b.sync:2", "Parameters": {"x.$": "States.Format('{}', $y)"}, "Retry": [{"ErrorEquals": ["States.ALL"], "BackoffRate": 1}], "End": true}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		machine, problems := asl.Read(config(asl.Express), "f", []byte(text))
		if machine == nil && !asl.HasErrors(problems) {
			t.Error("neither a machine nor an error")
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Line > lines || p.Code == "" || p.Message == "" {
				t.Errorf("%+v", p)
			}
		}
		if machine == nil || asl.HasErrors(problems) {
			return
		}
		machine.VariableReferences()
		if _, err := compile(machine, asl.CompileConfig{}); err != nil && !strings.Contains(err.Error(), "yet") {
			t.Error(err)
		}
	})
}

func TestInvalidDefinition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}`: "",
		`{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}`: "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next, " +
			"MISSING_END_STATE: Workflow has no terminal state at null'",
		`{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"x": "$.y"}, "End": true}}}`: "",
	} {
		_, problems := asl.Read(config(asl.Standard), "x.json", []byte(text))
		if got := asl.InvalidDefinition(problems); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDiag(t *testing.T) {
	t.Parallel()
	_, problems := asl.Read(config(asl.Standard), "x.json", []byte("{\n  \"StartAt\": \"First\",\n  \"States\": {\"Frist\": {\"Type\": \"Succeed\"}}\n}"))
	if len(problems) != 2 {
		t.Fatal(problems)
	}
	const want = `x.json:2:14: error[MISSING_TRANSITION_TARGET]: Missing 'Next' target: First (at /StartAt) (did you mean "Frist"?)`
	if got := problems[0].Diag().String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]asl.Resource{
		"arn:aws:lambda:eu-west-1:1:function:f:$LATEST":     {Kind: asl.Function, Name: "f:$LATEST"},
		"arn:aws:states:eu-west-1:1:activity:a":             {Kind: asl.Activity, Name: "a"},
		"arn:aws:states:::sqs:sendMessage.waitForTaskToken": {Kind: asl.Integration, Service: "sqs", Action: "sendMessage", Pattern: asl.WaitForTaskToken},
		"arn:aws-cn:states:::states:startExecution.sync:2":  {Kind: asl.Integration, Service: "states", Action: "startExecution", Pattern: asl.Sync2},
		"arn:aws:states:::aws-sdk:s3:getObject":             {Kind: asl.Integration, Service: "aws-sdk:s3", Action: "getObject"},
		"arn:aws:states:::glue:startJobRun.sync":            {Kind: asl.Integration, Service: "glue", Action: "startJobRun", Pattern: asl.Sync},
		"arn:aws:swf:eu-west-1:1:task:t":                    {},
		"${HelloFunction.Arn}":                              {},
	} {
		got, ok := asl.ParseResource(text)
		if want.Text = text; !ok || got != want {
			t.Errorf("%s: got %+v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "f", "arn:aws:lambda", "arn:aws:states:::x", "arn:aws:states:::x:", "http://a/b:c:d:e:f:g"} {
		if r, ok := asl.ParseResource(text); ok {
			t.Errorf("%s: got %+v", text, r)
		}
	}
}
