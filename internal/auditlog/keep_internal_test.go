package auditlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
)

// recorder is an anchor that notes what it is given.
type recorder struct{ given []int64 }

func (*recorder) Kind() string   { return "test" }
func (*recorder) Target() string { return "test" }

func (r *recorder) Put(_ context.Context, c *Signed, _ History) error {
	r.given = append(r.given, c.Size)
	return nil
}

// TestNothingIsGivenBeforeItIsKept: a checkpoint that could not be kept is not
// seen by anybody, and the next try begins anew.
func TestNothingIsGivenBeforeItIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	log, err := simstore.Open(simstore.NewDisk(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Acquire(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	grow := func(sequence uint64) {
		if err := log.Commit(t.Context(), &store.Batch{Sequence: sequence, Incarnation: 1, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	anchor := &recorder{}
	s, err := Open(Config{Log: log, Root: root, Anchors: []Anchor{anchor}})
	if err != nil {
		t.Fatal(err)
	}
	grow(1)
	if _, err := s.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	grow(2)
	sound := s.ledger.file
	if s.ledger.file, err = root.Open(checkpointName); err != nil { // for reading only
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context()); !errors.Is(err, os.ErrPermission) && err == nil {
		t.Fatalf("signed without keeping: %v", err)
	}
	if s.Last().Size != 1 || s.Status().Error == nil || s.Ready() != nil {
		t.Errorf("last %d, status %+v", s.Last().Size, s.Status())
	}
	// The failed try left something in the file.
	_ = s.ledger.file.Close()
	s.ledger.file = sound
	if _, err := sound.WriteAt([]byte(`{"checkpoint":"regie/x`+"\n"), s.ledger.length); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(anchor.given) != 1 || anchor.given[0] != 2 {
		t.Errorf("given %v", anchor.given)
	}
	again, err := Open(Config{Log: log, Root: root})
	if err != nil || again.Last().Size != 2 {
		t.Fatalf("open %s: %v", filepath.Join(dir, checkpointName), err)
	}
	_ = again.Stop(t.Context())
}
