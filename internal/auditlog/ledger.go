package auditlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/datadir"
)

// Signed is a checkpoint that the log has signed and kept.
type Signed struct {
	audit.Checkpoint

	// Note is the text that others are given.
	Note []byte
	// At is when it was signed; of one from before the start, when the file was
	// written last.
	At time.Time
}

// ErrDamaged: the file of checkpoints is not what was written.
var ErrDamaged = errors.New("file of checkpoints is damaged")

// maxLedgerLine is the length of the longest line of the file in bytes.
const maxLedgerLine = 2 * audit.MaxCheckpoint

// ledger keeps every checkpoint that was signed: a file that only grows.
type ledger struct {
	root *os.Root
	file *os.File
	// length is that of the whole lines; torn says that there may be more in the
	// file, which nobody was given.
	length int64
	torn   bool
	last   *Signed // nil: none yet
}

// openLedger opens the file, or makes it, and reads the last checkpoint. What a
// crash left behind it was never given to anybody, and is cut off.
func openLedger(root *os.Root, key evidence.Key) (_ *ledger, err error) {
	file, err := root.OpenFile(checkpointName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{root: root, file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return l, datadir.SyncDir(root.Open, folderName)
	}
	tail, err := lastLine(file, info.Size())
	if err != nil {
		return nil, err
	}
	if l.length = tail.end; l.length != info.Size() {
		if err := errors.Join(file.Truncate(l.length), file.Sync()); err != nil {
			return nil, err
		}
	}
	if l.length == 0 {
		return l, nil
	}
	note, c, err := evidence.OpenLine(tail.text, key)
	if err != nil {
		return nil, fmt.Errorf("%w: the last line of %s is not a checkpoint of the log %s: %w; put back what was there, or move %s away to begin a new log",
			ErrDamaged, l.path(), key.Origin(), err, filepath.Dir(l.path()))
	}
	l.last = &Signed{Checkpoint: c, Note: note, At: info.ModTime()}
	return l, nil
}

func (l *ledger) path() string { return filepath.Join(l.root.Name(), checkpointName) }

// append keeps a checkpoint: when it returns nil, it is on disk.
func (l *ledger) append(s *Signed) error {
	line, err := evidence.LineOf(s.Note)
	if err != nil {
		return err
	}
	if l.torn {
		if err := l.file.Truncate(l.length); err != nil {
			return err
		}
	}
	l.torn = true
	if _, err := l.file.WriteAt(line, l.length); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.length, l.torn, l.last = l.length+int64(len(line)), false, s
	return nil
}

// reader reads the lines that are kept now.
func (l *ledger) reader() (io.ReadCloser, error) {
	file, err := l.root.Open(checkpointName)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, l.length), file}, nil
}

func (l *ledger) close() error { return l.file.Close() }

// tail is the last whole line of a file, with its end.
type tail struct {
	text []byte
	end  int64 // where it ends in the file; 0: there is none
}

// lastLine finds the last whole line of a file of the size.
func lastLine(file io.ReaderAt, size int64) (tail, error) {
	buf := make([]byte, min(size, 2*maxLedgerLine))
	begin := size - int64(len(buf))
	if _, err := file.ReadAt(buf, begin); err != nil && !errors.Is(err, io.EOF) {
		return tail{}, err
	}
	end := bytes.LastIndexByte(buf, '\n') + 1
	if end == 0 && begin == 0 {
		return tail{}, nil
	}
	start := bytes.LastIndexByte(buf[:max(end-1, 0)], '\n') + 1
	if end == 0 || start == 0 && begin > 0 {
		return tail{}, fmt.Errorf("%w: its last line is longer than %d bytes", ErrDamaged, maxLedgerLine)
	}
	return tail{text: buf[start:end], end: begin + int64(end)}, nil
}
