package auditlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
)

// ErrMoved: the text of an entry was taken out while it was exported; the export
// is not whole, and must be made again.
var ErrMoved = errors.New("an entry was forgotten during the export")

// exportBuffer is how much of an export is written at once, in bytes.
const exportBuffer = 64 << 10

// Export signs the log as it is and writes all of it from a batch on (0: the
// first): every batch, its entries, and the checkpoints. Only a whole one
// verifies. Errors: store.ErrNotFound for a batch that the log does not have,
// [ErrMoved], those of Sign and of out.
func (s *Service) Export(ctx context.Context, out io.Writer, from uint64) error {
	from = max(from, 1)
	signed, err := s.Sign(ctx)
	if err != nil {
		return err
	}
	size := uint64(signed.Size)
	if from > size && from > 1 {
		return fmt.Errorf("export audit log: %w: batch %d in a log of %d", store.ErrNotFound, from, size)
	}
	edge, err := s.cfg.Log.AuditHashes(ctx, audit.EdgeIndexes(int64(from-1)))
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	kept, err := s.kept()
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	defer kept.Close()
	buffer := bufio.NewWriterSize(out, exportBuffer)
	w := evidence.NewWriter(buffer, evidence.Header{Key: s.keys.public, From: from, Size: size, Edge: edge})
	e := export{s: s, w: w, kept: bufio.NewReader(kept), size: size}
	if err := e.run(ctx, from); err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return buffer.Flush()
}

// kept reads the checkpoints that are kept now.
func (s *Service) kept() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.reader()
}

type export struct {
	s    *Service
	w    *evidence.Writer
	kept *bufio.Reader
	size uint64

	next     uint64 // size of the checkpoint in nextNote; 0 with none
	nextNote []byte
}

func (e *export) run(ctx context.Context, from uint64) error {
	if err := e.advance(); err != nil {
		return err
	}
	for e.nextNote != nil && e.next < from && e.next < e.size {
		if err := e.advance(); err != nil {
			return err
		}
	}
	for sequence := from; sequence <= e.size; sequence++ {
		if err := e.batch(ctx, sequence); err != nil {
			return err
		}
		if err := e.checkpoints(sequence); err != nil {
			return err
		}
	}
	return e.checkpoints(e.size) // of an empty log
}

// batch writes a batch with its entries.
func (e *export) batch(ctx context.Context, sequence uint64) error {
	leaf, err := e.s.cfg.Log.AuditLeaf(ctx, sequence-1)
	if err != nil {
		return err
	}
	if err := e.w.Batch(&leaf); err != nil {
		return err
	}
	for position := range leaf.Entries {
		entry, ev, err := e.s.cfg.Log.EntryEvidence(ctx, store.EntryID{Batch: sequence, Position: position})
		if err != nil {
			return err
		}
		if entry.Forgotten > e.size {
			return fmt.Errorf("%w: entry %s by batch %d", ErrMoved, entry.ID, entry.Forgotten)
		}
		if err := e.w.Entry(&entry, ev.Salt); err != nil {
			return err
		}
	}
	return nil
}

// checkpoints writes those of the size.
func (e *export) checkpoints(size uint64) error {
	for e.nextNote != nil && e.next == size {
		if err := e.w.Checkpoint(e.nextNote); err != nil {
			return err
		}
		if err := e.advance(); err != nil {
			return err
		}
	}
	return nil
}

// advance reads the next checkpoint that is kept.
func (e *export) advance() error {
	line, err := e.kept.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		e.next, e.nextNote = 0, nil
		return nil
	}
	if err != nil {
		return err
	}
	signed, c, err := evidence.OpenLine(line, e.s.keys.public)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, e.s.ledger.path(), err)
	}
	e.next, e.nextNote = uint64(c.Size), signed
	return nil
}
