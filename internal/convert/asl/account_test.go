package asl

import (
	"reflect"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/expr/jsonata"
)

// TestEveryFieldIsAccountedFor: a field that the model gets is named in the
// table, so that somebody has thought of what becomes of it.
func TestEveryFieldIsAccountedFor(t *testing.T) {
	t.Parallel()
	models := []any{
		asl.Machine{}, asl.Flow{}, asl.State{}, asl.TaskState{}, asl.PassState{}, asl.WaitState{}, asl.FailState{},
		asl.ParallelState{}, asl.ChoiceState{}, asl.MapState{}, asl.Rule{}, asl.Retrier{}, asl.Catcher{},
		asl.ItemReader{}, asl.ItemBatcher{}, asl.ResultWriter{},
	}
	known := map[string]bool{}
	for _, m := range models {
		typ := reflect.TypeOf(m)
		for f := range typ.Fields() {
			if !f.IsExported() {
				continue
			}
			name := typ.Name() + "." + f.Name
			known[name] = true
			if constructs[name] == "" {
				t.Errorf("%s stands in no line of constructs: say under which construct it is reported", name)
			}
		}
	}
	for name := range constructs {
		if !known[name] {
			t.Errorf("constructs names %s, which is not there", name)
		}
	}
}

// TestNothingIsLostInSilence: what nothing was said of is reported as lost.
func TestNothingIsLostInSilence(t *testing.T) {
	t.Parallel()
	const text = `{StartAt: A, States: {A: {Type: Pass, Comment: c, ResultPath: $.r, OutputPath: $.o, Result: 1, End: true}}}`
	m, problems := asl.Read(asl.Config{JSONata: jsonata.New(jsonata.Config{AWS: true})}, "a.yaml", []byte(text))
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	c := newConverter(Config{Name: "a"}, m)
	c.written["A"] = 1
	c.unaccounted()
	var got []string
	for _, e := range c.report {
		got = append(got, e.Construct)
	}
	if want := "Type Comment End OutputPath ResultPath Result"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
