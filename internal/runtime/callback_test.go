package runtime_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// offered is a task whose work is offered.
func offered(id string, needs ...workflow.NodeID) workflow.Node {
	n := task(id, needs...)
	n.Task.Finish = workflow.FinishOffer
	n.Task.Heartbeat = workflow.Constant(value.String("1h"))
	return n
}

// tokenAt is the token of the last attempt of the first activation at a path,
// empty unless its work is offered.
func tokenAt(t *testing.T, s *runtime.Service, run store.RunID, path string) string {
	t.Helper()
	token := ""
	err := s.Survey(t.Context(), func(v runtime.View) bool {
		for id := engine.ActID(1); v.Row.ID == run && int(id) <= len(v.Run.Acts); id++ {
			if a := v.Run.Acts[id]; a.Path == path && v.Machine.Offered(v.Run, a) {
				token = engine.Token(v.Run, a, a.Attempt)
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func entries(disk *memory) (actions []string) {
	for _, b := range disk.batches {
		for i := range b.Entries {
			actions = append(actions, b.Entries[i].Action)
		}
	}
	return actions
}

// TestCallback: work that is offered wakes those who look for it, is taken once,
// and ends with a message; what changes nothing leaves no entry.
func TestCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		comes := s.Offers()
		run := start1(t, s, program("chain", offered("a"), offered("b", 0)))
		<-comes // or the test hangs, which is an error too
		first := tokenAt(t, s, run, "a")
		say := func(in engine.Callback, action string) ([]engine.Affected, error) {
			t.Helper()
			in.Token, in.Actor = first, "user/ada"
			done, err := s.Callback(t.Context(), run, in, noted(action))
			return done.Affected, err
		}
		if did, err := say(engine.Callback{Beat: true}, "too soon"); len(did) != 0 || err != nil {
			t.Errorf("a heartbeat that is not owed: %v, %v", did, err)
		}
		if did, err := say(engine.Callback{Taker: "w1"}, "take"); len(did) != 1 || did[0].Does != engine.DoesTake || err != nil {
			t.Errorf("take: %v, %v", did, err)
		}
		var refused *engine.Refusal
		if _, err := say(engine.Callback{Taker: "w2"}, "twice"); !errors.As(err, &refused) || errors.Is(err, engine.ErrNoWork) {
			t.Errorf("taken again: %v", err)
		}
		if did, err := say(engine.Callback{Beat: true}, "beat"); len(did) != 1 || did[0].Does != engine.DoesBeat || err != nil {
			t.Errorf("heartbeat: %v, %v", did, err)
		}
		comes = s.Offers()
		if did, err := say(engine.Callback{Output: value.Int(1)}, "complete"); len(did) != 1 || did[0].Does != engine.DoesAnswer || err != nil {
			t.Errorf("completion: %v, %v", did, err)
		}
		if _, err := say(engine.Callback{Output: value.Int(2)}, "again"); !errors.Is(err, engine.ErrNoWork) {
			t.Errorf("completed twice: %v", err)
		}
		<-comes
		if got, want := entries(disk), "take beat complete"; strings.Join(got, " ") != want {
			t.Errorf("entries %v, want %s", got, want)
		}
		// A hold keeps work from being taken, and its end wakes those who look.
		first = tokenAt(t, s, run, "b")
		if _, err := s.Hold(t.Context(), runtime.Order{Run: run, Action: orderOf()}); err != nil {
			t.Fatal(err)
		}
		if _, err := say(engine.Callback{Taker: "w1"}, "held"); !errors.As(err, &refused) || tokenAt(t, s, run, "b") != "" {
			t.Errorf("taken while it is held: %v", err)
		}
		comes = s.Offers()
		if _, err := s.Release(t.Context(), runtime.Order{Run: run, Action: orderOf()}); err != nil {
			t.Fatal(err)
		}
		<-comes
		if _, err := say(engine.Callback{Error: &engine.Error{Name: "Broken"}}, "failed"); err != nil {
			t.Error(err)
		}
		if result, err := s.Wait(t.Context(), run); err != nil || result.Error == nil || result.Error.Name != "Broken" {
			t.Errorf("result %+v, %v", result, err)
		}
		if _, err := say(engine.Callback{Output: value.Int(2)}, "late"); !errors.Is(err, engine.ErrNoWork) {
			t.Errorf("after the end of the run: %v", err)
		}
	})
}

// TestTakenStays: who has taken work has it after a restart too.
func TestTakenStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		comes := s.Offers()
		run := start1(t, s, program("one", offered("a")))
		<-comes
		token := tokenAt(t, s, run, "a")
		if _, err := s.Callback(t.Context(), run, engine.Callback{Token: token, Taker: "w1"}, nil); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
		s, _ = serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		if again := tokenAt(t, s, run, "a"); again != "" {
			t.Error("what was taken is offered again after a restart")
		}
		if _, err := s.Callback(t.Context(), run, engine.Callback{Token: token, Output: value.Int(3)}, nil); err != nil {
			t.Fatal(err)
		}
		if result, err := s.Wait(t.Context(), run); err != nil || result.State != engine.Succeeded {
			t.Errorf("result %+v, %v", result, err)
		}
	})
}
