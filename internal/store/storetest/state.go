package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/regie-dev/regie/internal/store"
)

// State is everything that can be read of a store but hashes, which depend on
// random salts.
type State struct {
	Runs     []store.RunRow
	Live     []store.RunRow
	Events   map[store.RunID][]store.Record
	Keys     []store.Key
	Timers   []store.Timer
	Programs []string
	Objects  []store.Object // of the kinds user and token
	Entries  []store.Entry
	Changes  []store.RunID // in the order of their last change
	Leaves   []string
}

// everything is a limit that no test reaches.
const everything = 10_000

// far is after every timer of a test.
var far = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ReadState reads the state of a store, of keys and programs those named; keys
// that expired before now are left out.
func ReadState(ctx context.Context, s store.Store, runs []store.RunID, keys []store.Key, programs []store.Program, now time.Time) (State, error) {
	state := State{Events: map[store.RunID][]store.Record{}}
	var errs [5]error
	state.Runs, errs[0] = s.Runs(ctx, store.RunQuery{Limit: everything})
	state.Live, errs[1] = s.LiveRuns(ctx)
	state.Timers, errs[2] = s.Timers(ctx, far, everything)
	for _, id := range runs {
		records, err := store.Collect(s.Events(ctx, id, 1))
		errs[3] = errors.Join(errs[3], err)
		if len(records) > 0 {
			state.Events[id] = records
		}
	}
	for _, k := range keys {
		has, err := s.Key(ctx, k.Namespace, k.Key)
		switch {
		case err == nil && (has.Expires.IsZero() || has.Expires.After(now)):
			state.Keys = append(state.Keys, has)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			errs[4] = errors.Join(errs[4], err)
		}
	}
	for _, p := range programs {
		data, err := s.Program(ctx, p.Hash)
		switch {
		case err == nil:
			state.Programs = append(state.Programs, string(data))
		case !errors.Is(err, store.ErrNotFound):
			errs[4] = errors.Join(errs[4], err)
		}
	}
	err := state.readMore(ctx, s)
	return state, errors.Join(append(errs[:], err)...)
}

func (state *State) readMore(ctx context.Context, s store.Store) error {
	var errs [5]error
	for i, kind := range []string{"user", "token"} {
		var objects []store.Object
		objects, errs[i] = s.Objects(ctx, kind, store.ObjectID{}, everything)
		state.Objects = append(state.Objects, objects...)
	}
	state.Entries, errs[2] = s.Entries(ctx, store.EntryQuery{Limit: everything})
	changes, err := s.Runs(ctx, store.RunQuery{ByBatch: true, Limit: everything})
	errs[3] = err
	for i := range changes {
		state.Changes = append(state.Changes, changes[i].ID)
	}
	state.Leaves, errs[4] = readLeaves(ctx, s)
	return errors.Join(errs[:]...)
}

func readLeaves(ctx context.Context, s store.Store) ([]string, error) {
	size, err := s.AuditSize(ctx)
	if err != nil {
		return nil, err
	}
	var leaves []string
	for n := range size {
		leaf, err := s.AuditLeaf(ctx, n)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, fmt.Sprintf("%d %d %v %d %d %d %d", leaf.Sequence, leaf.Incarnation, leaf.At,
			leaf.Records, leaf.Items, leaf.Objects, leaf.Entries))
	}
	return leaves, nil
}

// same fails when the two differ.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(want, got) { // much faster than cmp on long bytes
		t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
	}
}

// must returns the value or fails.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
