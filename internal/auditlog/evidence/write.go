package evidence

import (
	"fmt"
	"io"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Writer writes an export. Its methods are called in the order of the log: each
// batch with its entries, and behind it the checkpoints of its size. It does not
// check what it is given: [Verify] does.
type Writer struct {
	w   io.Writer
	err error
}

// Header says what an export holds.
type Header struct {
	// Key is the public key, which has the name of the log too.
	Key Key
	// From is the first batch, from 1, Size the last; From-1 is at most Size.
	From, Size uint64
	// Edge are the hashes at [audit.EdgeIndexes] of From-1.
	Edge []audit.Hash
}

// NewWriter begins an export.
func NewWriter(w io.Writer, h Header) *Writer {
	out := &Writer{w: w}
	_ = out.line(headerLine{ // the next call returns it
		Format: exportFormat, Origin: h.Key.Origin(), Key: h.Key.String(), From: h.From, Size: h.Size, Edge: join(h.Edge),
	})
	return out
}

// Batch writes the next batch.
func (w *Writer) Batch(leaf *store.Leaf) error {
	hash := leaf.Hash()
	return w.line(batchLine{
		Batch: leaf.Sequence, Incarnation: leaf.Incarnation, At: leaf.At, Objects: leaf.Objects, Entries: leaf.Entries,
		Records: join(leaf.RecordHashes), Items: join(leaf.ItemHashes), Leaf: hash[:],
	})
}

// Entry writes the next entry of the batch. The salt of one whose text was taken
// out is passed over.
func (w *Writer) Entry(e *store.Entry, salt [audit.SaltSize]byte) error {
	return w.line(newEntryLine(e, salt))
}

// Checkpoint writes a signed checkpoint.
func (w *Writer) Checkpoint(signed []byte) error {
	return w.line(checkpointLine{string(signed)})
}

// line writes a line; after an error there are no more.
func (w *Writer) line(line any) error {
	if w.err != nil {
		return w.err
	}
	text, err := encode(line)
	if err == nil && len(text) > MaxLine {
		err = fmt.Errorf("a line of %d bytes is longer than %d", len(text), MaxLine)
	}
	if err == nil {
		_, err = w.w.Write(text)
	}
	if err != nil {
		w.err = fmt.Errorf("write export: %w", err)
	}
	return w.err
}
