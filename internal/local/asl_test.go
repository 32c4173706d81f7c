package local_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/value"
)

// function answers as the runtime of a function does: what it raises comes with
// status 200, or with 500.
func function(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case strings.Contains(string(body), "raise"):
		_, _ = io.WriteString(w, `{"errorType": "Declined", "errorMessage": "no funds", "stackTrace": []}`)
	case strings.Contains(string(body), "crash"):
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"errorType": "Crashed", "errorMessage": "oops"}`)
	case strings.Contains(string(body), "away"):
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		_, _ = fmt.Fprintf(w, `[%s]`, body)
	}
}

// A function that is an HTTP endpoint gets what the task passes, and gives or
// raises what it answers.
func TestFunctionsByHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(function))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	definition := project.NewSource("f.asl.yaml", []byte(`
StartAt: Call
States:
  Call:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Parameters: {FunctionName: "1:function:f:live", Payload.$: $.pass}
    ResultSelector: {status.$: $.StatusCode, payload.$: $.Payload}
    Catch: [{ErrorEquals: [Declined], Next: Caught}]
    Next: Empty
  Empty: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: f}, ResultPath: $.empty, Next: Direct}
  Direct: {Type: Task, Resource: "arn:aws:lambda:eu-west-1:1:function:f", End: true}
  Caught: {Type: Pass, End: true}
`))
	cfg := local.Definitions(local.Languages())
	cfg.Resources = &project.Source{Path: "r.yaml", Text: fmt.Appendf(nil, `resources: {"arn:aws:lambda:*:1:function:f": {http: {url: "%s/f"}}}`, server.URL)}
	set, problems := project.Load(cfg, []project.Source{definition})
	if len(problems)+len(set.Unmapped) > 0 {
		t.Fatal(problems, set.Unmapped)
	}
	r, err := local.Open(t.Context(), local.Config{Dir: filepath.Join(t.TempDir(), "data"), Virtual: true, Launch: &local.Launch{AllowHosts: []string{host}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for pass, want := range map[string]string{
		`{"n":1}`:   `succeeded [{"status":200,"payload":[{"n":1}],"empty":{"ExecutedVersion":"$LATEST","Payload":[{}],"StatusCode":200}}]`,
		`"raise"`:   `succeeded {"Error":"Declined","Cause":"{\"errorType\":\"Declined\",\"errorMessage\":\"no funds\",\"stackTrace\":[]}"}`,
		`["crash"]`: `failed Crashed {"errorType":"Crashed","errorMessage":"oops"}`,
		`"away"`:    `failed http.503`,
	} {
		id, err := r.Submit(t.Context(), local.Request{Program: set.Workflows[0].Program, Input: value.MustParse(`{"pass":` + pass + `}`), Actor: "test"})
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Wait(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got := string(result.State) + " " + result.Output.String()
		if result.State == engine.Failed {
			got = string(result.State) + " " + result.Error.Name + " " + result.Error.Message
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", pass, got, want)
		}
	}
}
