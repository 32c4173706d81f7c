package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// Prepared is a program that runs can be started with.
type Prepared struct {
	Machine *engine.Machine
	Stored  store.Program
}

// Machines prepares programs, each once. Safe for concurrent use.
type Machines struct {
	languages map[string]expr.Language

	mu     sync.Mutex
	byHash map[[32]byte]*Prepared
}

// NewMachines returns an empty cache; nobody may change languages afterwards.
func NewMachines(languages map[string]expr.Language) *Machines {
	return &Machines{languages: languages, byHash: map[[32]byte]*Prepared{}}
}

// Prepare links a compiled program.
func (m *Machines) Prepare(p *workflow.Program) (*Prepared, error) {
	data, hash, err := workflow.Encode(p)
	if err != nil {
		return nil, err
	}
	return m.get(hash, func() (*workflow.Program, []byte, error) { return p, data, nil })
}

// Stored links a program from the store.
func (m *Machines) Stored(ctx context.Context, s store.Reader, hash [32]byte) (*engine.Machine, error) {
	p, err := m.Prepared(ctx, s, hash)
	if err != nil {
		return nil, err
	}
	return p.Machine, nil
}

// Prepared links a program from the store, for runs to be started with. Nobody
// may change what it returns.
func (m *Machines) Prepared(ctx context.Context, s store.Reader, hash [32]byte) (*Prepared, error) {
	return m.get(hash, func() (*workflow.Program, []byte, error) {
		data, err := s.Program(ctx, hash)
		if err != nil {
			return nil, nil, fmt.Errorf("read program %x: %w", hash[:4], err)
		}
		p, err := workflow.Decode(data)
		if err != nil {
			return nil, nil, unreadable{err}
		}
		return p, data, nil
	})
}

func (m *Machines) get(hash [32]byte, program func() (*workflow.Program, []byte, error)) (*Prepared, error) {
	m.mu.Lock()
	known := m.byHash[hash]
	m.mu.Unlock()
	if known != nil {
		return known, nil
	}
	p, data, err := program()
	if err != nil {
		return nil, err
	}
	machine, err := engine.Prepare(p, m.languages)
	if err != nil {
		return nil, unreadable{err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if first := m.byHash[hash]; first != nil {
		return first, nil
	}
	known = &Prepared{Machine: machine, Stored: store.Program{Hash: hash, Data: data}}
	m.byHash[hash] = known
	return known, nil
}

// unreadable is data that this Regie cannot use, however often it reads it.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// Fold reads the events of a run and folds them. Damaged or unknown data gives
// an error; so does a run without events.
func Fold(ctx context.Context, s store.Reader, machine *engine.Machine, id store.RunID) (*engine.Run, error) {
	run := engine.NewRun(string(id))
	if err := foldInto(ctx, s, machine, run); err != nil {
		return nil, err
	}
	return run, nil
}

func foldInto(ctx context.Context, s store.Reader, machine *engine.Machine, run *engine.Run) error {
	for record, err := range s.Events(ctx, store.RunID(run.ID), 1) {
		if err != nil {
			return fmt.Errorf("read events of run %s: %w", run.ID, err)
		}
		if err := fold(machine, run, &record); err != nil {
			return unreadable{fmt.Errorf("fold events of run %s from %d: %w", run.ID, record.First, err)}
		}
	}
	if run.Sequence == 0 {
		return unreadable{fmt.Errorf("run %s has no events", run.ID)}
	}
	return nil
}

func fold(machine *engine.Machine, run *engine.Run, record *store.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if record.First != run.Sequence+1 {
		return fmt.Errorf("events are missing after %d", run.Sequence)
	}
	events, err := engine.DecodeEvents(record.Control, record.Payload)
	if err != nil {
		return err
	}
	if uint64(len(events)) != record.Count {
		return fmt.Errorf("%d events, want %d", len(events), record.Count)
	}
	for i := range events {
		if err := machine.Apply(run, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// Load reads all live runs, as messages for the first call of a reactor. A run
// that cannot be read or folded comes with the reason; an error is returned only
// when the store itself fails.
func Load(ctx context.Context, s store.Reader, machines *Machines) ([]Message, error) {
	rows, err := s.LiveRuns(ctx)
	if err != nil {
		return nil, fmt.Errorf("list live runs: %w", err)
	}
	msgs := make([]Message, 0, len(rows))
	for _, row := range rows {
		m := Loaded{Row: row}
		m.Machine, m.Err = machines.Stored(ctx, s, row.Program)
		if m.Err == nil {
			m.Run, m.Err = Fold(ctx, s, m.Machine, row.ID)
		}
		if m.Err != nil && !Unreadable(m.Err) {
			return nil, m.Err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// LoadEnded reads a run that has ended. Err says why it cannot go on:
// store.ErrNotFound, ErrNotLive for one that has not ended, ErrErased.
func LoadEnded(ctx context.Context, s store.Reader, machines *Machines, ask Reload) Loaded {
	id := ask.Run
	m := Loaded{Row: store.RunRow{ID: id}}
	row, err := s.Run(ctx, id)
	if err != nil {
		m.Err = fmt.Errorf("read run %s: %w", id, err)
		return m
	}
	if m.Row = row; !row.Ended() {
		m.Err = fmt.Errorf("%w: run %s is %s on disk", ErrNotLive, id, row.State)
		return m
	}
	if row.Erased > 0 {
		m.Err = fmt.Errorf("run %s: %w", id, ErrErased)
		return m
	}
	if m.Machine, m.Err = machines.Stored(ctx, s, row.Program); m.Err != nil {
		return m
	}
	if m.Run, m.Err = Fold(ctx, s, m.Machine, id); m.Err != nil || ask.Past == nil {
		return m
	}
	m.Past = engine.NewPast(string(id), ask.Past)
	m.Err = foldInto(ctx, s, m.Machine, m.Past)
	return m
}

// Unreadable reports whether an error of reading a program or a run lies in what
// was read, not in the reading: trying again is no use.
func Unreadable(err error) bool {
	var u unreadable
	return errors.As(err, &u) || errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrFormat) || errors.Is(err, store.ErrNotFound)
}

// LastAt is the time of the last batch on disk, zero if there is none.
func LastAt(ctx context.Context, s store.Auditor) (time.Time, error) {
	size, err := s.AuditSize(ctx)
	if err != nil || size == 0 {
		return time.Time{}, err
	}
	leaf, err := s.AuditLeaf(ctx, size-1)
	if err != nil {
		return time.Time{}, fmt.Errorf("read time of the last batch: %w", err)
	}
	return leaf.At, nil
}
