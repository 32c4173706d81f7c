package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// exported has three runs that have ended, of one step with a log of two pages.
// Something happens to the second before one of its calls.
type exported struct {
	regiev1connect.UnimplementedRunServiceHandler

	before, code string
}

// refused is what a call on a run is answered.
func (e *exported) refused(call, run string) error {
	if run != "r2" || call != e.before {
		return nil
	}
	return problem.New(connect.CodeFailedPrecondition, e.code, "not any more", "")
}

func (e *exported) ListRuns(_ context.Context, m *regiev1.ListRunsRequest) (*regiev1.ListRunsResponse, error) {
	run := func(id string) *regiev1.Run { return &regiev1.Run{Id: id, EndedAt: timestamppb.New(eight)} }
	if m.GetPageToken() == "" {
		return &regiev1.ListRunsResponse{Runs: []*regiev1.Run{run("r1"), run("r2"), {Id: "live"}}, NextPageToken: "more"}, nil
	}
	return &regiev1.ListRunsResponse{Runs: []*regiev1.Run{run("r3")}}, nil
}

func (e *exported) GetRunData(_ context.Context, m *regiev1.GetRunDataRequest) (*regiev1.GetRunDataResponse, error) {
	return &regiev1.GetRunDataResponse{}, e.refused("data", m.GetRun())
}

func (e *exported) ListEvents(_ context.Context, m *regiev1.ListEventsRequest) (*regiev1.ListEventsResponse, error) {
	return &regiev1.ListEventsResponse{Events: []*regiev1.Event{{Number: 1}}, Ended: true}, e.refused("events", m.GetRun())
}

func (e *exported) GetRun(_ context.Context, m *regiev1.GetRunRequest) (*regiev1.GetRunResponse, error) {
	return &regiev1.GetRunResponse{Steps: []*regiev1.Step{{Path: "a", Attempts: 1}}}, e.refused("steps", m.GetRun())
}

func (e *exported) GetLog(_ context.Context, m *regiev1.GetLogRequest) (*regiev1.GetLogResponse, error) {
	line := []*regiev1.LogLine{{Text: "printed"}}
	if m.GetOffset() == 0 {
		return &regiev1.GetLogResponse{Lines: line, NextOffset: 8, More: true}, e.refused("log", m.GetRun())
	}
	return &regiev1.GetLogResponse{Lines: line, NextOffset: 16}, e.refused("second page", m.GetRun())
}

// An export outlives what the server takes away meanwhile: of a run it has all
// that there is, or nothing.
func TestExport(t *testing.T) {
	t.Parallel()
	const noLogs = "run data event"
	all := noLogs + strings.Repeat(" log", 2)
	for _, test := range []struct {
		name, before, refusal string
		want                  string // lines of the second run
		code                  int
		said                  string
	}{
		{name: "whole", want: all},
		{"erased before the log", "log", "run_erased", noLogs, 0, "Run r2 has no log lines: it was erased since the export began.\n"},
		{"erased within the log", "second page", "run_erased", noLogs, 0, "Run r2 has no log lines: it was erased since the export began.\n"},
		{"removed before the data", "data", "run_not_found", "", 0, "Run r2 is left out: the server has removed it since the export began.\n"},
		{"removed while events are read", "events", "not_found", "", 0, "Run r2 is left out: the server has removed it since the export began.\n"},
		{"removed before the steps", "steps", "run_not_found", "", 0, "Run r2 is left out: the server has removed it since the export began.\n"},
		{"removed within the log", "second page", "run_not_found", "", 0, "Run r2 is left out: the server has removed it since the export began.\n"},
		{"steps are another thing", "log", "attempt_not_found", noLogs, 0, ""},
		{"refused", "events", "denied", "", 2, "not any more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle(regiev1connect.NewRunServiceHandler(&exported{before: test.before, code: test.refusal}))
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			var stdout, stderr bytes.Buffer
			dir := t.TempDir()
			code := cli.Main(t.Context(), cli.World{
				Args:  []string{"runs", "export", "--file", "-", "--server", server.URL, "--token", "t", "--namespace", "risk"},
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Terminal:   func(io.Writer) (int, int, bool) { return 0, 0, false },
				LookupEnv:  func(name string) (string, bool) { return dir, name == "HOME" },
				Environ:    func() []string { return nil },
				Getwd:      func() (string, error) { return dir, nil },
				Interrupts: func() (<-chan struct{}, func()) { return nil, func() {} },
				Clock:      clock.Real{}, Random: rand.Reader,
			})
			if code != test.code || !strings.Contains(stderr.String(), test.said) {
				t.Fatalf("exit code %d, said %q; want %d and %q", code, &stderr, test.code, test.said)
			}
			if code != 0 {
				return
			}
			got := map[string][]string{}
			for decoder := json.NewDecoder(&stdout); decoder.More(); {
				var line struct{ Kind, Run string }
				if err := decoder.Decode(&line); err != nil {
					t.Fatal(err)
				}
				got[line.Run] = append(got[line.Run], line.Kind)
			}
			want := map[string][]string{"r1": strings.Fields(all), "r3": strings.Fields(all)}
			if test.want != "" {
				want["r2"] = strings.Fields(test.want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lines of each run (-want +got):\n%s", diff)
			}
		})
	}
}
