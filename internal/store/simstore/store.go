package simstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/store"
)

// Store is one process's hold on a disk.
type Store struct {
	disk *Disk
	plan Plan
	boot int

	closed      bool
	incarnation uint64
	attempts    int
	repeat      Fault // goes on for repeat.Commits more commits
	failReads   int
}

var _ store.Store = (*Store)(nil)

// Open opens the disk. It fails with store.ErrFormat if the disk names another
// format.
func Open(disk *Disk, plan Plan) (*Store, error) {
	disk.mu.Lock()
	defer disk.mu.Unlock()
	if disk.format != store.Format {
		return nil, fmt.Errorf("open: %w: %d, this Regie knows %d", store.ErrFormat, disk.format, store.Format)
	}
	return &Store{disk: disk, plan: plan, boot: disk.boots}, nil
}

// lock locks the disk for an operation of the store, if it is alive and the
// caller still there. Unlock must follow when the error is nil.
func (s *Store) lock(ctx context.Context) error {
	s.disk.mu.Lock()
	if s.closed || s.boot != s.disk.boots {
		s.disk.mu.Unlock()
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		s.disk.mu.Unlock()
		return err
	}
	return nil
}

func (s *Store) unlock() { s.disk.mu.Unlock() }

// Acquire takes the lease.
func (s *Store) Acquire(ctx context.Context, _ string) (store.Lease, error) {
	if err := s.lock(ctx); err != nil {
		return store.Lease{}, err
	}
	defer s.unlock()
	s.disk.incarnation++
	s.incarnation = s.disk.incarnation
	return store.Lease{Incarnation: s.incarnation, LastSequence: s.disk.last()}, nil
}

// LastSequence reads the sequence of the last batch.
func (s *Store) LastSequence(ctx context.Context) (uint64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.unlock()
	if s.failReads > 0 {
		s.failReads--
		return 0, fmt.Errorf("read last sequence: %w", ErrIO)
	}
	if s.incarnation != 0 && s.incarnation != s.disk.incarnation {
		return 0, fmt.Errorf("read last sequence: %w", store.ErrLeaseLost)
	}
	return s.disk.last(), nil
}

// Commit begins and completes a commit.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.unlock()
	return s.Begin(b).Complete()
}

// Pending is a commit that has begun. It is completed once, by the driver of
// the simulator; one that is never completed has never happened.
type Pending struct {
	store *Store
	batch *store.Batch
	fault Fault
	done  bool
}

// Begin begins a commit and asks the plan how it goes. The batch is copied.
func (s *Store) Begin(b *store.Batch) *Pending {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.attempts++
	fault := s.repeat
	if s.repeat.Commits > 0 {
		s.repeat.Commits--
	} else if fault = (Fault{}); s.plan != nil {
		fault = s.plan(s.attempts, b)
		s.repeat = fault
		s.repeat.Commits = max(fault.Commits, 1) - 1
	}
	return &Pending{store: s, batch: clone(b), fault: fault}
}

// Batch is what is being committed.
func (p *Pending) Batch() *store.Batch { return p.batch }

// Fault is how the commit will go.
func (p *Pending) Fault() Fault { return p.fault }

// Complete lets the commit happen, as the plan said, and returns what Commit
// would have returned. After a crash it does nothing and returns
// store.ErrClosed. To complete it twice is a mistake of the driver: it panics.
func (p *Pending) Complete() error {
	s := p.store
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if p.done {
		panic(fmt.Sprintf("simstore: commit of batch %d completed twice", p.batch.Sequence))
	}
	p.done = true
	if s.closed || s.boot != s.disk.boots {
		return store.ErrClosed
	}
	if err := p.complete(); err != nil {
		return fmt.Errorf("commit batch %d: %w", p.batch.Sequence, err)
	}
	return nil
}

func (p *Pending) complete() error {
	s := p.store
	if err := p.batch.Check(); err != nil {
		return err
	}
	s.failReads = p.fault.Reads
	switch p.fault.Kind {
	case Fail:
		return ErrIO
	case DiskFull:
		return ErrDiskFull
	case UnknownLost:
		return store.ErrUnknown
	case LeaseLost:
		s.disk.incarnation++
	case None, UnknownWritten:
	}
	switch {
	case s.incarnation == 0 || p.batch.Incarnation != s.incarnation || s.incarnation != s.disk.incarnation:
		return store.ErrLeaseLost
	case p.batch.Sequence != s.disk.last()+1:
		return fmt.Errorf("%w: the last batch is %d", store.ErrSequence, s.disk.last())
	}
	if err := s.disk.write(p.batch); err != nil {
		return err
	}
	if p.fault.Kind == UnknownWritten {
		return store.ErrUnknown
	}
	return nil
}

// Close lets go of the disk. It is idempotent.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.closed = true
	return nil
}

// clone copies a batch with everything in it that could change.
func clone(b *store.Batch) *store.Batch {
	c := *b
	c.Programs = slices.Clone(b.Programs)
	for i := range c.Programs {
		c.Programs[i].Data = slices.Clone(c.Programs[i].Data)
	}
	c.Runs = slices.Clone(b.Runs)
	c.Records = slices.Clone(b.Records)
	for i := range c.Records {
		r := &c.Records[i]
		r.Control, r.Payload = slices.Clone(r.Control), slices.Clone(r.Payload)
	}
	c.Keys = slices.Clone(b.Keys)
	c.SetTimers = slices.Clone(b.SetTimers)
	c.ClearTimers = slices.Clone(b.ClearTimers)
	c.Erase = slices.Clone(b.Erase)
	c.Prune = slices.Clone(b.Prune)
	for i := range c.Prune {
		c.Prune[i].Batches = slices.Clone(c.Prune[i].Batches)
	}
	c.Forget = slices.Clone(b.Forget)
	c.Objects = slices.Clone(b.Objects)
	for i := range c.Objects {
		c.Objects[i].Data = slices.Clone(c.Objects[i].Data)
	}
	c.Entries = slices.Clone(b.Entries)
	for i := range c.Entries {
		c.Entries[i].Detail = slices.Clone(c.Entries[i].Detail)
	}
	return &c
}
