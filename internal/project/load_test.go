package project

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
)

// load loads a folder.
func load(t *testing.T, cfg Config, files map[string]string) (*Set, string) {
	t.Helper()
	dir := tree(t, files)
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Native, cfg.JSONata = native.Config{Expr: cel.New()}, jsonata.New(jsonata.Config{AWS: true})
	set, problems := Load(cfg, p.Sources)
	var out []string
	for _, d := range problems {
		out = append(out, strings.TrimPrefix(d.String(), dir+"/"))
	}
	return set, strings.Join(out, "\n")
}

const (
	task    = `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:eu:1:function:f", "Next": "B"}, "B": {"Type": "Task", "Resource": "arn:aws:lambda:eu:1:function:f", "End": true}}}`
	nothing = `{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}`
)

// The type of a machine is what the command says, else its resources file.
func TestLoadType(t *testing.T) {
	t.Parallel()
	const mapped = "resources: {\"*:f\": {run: [sh, f.sh]}}\n"
	for _, c := range []struct {
		kind, file string
		express    bool
	}{
		{"", "", false}, {"", mapped, false}, {"", "type: express\n" + mapped, true},
		{string(asl.Standard), "type: express\n" + mapped, false}, {string(asl.Express), mapped, true},
	} {
		files := map[string]string{"a.asl.json": task}
		if c.file != "" {
			files["resources.yaml"], files["f.sh"] = c.file, "true"
		}
		set, problems := load(t, Config{Type: asl.MachineType(c.kind)}, files)
		if problems != "" || len(set.Workflows) != 1 {
			t.Fatalf("%+v: %s", c, problems)
		}
		program := set.Workflows[0].Program
		once := program.Bodies[program.Main].Nodes[0].Task.MaxLost
		if program.Pipelined != c.express || (once == nil) != c.express || once != nil && *once != 0 {
			t.Errorf("%+v: pipelined %v, max_lost %v", c, program.Pipelined, once)
		}
		if files := len(program.Files); (files == 1) != (c.file != "") {
			t.Errorf("%+v: %d files", c, files)
		}
		if unmapped := len(set.Unmapped); (unmapped == 0) != (c.file != "") {
			t.Errorf("%+v: %d tasks are not mapped", c, unmapped)
		}
	}
}

// Who only looks is warned once for each resource; who runs is refused.
func TestLoadUnmapped(t *testing.T) {
	t.Parallel()
	set, problems := load(t, Config{}, map[string]string{"a.asl.json": task, "b.asl.json": nothing})
	if problems != "" {
		t.Fatal(problems)
	}
	if found := set.Lacking(); len(found) != 1 || found[0].Severity != diag.Warning {
		t.Errorf("lacking %v", found)
	}
	a, b := set.Workflow("a").Program, set.Workflow("b").Program
	for _, c := range []struct {
		got, want int
	}{
		{len(set.Refused(a, nil)), 2}, {len(set.Refused(b, nil)), 0}, {len(set.Refused(nil, nil)), 2},
		{len(set.Refused(a, func(state string) bool { return state == "A" })), 1},
	} {
		if c.got != c.want {
			t.Errorf("%d are refused, want %d", c.got, c.want)
		}
	}
	set, _ = load(t, Config{}, map[string]string{"a.asl.json": task, "resources.yaml": "resources: {}"})
	if found := set.Lacking(); len(found) != 2 || found[0].Severity != diag.Error {
		t.Errorf("with a resources file: %v", found)
	}
}

// What a resources file names must be there.
func TestLoadFaults(t *testing.T) {
	t.Parallel()
	for want, file := range map[string]string{
		`resources.yaml:2:28: error[not_found]: the pattern "child.json" matches no file`: "resources:\n  \"arn:*:child\": {machine: child.json}",
		`resources.yaml:1:9: error[files]: the pattern "lib/**" matches no file`:          "files: [lib/**]\nresources: {\"*:f\": {run: [sh]}}",
		`resources.yaml:1:1: error[missing_field]`:                                        "{}",
	} {
		set, problems := load(t, Config{}, map[string]string{"a.asl.json": task, "resources.yaml": file})
		if !strings.Contains(problems, want) {
			t.Errorf("%s\ngot  %s\nwant %s", file, problems, want)
		}
		found := false
		for path := range set.Texts {
			found = found || strings.HasSuffix(path, "resources.yaml")
		}
		if !found {
			t.Errorf("texts %v", set.Texts)
		}
	}
}

func TestMachineName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"order.asl.json": "order", "x/Order Machine.asl.yaml": "order-machine", "a.b.json": "a.b", "_.asl.yml": "machine",
		"é.asl.json": "machine", strings.Repeat("x", 80) + ".asl.json": strings.Repeat("x", 63), "STATE_machine-1.json": "state_machine-1",
	} {
		if got := MachineName(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestNewSource(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"a.asl.json", "", asl.Name}, {"a.asl.yml", "kind: Workflow", asl.Name}, {"a.json", nothing, asl.Name},
		{"a.yaml", "StartAt: A\nStates: {}\n", asl.Name}, {"a.yaml", "kind: Workflow\nname: a\n", native.Name}, {"a.json", "{}", native.Name},
		{"a.yaml", "StartAt: A\n", native.Name},
	} {
		if got := NewSource(c[0], []byte(c[1])).Language; got != c[2] {
			t.Errorf("%s %q: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
