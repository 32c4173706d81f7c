package project

import (
	"os"
	"path/filepath"
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
	return loadFolder(t, cfg, tree(t, files))
}

// loadFolder loads what files and folders in a folder define; all if none is
// named.
func loadFolder(t *testing.T, cfg Config, dir string, names ...string) (*Set, string) {
	t.Helper()
	paths := []string{dir}
	if len(names) > 0 {
		paths = nil
	}
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(name)))
	}
	p, err := Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Native, cfg.JSONata = native.Config{Expr: cel.New()}, jsonata.New(jsonata.Config{AWS: true})
	set, problems := Load(cfg, p.Sources)
	var out []string
	for _, d := range problems {
		out = append(out, strings.ReplaceAll(d.String(), dir+"/", ""))
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

// A resources file that is there and cannot be read is not as if there were none.
func TestLoadUnreadableResources(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(tree(t, map[string]string{"shared.yaml": "resources: {}"}), "shared.yaml")
	for what, put := range map[string]func(string) error{
		"a link out of the folder": func(path string) error { return os.Symlink(outside, path) },
		"a link to nothing":        func(path string) error { return os.Symlink("none", path) },
		"a folder":                 func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		dir := tree(t, map[string]string{"a.asl.json": task, "b.asl.json": task})
		if err := put(filepath.Join(dir, ResourcesName)); err != nil {
			t.Fatal(err)
		}
		set, problems := loadFolder(t, Config{}, dir)
		if strings.Count(problems, "error[resources]") != 1 || !strings.HasPrefix(problems, "resources.yaml") || strings.Contains(problems, "/**") || len(set.Workflows) != 0 {
			t.Errorf("%s: %d workflows, problems %q", what, len(set.Workflows), problems)
		}
	}
}

// A definition that resources files of two types name is read under each.
func TestLoadChildOfTwoTypes(t *testing.T) {
	t.Parallel()
	const child = `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {}, "End": true}}}`
	dir := tree(t, map[string]string{
		"a.asl.json": nothing, "resources.yaml": `resources: {"arn:*:child": {machine: sub/child.json}}`,
		"sub/b.asl.json": nothing, "sub/resources.yaml": "type: express\n" + `resources: {"arn:*:child": {machine: child.json}}`, "sub/child.json": child,
	})
	for _, names := range [][]string{{"a.asl.json", "sub/b.asl.json"}, {"sub/b.asl.json", "a.asl.json"}} {
		if _, problems := loadFolder(t, Config{}, dir, names...); strings.Count(problems, "Express state machine") != 1 || strings.Contains(problems, "\n") {
			t.Errorf("%v: problems %q", names, problems)
		}
	}
	if _, problems := loadFolder(t, Config{}, dir, "a.asl.json"); problems != "" {
		t.Errorf("problems %q", problems)
	}
	// A fault of both is told once.
	if err := os.WriteFile(filepath.Join(dir, "sub", "child.json"), []byte(`{"StartAt": "A"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := loadFolder(t, Config{}, dir, "a.asl.json", "sub/b.asl.json"); strings.Count(problems, "\n") != 0 || problems == "" {
		t.Errorf("problems %q", problems)
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
