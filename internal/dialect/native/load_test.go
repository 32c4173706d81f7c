package native

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// testConfig has a few connectors that need no package of their own.
var testConfig = sync.OnceValue(newTestConfig)

func newTestConfig() Config {
	message := descriptor.Field{Name: "message", Type: text(), Required: true, Template: true}
	httpType := &descriptor.Object{Name: "http", Doc: "An HTTP server.", Fields: []descriptor.Field{
		{Name: "url", Type: text(), Required: true, Template: true},
		{Name: "headers", Type: mapOf(descriptor.String, text()), Template: true, Secrets: true},
	}}
	sqlType := &descriptor.Object{Name: "postgres", Doc: "A database.", Fields: []descriptor.Field{
		{Name: "dsn", Type: text(), Required: true, Template: true, Secrets: true},
	}}
	webhook := &descriptor.Object{Name: "webhook", Doc: "A webhook.", Fields: []descriptor.Field{
		{Name: "connection", Type: kind(descriptor.Name), Required: true},
	}}
	return Config{
		Expr:        cel.New(),
		Connections: []ObjectType{{Name: "http", Object: httpType}, {Name: "postgres", Object: sqlType}},
		Channels:    []ObjectType{{Name: "webhook", Object: webhook, Connections: []string{"http"}}},
		Connectors: []Connector{
			{Name: "log", Doc: "Writes a line.", Idempotent: true, Input: &descriptor.Object{Name: "log", Fields: []descriptor.Field{message}}},
			{Name: "notify.send", Channel: true, Input: &descriptor.Object{Name: "notify.send", Fields: []descriptor.Field{
				{Name: "channel", Type: kind(descriptor.Name), Required: true},
				{Name: "text", Type: text(), Required: true, Template: true},
			}}},
			{
				Name: "http.request", Connections: []string{"http"},
				Input: &descriptor.Object{Name: "http.request", Fields: []descriptor.Field{
					{Name: "connection", Type: kind(descriptor.Name), Template: true},
					{Name: "method", Type: text(), Default: value.String("GET"), Enum: []descriptor.EnumValue{{Text: "GET"}, {Text: "POST"}}},
					{Name: "path", Type: text(), Template: true},
					{Name: "headers", Type: mapOf(descriptor.String, text()), Template: true, Secrets: true},
					{Name: "body", Type: kind(descriptor.Any), Template: true},
					{Name: "retries", Type: kind(descriptor.Integer), Template: true},
				}},
				Output: &descriptor.Object{Name: "http.response", Fields: []descriptor.Field{
					{Name: "status", Type: kind(descriptor.Integer), Required: true},
					{Name: "body", Type: kind(descriptor.Any)},
				}},
			},
			{
				Name: "sql.execute", Connections: []string{"postgres"},
				Input: &descriptor.Object{Name: "sql.execute", Fields: []descriptor.Field{
					{Name: "connection", Type: kind(descriptor.Name), Required: true},
					{Name: "statement", Type: text(), Required: true},
					{Name: "args", Type: list(kind(descriptor.Any)), Template: true},
					{Name: "exactly_once", Type: kind(descriptor.Boolean), Default: value.False},
				}},
				Output: &descriptor.Object{Name: "sql.result", Fields: []descriptor.Field{{Name: "rows_affected", Type: kind(descriptor.Integer), Required: true}}},
			},
		},
		Files: func(_ string, patterns []string) ([]workflow.File, []FileFault) {
			var faults []FileFault
			for i, p := range patterns {
				if strings.HasPrefix(p, "missing") {
					faults = append(faults, FileFault{Pattern: i, Message: "matches no file", Hint: "look beside the workflow"})
				}
			}
			return []workflow.File{{Path: "a.sh", Mode: 0o755}}, faults
		},
	}
}

// TestLoad runs testdata/*.txtar. Each holds documents (*.yaml, *.json) and
// what is expected: "diagnostics", one a line with its hint indented below, and
// "programs", if they are to be compared.
func TestLoad(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var sources []Source
			for _, f := range archive.Files {
				if ext := filepath.Ext(f.Name); ext == ".yaml" || ext == ".json" {
					sources = append(sources, Source{Path: f.Name, Text: f.Data})
				}
			}
			set, problems := Load(testConfig(), sources)
			got := map[string]string{}
			for _, p := range problems {
				hint := ""
				if p.Hint != "" {
					hint = "    " + strings.ReplaceAll(p.Hint, "\n", "\n    ") + "\n"
				}
				p.Hint = ""
				got["diagnostics"] += p.String() + "\n" + hint
			}
			for _, w := range set.Workflows {
				if !diag.HasErrors(problems) {
					checkProgram(t, w.Program)
				}
				got["programs"] += summarize(w.Program)
			}
			for _, o := range set.Objects {
				got["objects"] += o.Kind + " " + o.Namespace + "/" + o.Name + " " + o.Type + " " + data(o.Fields)
				if o.Breaker != nil {
					got["objects"] += fmt.Sprintf(" breaker %+v", *o.Breaker)
				}
				if o.Limit != nil {
					got["objects"] += fmt.Sprintf("capacity %d rate %+v", o.Limit.Capacity, o.Limit.Rate)
				}
				got["objects"] += "\n"
			}
			compare(t, name, archive, got)
		})
	}
}

// TestRunOnce: what only a server applies has no effect where runs are started
// by hand, which is said and no more.
func TestRunOnce(t *testing.T) {
	t.Parallel()
	text := "kind: Workflow\nname: a\ntriggers: [{schedule: {cron: '@daily'}}]\ndeadline: {at_most: 1h}\non_failure: hold\nsteps: [{run: x}]\n"
	for once, want := range map[bool][]string{false: nil, true: {
		"a.yaml:3:1: warning[ignored_field]: `triggers` has no effect: `regie run` starts the workflow at once; a server starts it by its triggers",
		"a.yaml:4:1: warning[ignored_field]: `deadline` has no effect: `regie run` does not watch deadlines; a server does",
		"a.yaml:5:1: warning[ignored_field]: `on_failure` has no effect: nobody can decide about a failure in `regie run`, which ends the run; on a server an operator does",
	}} {
		cfg := testConfig()
		cfg.RunOnce = once
		set, problems := Load(cfg, []Source{{Path: "a.yaml", Text: []byte(text)}})
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("run once %v: %q", once, got)
		}
		if p := set.Workflow("a").Program; len(p.Triggers) != 1 || len(p.Deadlines) != 1 || p.OnFailure != "hold" || p.Unattended != once {
			t.Errorf("run once %v: %d triggers, %d deadlines", once, len(p.Triggers), len(p.Deadlines))
		}
	}
}

// TestWorkersOutside: that there are none is said once for each task type.
func TestWorkersOutside(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.RunOnce = true
	text := `kind: TaskType
name: resize
---
kind: TaskType
name: cut
---
kind: Workflow
name: a
steps: [{id: x, uses: resize}, {id: y, uses: resize}, {id: z, uses: cut}]
---
kind: Workflow
name: b
steps: [{id: x, uses: resize}]
`
	_, problems := Load(cfg, []Source{{Path: "a.yaml", Text: []byte(text)}})
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%.70s", p))
	}
	if want := []string{
		`a.yaml:9:23: warning[ignored_field]: the task type "resize" is done by`,
		`a.yaml:9:69: warning[ignored_field]: the task type "cut" is done by wo`,
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// checkProgram stores and reads the program, and has the engine link it.
func checkProgram(t *testing.T, p *workflow.Program) {
	t.Helper()
	encoded, _, err := workflow.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := workflow.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if decoded.Inputs == nil {
		t.Error("the program takes any input")
	}
	if _, err := engine.Prepare(decoded, map[string]expr.Language{cel.Name: cel.New()}); err != nil {
		t.Errorf("the engine refuses the program: %v", err)
	}
}

// compare checks the expected parts of a file, or rewrites them.
func compare(t *testing.T, name string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	expected := map[string]bool{}
	for i := range archive.Files {
		f := &archive.Files[i]
		if !slices.Contains([]string{"diagnostics", "programs", "objects", "trace"}, f.Name) {
			continue
		}
		expected[f.Name] = true
		if *update {
			f.Data = []byte(got[f.Name])
		} else if diff := cmp.Diff(string(f.Data), got[f.Name]); diff != "" {
			t.Errorf("%s differ (-want +got):\n%s", f.Name, diff)
		}
	}
	if len(expected) == 0 {
		t.Error("the file does not say what it expects")
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
