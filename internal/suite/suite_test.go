package suite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/suite"
)

const flow = `
kind: Workflow
name: flow
inputs: {n: {type: integer, default: 1}}
steps:
  - id: fetch
    run: echo "{\"n\":$N,\"region\":\"$REGION\"}" > "$REGIE_OUTPUT"; test "$TOKEN" = made-up-token
    env: {N: "${{ inputs.n }}", REGION: "${{ vars.region }}", TOKEN: "${{ secrets.TOKEN }}"}
    retry: {max_attempts: 2, backoff: {initial: 1h, max: 1h}}
  - id: big
    if: inputs.n > 5
    wait: {for: 24h}
outputs: {n: "${{ steps.fetch.output.n }}", region: "${{ steps.fetch.output.region }}"}
`

// write makes a folder of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// find reads the tests of a folder; paths are shown relative to it.
func find(t *testing.T, dir, path string) []*suite.File {
	t.Helper()
	files, err := suite.Find(path, func(p string) (string, error) { return filepath.Join(dir, p), nil })
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func config(t *testing.T) suite.Config {
	return suite.Config{Languages: local.Languages(), TempDir: t.TempDir(), Environ: os.Environ(), Now: time.Now}
}

// outcome says in words what came of tests.
func outcome(results []*suite.FileResult) string {
	var b strings.Builder
	for _, file := range results {
		fmt.Fprintf(&b, "%s %v\n", file.File.Path, file.OK())
		for _, p := range file.Problems {
			fmt.Fprintf(&b, "  %s\n", p)
		}
		for _, r := range file.Results {
			fmt.Fprintf(&b, "  %s\n", r.Name)
			for _, text := range r.Failures {
				fmt.Fprintf(&b, "    %s\n", text)
			}
			for _, text := range r.Notes {
				fmt.Fprintf(&b, "    note: %s\n", text)
			}
		}
	}
	return b.String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"flow.yaml": flow,
		"flow.test.yaml": `
vars: {region: eu}
secrets: {TOKEN: made-up-token}
mocks: {"fetch": {output: {n: 0, region: mocked}}}
cases:
  - name: mocked
    expect: {output: {n: 0, region: mocked}, not_run: [big]}
  - name: other mock
    mocks: {fetch: {output: {n: 7, region: own}}}
    expect: {output: {n: 7, region: own}}
`,
		"sub/real.test.yaml": `
workflow: flow
files: [../flow.yaml]
vars: {region: eu}
secrets: {TOKEN: made-up-token}
cases:
  - name: really runs, a day passes at once
    input: {n: 6}
    vars: {region: us}
    expect:
      output: {n: 6, region: us}
      ran: [fetch, big]
      check: ['duration(timestamp(run.ended_at) - timestamp(run.started_at)) >= duration("24h")']
  - name: retries, and fails with another secret
    secrets: {TOKEN: another-token}
    expect: {state: failed, error: {name: exit.1}, steps: {fetch: {attempts: 2, reason: attempts_exhausted}}}
  - name: at that time, for that date
    at: "2026-03-02T23:30:00Z"
    expect: {check: ['run.business_date == "2026-03-02"', 'run.started_at.startsWith("2026-03-02T23:30:00")']}
  - name: wrong
    input: {m: 1}
`,
		"sub/.hidden.test.yaml":            "not read",
		"node_modules/dependency.test.yml": "not read",
	})
	cfg := config(t)
	var told []string
	cfg.Done = func(f *suite.File, r *suite.Result) { told = append(told, f.Path+": "+r.Name) }
	got := outcome(suite.Run(t.Context(), cfg, find(t, dir, ".")))
	want := `flow.test.yaml true
  mocked
  other mock
sub/real.test.yaml false
  really runs, a day passes at once
  retries, and fails with another secret
  at that time, for that date
  wrong
    input "m": the workflow has no such input
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
	wantTold := []string{
		"flow.test.yaml: mocked", "flow.test.yaml: other mock", "sub/real.test.yaml: really runs, a day passes at once",
		"sub/real.test.yaml: retries, and fails with another secret", "sub/real.test.yaml: at that time, for that date", "sub/real.test.yaml: wrong",
	}
	if d := cmp.Diff(wantTold, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	left, err := os.ReadDir(cfg.TempDir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	cfg.Only = regexp.MustCompile("other")
	if got := outcome(suite.Run(t.Context(), cfg, find(t, dir, "flow.test.yaml"))); got != "flow.test.yaml true\n  other mock\n" {
		t.Errorf("only one: %s", got)
	}
}

// TestNeverEnds: a case whose run waits for what nothing gives fails at once, and
// a mock stands for a wait for a condition.
func TestNeverEnds(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"flow.yaml": "kind: Workflow\nname: flow\nsteps: [{id: ready, wait: {condition: loaded}}, {run: \"true\"}]\n",
		"flow.test.yaml": `
cases:
  - name: nobody adds it
  - name: mocked
    mocks: {ready: {output: {}}}
`,
	})
	got := outcome(suite.Run(t.Context(), config(t), find(t, dir, ".")))
	want := `flow.test.yaml false
  nobody adds it
    nothing is left that could end the run: step ready is waiting (condition)
  mocked
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
}

// TestFaults: whatever is wrong with a test is found before anything runs, at
// its place.
func TestFaults(t *testing.T) {
	t.Parallel()
	const valid = "kind: Workflow\nname: flow\nsteps: [{run: \"true\"}]\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"not YAML":          {map[string]string{"a.test.yaml": "cases: ["}, "yaml_syntax"},
		"two documents":     {map[string]string{"a.test.yaml": "cases: []\n---\n{}\n"}, "a.test.yaml:1:1: error[test_documents]"},
		"no cases":          {map[string]string{"a.test.yaml": "workflow: flow\n"}, "`cases` is missing"},
		"no case":           {map[string]string{"a.test.yaml": "cases: []\n"}, "a.test.yaml:1:8: error["},
		"unknown field":     {map[string]string{"a.test.yaml": "cases: [{name: x, expects: {}}]\n"}, `did you mean "expect"`},
		"twice":             {map[string]string{"a.test.yaml": "cases:\n- name: x\n- name: x\n"}, "a.test.yaml:3:9: error[duplicate_case]"},
		"bad time":          {map[string]string{"a.test.yaml": "cases: [{name: x, at: noon}]\n"}, "a.test.yaml:1:23: error["},
		"bad mock":          {map[string]string{"a.test.yaml": "cases: [{name: x, mocks: {a: {ouput: 1}}}]\n"}, `did you mean "output"`},
		"skipped run":       {map[string]string{"a.test.yaml": "cases: [{name: x, expect: {state: skipped}}]\n"}, "a.test.yaml:1:35: error["},
		"no workflow":       {map[string]string{"a.test.yaml": "cases: [{name: x}]\n"}, "no definition found"},
		"wrong workflow":    {map[string]string{"a.test.yaml": "workflow: flwo\ncases: [{name: x}]\n", "a.yaml": valid}, `did you mean "flow"`},
		"several workflows": {map[string]string{"a.test.yaml": "cases: [{name: x}]\n", "a.yaml": valid, "b.yaml": strings.Replace(valid, "name: flow", "name: other", 1)}, "add `workflow: NAME`; there is flow, other"},
		"bad definition":    {map[string]string{"a.test.yaml": "cases: [{name: x}]\n", "a.yaml": "kind: Workflow\nname: flow\n"}, "a.yaml:1:1: error["},
		"missing file":      {map[string]string{"a.test.yaml": "files: [b.yaml]\ncases: [{name: x}]\n"}, "a.test.yaml:1:8: error[test_definitions]"},
		"bad check":         {map[string]string{"a.test.yaml": "cases: [{name: x, expect: {check: ['nobody.x']}}]\n", "a.yaml": valid}, "a.test.yaml:1:37: error[expr_unknown_name]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Done = func(*suite.File, *suite.Result) { t.Error("a case was run") }
			results := suite.Run(t.Context(), cfg, find(t, write(t, c.files), "."))
			if got := outcome(results); len(results) != 1 || results[0].OK() || !strings.Contains(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			for _, p := range results[0].Problems {
				if _, known := results[0].Texts[p.File]; !known && p.Severity == diag.Error {
					t.Errorf("no text of %s", p.File)
				}
			}
		})
	}
	if _, err := suite.Find("missing", func(p string) (string, error) { return filepath.Join(t.TempDir(), p), nil }); err == nil {
		t.Error("found tests where there is nothing")
	}
}

// TestSchema: the JSON Schema of test files takes the example of the reference
// page, and refuses what Parse refuses.
func TestSchema(t *testing.T) {
	t.Parallel()
	o := suite.Describe()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(descriptor.Schema(o, "test.json").String())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("test.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("test.json")
	if err != nil {
		t.Fatal(err)
	}
	if f := suite.Parse("example", ".", []byte(o.Example)); diag.HasErrors(f.Problems) {
		t.Errorf("example: %v", f.Problems)
	}
	for text, ok := range map[string]bool{
		`{"cases": [{"name": "x", "expect": {"state": "failed", "ran": ["a"]}}]}`: true,
		`{"cases": [{"expect": {}}]}`: false,
		`{"cases": []}`:               false,
		`{"cases": [{"name": "x", "expect": {"stat": "x"}}]}`:  false,
		`{"cases": [{"name": "x", "time": "slow"}]}`:           false,
		`{"cases": [{"name": "x", "date": "2026-02-01"}]}`:     true,
		`{"cases": [{"name": "x", "date": "tomorrow"}]}`:       false,
		`{"cases": [{"name": "x", "mocks": {"a": [{}, {}]}}]}`: true,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != ok {
			t.Errorf("schema on %s: %v", text, err)
		}
		if f := suite.Parse("x", ".", []byte(text)); diag.HasErrors(f.Problems) == ok {
			t.Errorf("parser on %s: %v", text, f.Problems)
		}
	}
}
