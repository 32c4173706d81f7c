package auditlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
)

// ErrForgotten: the text of the entry was taken out; there is nothing to prove.
var ErrForgotten = errors.New("text of the entry was taken out")

// ProveEntry is the document that proves an entry to whoever has the public key:
// see evidence.Verify. Errors: store.ErrNotFound, [ErrForgotten], those of Sign.
func (s *Service) ProveEntry(ctx context.Context, id store.EntryID) ([]byte, error) {
	e, ev, err := s.cfg.Log.EntryEvidence(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("prove entry %s: %w", id, err)
	}
	if e.Forgotten != 0 {
		return nil, fmt.Errorf("prove entry %s: %w by batch %d", id, ErrForgotten, e.Forgotten)
	}
	// Signed after it was read: what was read is covered.
	signed, err := s.Sign(ctx)
	if err != nil {
		return nil, err
	}
	path, err := s.path(ctx, ev, signed)
	if err != nil {
		return nil, fmt.Errorf("prove entry %s: %w", id, err)
	}
	doc := evidence.NewProof(s.keys.public, signed.Note)
	if doc.Entry, err = evidence.NewProvenEntry(&e, ev.Salt, &path); err != nil {
		return nil, fmt.Errorf("prove entry %s: %w", id, err)
	}
	return doc.Encode()
}

// ProveRun is the document that proves what happened to a run: the control facts
// of its events, and commitments to the values. Errors: store.ErrNotFound,
// evidence.ErrTooLarge, those of Sign.
func (s *Service) ProveRun(ctx context.Context, run store.RunID) ([]byte, error) {
	signed, err := s.Sign(ctx)
	if err != nil {
		return nil, err
	}
	doc := evidence.NewProof(s.keys.public, signed.Note)
	doc.Run = string(run)
	size := 0
	for first := uint64(1); ; {
		r, ev, err := s.cfg.Log.RecordEvidence(ctx, run, first)
		if errors.Is(err, store.ErrNotFound) && first > 1 || err == nil && ev.Batch > uint64(signed.Size) {
			break // what came after the checkpoint is for the next one
		}
		if err != nil {
			return nil, fmt.Errorf("prove run %s: %w", run, err)
		}
		path, err := s.path(ctx, ev, signed)
		if err != nil {
			return nil, fmt.Errorf("prove run %s: %w", run, err)
		}
		proven, err := evidence.NewProvenRecord(&r, ev.Commitment, &path)
		if err != nil {
			return nil, fmt.Errorf("prove run %s: %w", run, err)
		}
		doc.Records = append(doc.Records, proven)
		first = r.First + r.Count
		if size += len(r.Control); size > evidence.MaxProof {
			return nil, fmt.Errorf("prove run %s: %w", run, evidence.ErrTooLarge)
		}
	}
	if len(doc.Records) == 0 {
		return nil, fmt.Errorf("prove run %s: %w", run, store.ErrNotFound)
	}
	return doc.Encode()
}

// path leads from the evidence to a signed checkpoint.
func (s *Service) path(ctx context.Context, ev store.Evidence, signed *Signed) (audit.Proof, error) {
	leaf, err := s.cfg.Log.AuditLeaf(ctx, ev.Batch-1)
	if err != nil {
		return audit.Proof{}, err
	}
	return audit.Prove(leaf.Leaf, slices.Concat(leaf.RecordHashes, leaf.ItemHashes), ev.Index, signed.Size, s.hashes(ctx))
}
