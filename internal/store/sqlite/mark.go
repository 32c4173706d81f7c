package sqlite

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// mark is how far the database had come when it last committed. It is written
// after each commit, without a sync: it may be older than the database, never
// newer. So a database that lacks what the mark names has lost something: its
// WAL was cut or deleted, a copy was put back, or the disk lied about a sync.
type mark struct {
	sequence    uint64
	incarnation uint64
	leaf        audit.Hash // hash of the batch's leaf; zero before the first
}

// MarkSuffix is what the name of the mark adds to that of the database.
const MarkSuffix = "-mark"

const (
	markMagic = "regiemk1"
	markSize  = len(markMagic) + 8 + 8 + 32 + 8
	// markReads is how often a mark is read that another process may be
	// writing at the moment.
	markReads = 3
)

// encode is the mark as it is stored: magic, sequence, incarnation, leaf hash,
// and the first 8 bytes of SHA-256 over these.
func (m mark) encode() [markSize]byte {
	var out [markSize]byte
	b := append(out[:0], markMagic...)
	b = binary.BigEndian.AppendUint64(b, m.sequence)
	b = binary.BigEndian.AppendUint64(b, m.incarnation)
	b = append(b, m.leaf[:]...)
	sum := sha256.Sum256(b)
	copy(out[markSize-8:], sum[:])
	return out
}

// decodeMark reads a mark. A file that was created and never written, or that
// a power cut left empty, is the zero mark.
func decodeMark(data []byte) (mark, error) {
	if len(bytes.Trim(data, "\x00")) == 0 {
		return mark{}, nil
	}
	if len(data) != markSize {
		return mark{}, fmt.Errorf("it has %d bytes, not %d", len(data), markSize)
	}
	m := mark{
		sequence:    binary.BigEndian.Uint64(data[8:]),
		incarnation: binary.BigEndian.Uint64(data[16:]),
		leaf:        audit.Hash(data[24:56]),
	}
	if m.encode() != [markSize]byte(data) {
		return mark{}, errors.New("its checksum is wrong")
	}
	return m, nil
}

// readMark reads the mark of a database; none is the zero mark.
func readMark(path string) (m mark, err error) {
	for range markReads {
		data, err := os.ReadFile(path + MarkSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			return mark{}, nil
		}
		if err != nil {
			return mark{}, fmt.Errorf("read mark: %w", err)
		}
		if m, err = decodeMark(data); err == nil {
			return m, nil
		}
	}
	return mark{}, fmt.Errorf("%w: mark file %s: %w", store.ErrCorrupt, path+MarkSuffix, err)
}

// openMark opens the mark for writing.
func openMark(path string) (*os.File, error) {
	f, err := os.OpenFile(path+MarkSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open mark: %w", err)
	}
	return f, nil
}

// writeMark writes the mark in one call, so that it is whole at any time.
func writeMark(w io.WriterAt, m mark) error {
	b := m.encode()
	_, err := w.WriteAt(b[:], 0)
	return err
}
