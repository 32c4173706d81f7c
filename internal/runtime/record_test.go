package runtime_test

import (
	"errors"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

func object(name string, revision uint64) store.Object {
	return store.Object{ObjectID: store.ObjectID{Kind: "user", Name: name}, Revision: revision, Data: []byte(`{}`)}
}

func writeOf(objects ...store.Object) runtime.Write {
	m := runtime.Write{Objects: objects, Entries: []store.Entry{{Actor: "user/root", Action: "user.put", Outcome: "done"}}}
	return m
}

// effectsOf picks the effects of a type.
func effectsOf[T runtime.Effect](effects []runtime.Effect) []T {
	var out []T
	for _, e := range effects {
		if e, ok := e.(T); ok {
			out = append(out, e)
		}
	}
	return out
}

// TestWriteRefused: of the writes in a batch the one whose object does not
// follow is taken out with its entries, and the others are committed.
func TestWriteRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	r, err := runtime.New(runtime.Config{}, store.Lease{Incarnation: 3, LastSequence: 7}, now)
	if err != nil {
		t.Fatal(err)
	}
	first, second, third := writeOf(object("ada", 1)), writeOf(object("bob", 1), object("eve", 4)), writeOf(object("ada", 2))
	first.Caller, second.Caller, third.Caller = 1, 2, 3
	effects := r.Handle([]runtime.Message{first, second, third}, now)

	var revision *store.RevisionError
	replies := effectsOf[runtime.Reply](effects)
	if len(replies) != 1 || replies[0].Caller != 3 || !errors.As(replies[0].Err, &revision) || revision.Have != 1 {
		t.Errorf("the second revision in one batch was answered with %+v", replies)
	}
	commits := effectsOf[runtime.Commit](effects)
	if len(commits) != 1 || len(commits[0].Batch.Objects) != 3 || len(commits[0].Batch.Entries) != 2 || commits[0].Batch.Check() != nil {
		t.Fatalf("commits: %+v", commits)
	}

	refused := &store.RevisionError{ID: object("eve", 4).ObjectID, Have: 9, Want: 4}
	effects = r.Handle([]runtime.Message{runtime.CommitDone{Incarnation: 3, Sequence: 8, Err: refused}}, now)
	if replies = effectsOf[runtime.Reply](effects); len(replies) != 1 || replies[0].Caller != 2 || !errors.Is(replies[0].Err, refused) {
		t.Errorf("replies: %+v", replies)
	}
	commits = effectsOf[runtime.Commit](effects)
	if len(commits) != 1 || len(commits[0].Batch.Objects) != 1 || commits[0].Batch.Objects[0].Name != "ada" || len(commits[0].Batch.Entries) != 1 {
		t.Fatalf("commits: %+v", commits)
	}

	effects = r.Handle([]runtime.Message{runtime.CommitDone{Incarnation: 3, Sequence: 8}}, now)
	if replies = effectsOf[runtime.Reply](effects); len(replies) != 1 || replies[0].Caller != 1 || replies[0].Position != 8 || replies[0].Err != nil {
		t.Errorf("replies: %+v", replies)
	}
}
