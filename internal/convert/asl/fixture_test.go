package asl_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

var update = flag.Bool("update", false, "write the workflows and reports in testdata anew")

// TestFixtures converts testdata/*.txtar: the machine becomes the workflow and
// the report that stand there. Each line of "inputs" is run in both forms,
// which must make the same calls and end alike. "answers" says what a function
// returns, or {"error": NAME}, by attempt; "NAME WORD" is for calls whose
// arguments have the word in them as a value.
func TestFixtures(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) < 12 {
		t.Fatalf("there are %d fixtures: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fixture(t, name, archive)
		})
	}
}

func fixture(t *testing.T, name string, archive *txtar.Archive) {
	t.Helper()
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	m, problems := asl.Read(aslConfig(asl.Standard), "machine.asl.yaml", []byte(files["machine.asl.yaml"]))
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	cfg := convert.Config{Name: "machine", Target: target, Partial: files["partial"] != ""}
	if files["target"] != "" {
		cfg.Target = nil
	}
	r := convert.Convert(cfg, m)
	for file, got := range map[string]string{"workflow.yaml": string(r.YAML), "report": r.Report.Text()} {
		if *update {
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == file })
		} else if diff := cmp.Diff(files[file], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	if *update {
		archive.Files = append(archive.Files, txtar.File{Name: "workflow.yaml", Data: r.YAML}, txtar.File{Name: "report", Data: []byte(r.Report.Text())})
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r.YAML == nil {
		return
	}
	if _, err := prepare(r.YAML); err != nil {
		t.Fatalf("%v\n%s", err, r.YAML)
	}
	for line := range strings.Lines(files["inputs"]) {
		runBoth(t, m, r, value.MustParse(line), answers(t, files["answers"]))
	}
}

// answers makes what functions answer.
func answers(t *testing.T, text string) answer {
	t.Helper()
	docs, problems := yamldoc.Parse("answers", []byte(text+"\n{}"))
	if text != "" {
		docs, problems = yamldoc.Parse("answers", []byte(text))
	}
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	all := docs[0].ToValue()
	return func(resource string, input value.Value, attempt int) (value.Value, *engine.Error, time.Duration) {
		name := resource[strings.LastIndexByte(resource, ':')+1:]
		list := all.Get(name)
		for _, m := range all.Members() {
			if of, w, ok := strings.Cut(m.Key, " "); ok && of == name && contains(input, w) {
				list = m.Value
			}
		}
		a := list.At(min(attempt, list.Len()) - 1)
		if e := a.Get("error"); !e.IsUndefined() {
			return value.Null, &engine.Error{Name: e.Text(), Message: "it said " + e.Text()}, 0
		}
		if a.IsUndefined() {
			a = value.Null
		}
		return a, nil, 0
	}
}

func contains(v value.Value, text string) bool {
	for _, m := range v.Members() {
		if contains(m.Value, text) {
			return true
		}
	}
	return v.Len() == 0 && v.Text() == text || v.Kind() == value.KindString && v.Text() == text
}

func runBoth(t *testing.T, m *asl.Machine, r convert.Result, input value.Value, respond answer) {
	t.Helper()
	source, err := asIs(m)
	if err != nil {
		t.Fatal(err)
	}
	linked, err := prepare(r.YAML)
	if err != nil {
		t.Fatal(err)
	}
	a, b := &driver{machine: source, answer: respond}, &driver{machine: linked, answer: respond}
	if err := a.drive(input); err != nil {
		t.Fatal(err)
	}
	if err := b.drive(wrapped(r, input)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(a.calls)
	slices.Sort(b.calls)
	if diff := cmp.Diff(a.calls, b.calls); diff != "" {
		t.Errorf("input %s: calls (-as it is +converted):\n%s", input, diff)
	}
	if a.ended.State != b.ended.State || !value.Equal(a.ended.Output, b.ended.Output) {
		t.Errorf("input %s: as it is %s %s %s, converted %s %s %s", input, a.ended.State, a.ended.Output, a.ended.Error.Value(),
			b.ended.State, b.ended.Output, b.ended.Error.Value())
	}
}
