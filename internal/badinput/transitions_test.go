package badinput

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
)

// TestTransitions: a state machine may make any number of transitions, and none
// costs more for those before it (row B74). What it costs is measured as what is
// allocated, which is nearly the same on every machine.
func TestTransitions(t *testing.T) { // not parallel: it measures
	const few, many = 4_000, 32_000
	least, most := loop(t, few), loop(t, many)
	each, later := least/few, (most-least)/(many-few)
	t.Logf("%d bytes a transition at first, %d later", each, later)
	if later > each*5/4 {
		t.Errorf("the first %d transitions took %d bytes each, those after them %d", few, each, later)
	}
}

// loop runs a machine that makes so many transitions, and returns the bytes that
// it took.
func loop(t *testing.T, transitions int) uint64 {
	t.Helper()
	source := project.NewSource("loop.asl.yaml", fmt.Appendf(nil, `
QueryLanguage: JSONata
StartAt: Begin
States:
  Begin: {Type: Pass, Assign: {n: 0}, Next: Count}
  Count: {Type: Pass, Assign: {n: "{%% $n + 1 %%}"}, Next: Enough}
  Enough:
    Type: Choice
    Choices: [{Condition: "{%% $n >= %d %%}", Next: Done}]
    Default: Count
  Done: {Type: Pass, Output: "{%% $n %%}", End: true}
`, transitions/2))
	set, problems := project.Load(local.Definitions(local.Languages()), []project.Source{source})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	regie, err := local.Open(t.Context(), local.Config{
		Dir: filepath.Join(t.TempDir(), "data"), Virtual: true, Start: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := regie.Close(); err != nil {
			t.Error(err)
		}
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	id, err := regie.Submit(t.Context(), local.Request{Program: set.Workflows[0].Program, Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	result, err := regie.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got, want := result.Output.String(), fmt.Sprint(transitions/2); result.State != engine.Succeeded || got != want {
		t.Fatalf("the run %s with %s, want %s", result.State, got, want)
	}
	return after.TotalAlloc - before.TotalAlloc
}
