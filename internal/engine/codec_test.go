package engine_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// fill sets everything in v to something that is not zero.
func fill(t *testing.T, v reflect.Value, n int64) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(1_700_000_000+n, 5_000_000).UTC()
		return
	case *value.Value:
		*x = value.Object(value.M("n", value.Int(n)), value.M("s", value.String("a\"\n\u2028<>&")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text \"quoted\" <&> é\u2028" + string(rune('a'+n%26)))
	case reflect.Int, reflect.Int64:
		v.SetInt(n + 1)
	case reflect.Uint64:
		v.SetUint(uint64(n) + 1<<60)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(n) + 0.25)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(n%255) + 1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n+1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n+int64(i))
		}
	default:
		t.Fatalf("no value for %s", v.Type())
	}
}

var exact = cmp.Comparer(func(a, b value.Value) bool {
	return a.IsUndefined() == b.IsUndefined() && value.Equal(a, b)
})

// TestEveryMemberIsStored sets each member of Event in turn, and all at once:
// what is read is what was written.
func TestEveryMemberIsStored(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[engine.Event]()
	var events []engine.Event
	all := engine.Event{}
	for i := range typ.NumField() {
		one := engine.Event{Kind: engine.EvEntered, At: time.Unix(int64(i), 0).UTC()}
		fill(t, reflect.ValueOf(&one).Elem().Field(i), int64(i))
		fill(t, reflect.ValueOf(&all).Elem().Field(i), int64(i))
		events = append(events, one, one)
	}
	events = append(events, all)
	control, payload, err := engine.EncodeEvents(events)
	if err != nil {
		t.Fatal(err)
	}
	got, err := engine.DecodeEvents(control, payload)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, got, exact); diff != "" {
		t.Errorf("events (-written +read):\n%s", diff)
	}
	bare, err := engine.DecodeEvents(control, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := bare[len(bare)-1]
	if last.Error != nil || !last.Input.IsUndefined() || last.Warning != "" || last.Ops != nil || last.Fence != all.Fence {
		t.Errorf("without users' data: %+v", last)
	}
}

// TestEventTexts: any text and any value comes back.
func TestEventTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		events := []engine.Event{{
			Kind: engine.EvAttemptEnded, Input: value.String(text), Output: value.Float(rapid.Float64().Draw(t, "number")),
			Checkpoint: rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "checkpoint"),
			Ops:        []engine.VarOp{{Frame: 1, Var: text, Op: workflow.AssignAppend, Value: value.Null}},
		}}
		control, payload, err := engine.EncodeEvents(events)
		if err != nil {
			t.Fatal(err)
		}
		got, err := engine.DecodeEvents(control, payload)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, got, exact); diff != "" {
			t.Fatalf("events (-written +read):\n%s", diff)
		}
	})
}

// TestUnknownFormat: what a newer Regie wrote is refused.
func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	for _, control := range []string{`{"format":2,"events":[]}`, `{"events":[]}`, `{`, ``} {
		if _, err := engine.DecodeEvents([]byte(control), nil); err == nil {
			t.Errorf("%q was read", control)
		}
	}
	if err := mustPrepare(t, chain(1)).Apply(engine.NewRun("r"), &engine.Event{Kind: "novelty"}); err == nil {
		t.Error("an unknown event was applied")
	}
}

func mustPrepare(t *testing.T, p *workflow.Program) *engine.Machine {
	t.Helper()
	m, err := engine.Prepare(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
