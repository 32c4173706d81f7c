package sqlite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// TestCanceledRead: a read whose caller has left says so. It never takes what
// it did not read for something that is not there.
func TestCanceledRead(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "regie.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lease, err := s.Acquire(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"format":1}`)
	program := store.Program{Hash: sha256.Sum256(data), Data: data}
	batch := &store.Batch{Sequence: 1, Incarnation: lease.Incarnation, At: store.Time(time.Unix(1_700_000_000, 0)), Programs: []store.Program{program}}
	if err := s.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Program(t.Context(), program.Hash); err != nil {
		t.Fatal(err) // also: from now on a reader is there
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 200 { // whether a reader is given at all is a matter of chance
		if _, err := s.Program(gone, program.Hash); !errors.Is(err, context.Canceled) {
			t.Fatalf("program: %v", err)
		}
		if _, err := s.Key(gone, "n", "k"); !errors.Is(err, context.Canceled) {
			t.Fatalf("key: %v", err)
		}
		if rows, err := s.LiveRuns(gone); !errors.Is(err, context.Canceled) {
			t.Fatalf("live runs: %v, %v", rows, err)
		}
	}
	if _, err := s.Program(t.Context(), program.Hash); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
