package auditlog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// ErrFork: the log is not a continuation of a checkpoint that it signed. It was
// cut, rewritten, or put back to an old copy.
var ErrFork = errors.New("audit log does not continue what was signed")

// Sign signs the log as it is, keeps the checkpoint and gives it to the anchors.
// When the log has not grown, it is the last one again. Errors: [ErrFork] and
// store.ErrCorrupt, wrapped, after which nothing is signed any more; others mean
// that it may be tried again.
func (s *Service) Sign(ctx context.Context) (*Signed, error) {
	s.signing.Lock()
	defer s.signing.Unlock()
	signed, err := s.sign(ctx)
	if err != nil {
		err = fmt.Errorf("sign audit log: %w", err)
		s.mu.Lock()
		s.lastError = err
		s.mu.Unlock()
		if errors.Is(err, ErrFork) || errors.Is(err, store.ErrCorrupt) {
			s.raise(err)
		}
		return nil, err
	}
	s.mu.Lock()
	s.lastError = nil
	s.mu.Unlock()
	return signed, nil
}

func (s *Service) sign(ctx context.Context) (*Signed, error) {
	if err := s.Ready(); err != nil {
		return nil, err
	}
	size, err := s.cfg.Log.AuditSize(ctx)
	if err != nil {
		return nil, err
	}
	next := audit.Checkpoint{Origin: s.keys.public.Origin(), Size: int64(size)}
	if next.Root, err = s.Root(ctx, size); err != nil {
		return nil, err
	}
	last := s.Last()
	if last != nil {
		if err := s.continues(ctx, next, last.Checkpoint, "the last checkpoint that was signed"); err != nil {
			return nil, err
		}
		if last.Size == next.Size {
			return last, nil
		}
	}
	signed := &Signed{Checkpoint: next, At: s.cfg.Clock.Now()}
	if signed.Note, err = next.Sign(s.keys.signer); err != nil {
		return nil, err
	}
	if err := s.keep(signed); err != nil {
		return nil, err
	}
	for _, r := range s.anchors {
		r.offer(signed)
	}
	return signed, nil
}

// keep makes a checkpoint durable, and the last one.
func (s *Service) keep(signed *Signed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ledger.append(signed); err != nil {
		return fmt.Errorf("keep checkpoint: %w", err)
	}
	return nil
}

// Root is [RootOf] the log.
func (s *Service) Root(ctx context.Context, size uint64) (audit.Hash, error) {
	return RootOf(ctx, s.cfg.Log, size)
}

// RootOf computes the root of a log when it had the size, from the hashes that
// are stored. store.ErrNotFound, wrapped, if it never had.
func RootOf(ctx context.Context, log Log, size uint64) (audit.Hash, error) {
	if size > audit.MaxSize {
		return audit.Hash{}, fmt.Errorf("root of the audit log: %w: it never had %d batches", store.ErrNotFound, size)
	}
	hashes, err := log.AuditHashes(ctx, audit.EdgeIndexes(int64(size)))
	if err != nil {
		return audit.Hash{}, fmt.Errorf("root of the audit log: %w", err)
	}
	edge, err := audit.NewEdge(int64(size), hashes)
	if err != nil {
		return audit.Hash{}, fmt.Errorf("root of the audit log: %w", err)
	}
	return edge.Root(), nil
}

// continues proves that the log of one checkpoint continues that of an earlier
// one, or returns ErrFork, wrapped; what names the earlier one.
func (s *Service) continues(ctx context.Context, c, old audit.Checkpoint, what string) error {
	switch {
	case old.Size > c.Size:
		return fmt.Errorf("%w: %s covers %d batches, but the log has %d: it was cut, or an old copy was put back", ErrFork, what, old.Size, c.Size)
	case old.Size == c.Size && old.Root == c.Root:
		return nil
	case old.Size == c.Size:
		return forked(what, old.Size)
	}
	proof, err := s.consistency(ctx, c.Size, old.Size)
	if err != nil {
		return err
	}
	if audit.CheckConsistency(proof, c.Size, c.Root, old.Size, old.Root) != nil {
		return forked(what, old.Size)
	}
	return nil
}

func forked(what string, size int64) error {
	return fmt.Errorf("%w: %s covers %d batches, of which the log has others: it was rewritten, or an old copy was put back and went on", ErrFork, what, size)
}

// consistency proves that a log continues an earlier one; there is no proof for
// an empty one.
func (s *Service) consistency(ctx context.Context, size, old int64) ([]audit.Hash, error) {
	if old == 0 {
		return nil, nil
	}
	return audit.ProveConsistency(size, old, s.hashes(ctx))
}

func (s *Service) hashes(ctx context.Context) audit.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) { return s.cfg.Log.AuditHashes(ctx, indexes) })
}

// Checkpoint signs the log as it is, and proves that it continues that of an
// older size (0: no proof). Errors are those of Sign; store.ErrNotFound for a
// size that the log does not have.
func (s *Service) Checkpoint(ctx context.Context, old uint64) (*Signed, []audit.Hash, error) {
	signed, err := s.Sign(ctx)
	if err != nil {
		return nil, nil, err
	}
	if old > uint64(signed.Size) {
		return nil, nil, fmt.Errorf("prove consistency: %w: the log has %d batches, not %d", store.ErrNotFound, signed.Size, old)
	}
	proof, err := s.consistency(ctx, signed.Size, int64(old))
	return signed, proof, err
}
