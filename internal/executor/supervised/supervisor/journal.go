package supervisor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const (
	journalFormat = 1
	recordHead    = 8
	// maxSlack is how much of the journal may belong to released tasks before
	// it is written anew, in bytes, if that is more than half of it.
	maxSlack = 16 << 20
)

func journalMagic() []byte { return binary.LittleEndian.AppendUint32([]byte("RGSJ"), journalFormat) }

// entry is the header of a record: a task ended, or was released. Attachments
// of an end: those of the result, then, if Spooled, what the task printed, as a
// log.
type entry struct {
	Dir      []byte       `json:"dir"`
	Result   *wire.Result `json:"result,omitempty"`
	Spooled  bool         `json:"spooled,omitempty"`
	Released bool         `json:"released,omitempty"`
}

// kept is the end of a task that was not released.
type kept struct {
	payload []byte // of the record
	result  *wire.Result
	// attachments are those of the result; spool is what the task printed, nil
	// if that stands in a file.
	attachments [][]byte
	spool       []byte
}

func decodeKept(payload []byte) (dir string, k *kept, err error) {
	var e entry
	attachments, err := wire.DecodeMessage(payload, &e)
	if err != nil {
		return "", nil, err
	}
	if e.Result == nil {
		return string(e.Dir), nil, nil
	}
	k = &kept{payload: payload, result: e.Result, attachments: attachments}
	if e.Spooled {
		if len(attachments) == 0 {
			return "", nil, errors.New("the spool is missing")
		}
		k.attachments, k.spool = attachments[:len(attachments)-1], attachments[len(attachments)-1]
	}
	return string(e.Dir), k, nil
}

// journal keeps on disk how tasks ended, until they are released. Ends that come
// while one is being synced are synced together. Safe for concurrent use.
//
// The file begins with "RGSJ" and the format, 1, in 4 bytes. Then come records:
// the length of the payload in 4 bytes, its CRC-32C in 4, and the payload, a
// message of package wire with an [entry]. Numbers are little-endian. What
// follows a record that is cut or does not match its sum does not count.
type journal struct {
	path   string
	folder *os.File // that it is in

	mu      sync.Mutex
	file    *os.File
	renamed bool // the name of file may not be durable yet
	size    int64
	slack   int64 // bytes of records that do not count any more, see write
	kept    map[string]*kept
	next    *batch // what the next sync takes
	busy    bool   // somebody syncs
}

// batch is what is written and synced together.
type batch struct {
	text []byte
	done chan struct{}
	err  error
}

// openJournal reads the journal and writes it anew, without what was released,
// and without the ends of tasks whose folder is gone.
func openJournal(path string) (*journal, error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	j := &journal{path: path, folder: folder, kept: map[string]*kept{}}
	if err = j.load(); err == nil {
		for dir := range j.kept {
			if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
				delete(j.kept, dir)
			}
		}
		err = j.rewrite()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", path, err), j.closeFiles())
	}
	return j, nil
}

func (j *journal) load() error {
	text, err := os.ReadFile(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	magic := journalMagic()
	if len(text) < len(magic) {
		return nil // cut while it was made
	}
	if string(text[:4]) != string(magic[:4]) {
		return errors.New("is no journal of a supervisor")
	}
	if format := binary.LittleEndian.Uint32(text[4:]); format != journalFormat {
		return fmt.Errorf("it has format %d, this Regie knows %d; use the newer Regie", format, journalFormat)
	}
	for rest := text[len(magic):]; len(rest) >= recordHead; {
		n := binary.LittleEndian.Uint32(rest)
		if n == 0 || uint64(n) > uint64(len(rest)-recordHead) { // zeros are what a crash may leave
			break
		}
		payload := rest[recordHead : recordHead+n]
		if crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(rest[4:]) {
			break
		}
		rest = rest[recordHead+n:]
		dir, k, err := decodeKept(payload)
		if err != nil {
			return err
		}
		if k == nil {
			delete(j.kept, dir)
			continue
		}
		j.kept[dir] = k
	}
	return nil
}

func appendEntry(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, payload...)
}

// rewrite puts what is kept into a new file in place of the old one. After an
// error the journal goes on in the file that has the name.
func (j *journal) rewrite() error {
	f, err := os.OpenFile(j.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size := int64(0)
	write := func(b []byte) {
		if err == nil {
			var n int
			n, err = f.Write(b)
			size += int64(n)
		}
	}
	write(journalMagic())
	for _, k := range j.kept {
		write(appendEntry(nil, k.payload))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(j.path+".new", j.path)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.size, j.slack = f, size, 0
	j.renamed = true
	if err := j.folder.Sync(); err != nil {
		return err
	}
	j.renamed = false
	return nil
}

// end keeps how a task ended. It returns when that is durable, or with the
// error that it is not; it is kept in memory in any case.
func (j *journal) end(dir string, k *kept) error {
	j.mu.Lock()
	j.kept[dir] = k
	b := j.add(k.payload)
	j.sync()
	j.mu.Unlock()
	<-b.done
	return b.err
}

// release forgets a task. That need not be durable: a task whose folder is gone
// is forgotten anyway.
func (j *journal) release(dir string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := j.kept[dir]
	if k == nil {
		return
	}
	delete(j.kept, dir)
	payload, err := wire.EncodeMessage(entry{Dir: []byte(dir), Released: true})
	if err != nil {
		return
	}
	j.slack += int64(2*recordHead + len(k.payload) + len(payload))
	j.add(payload)
}

// find returns how a task ended, nil if that is not kept.
func (j *journal) find(dir string) *kept {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.kept[dir]
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.kept)
}

// add puts a record into the next batch. The lock is held.
func (j *journal) add(payload []byte) *batch {
	if j.next == nil {
		j.next = &batch{done: make(chan struct{})}
	}
	j.next.text = appendEntry(j.next.text, payload)
	return j.next
}

// sync lets somebody write the next batch, and those that come meanwhile. The
// lock is held.
func (j *journal) sync() {
	if j.busy {
		return
	}
	j.busy = true
	go func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		for j.next != nil {
			b := j.next
			j.next = nil
			j.write(b)
			close(b.done)
		}
		j.busy = false
	}()
}

// write makes a batch durable. The lock is held, but not while the disk works.
func (j *journal) write(b *batch) {
	if j.slack > maxSlack && j.slack > j.size/2 {
		// What the batch says is in what is kept already.
		if j.rewrite() == nil {
			return
		}
		j.slack = 0 // try again when as much has come again
	}
	file, size, renamed := j.file, j.size, j.renamed
	j.mu.Unlock()
	_, err := file.WriteAt(b.text, size)
	if err == nil {
		err = datasync(file)
	}
	if err == nil && renamed {
		err = j.folder.Sync()
	}
	if err != nil {
		err = errors.Join(err, file.Truncate(size))
	}
	j.mu.Lock()
	if err != nil {
		b.err = fmt.Errorf("write journal: %w", err)
		return
	}
	j.size += int64(len(b.text))
	j.renamed = false
}

// close waits for what is being written.
func (j *journal) close() error {
	j.mu.Lock()
	b := j.next
	if b != nil {
		j.sync()
	}
	j.mu.Unlock()
	if b != nil {
		<-b.done
	}
	return j.closeFiles()
}

func (j *journal) closeFiles() error {
	err := j.folder.Close()
	if j.file != nil {
		err = errors.Join(err, j.file.Close())
	}
	return err
}

// reader of what a task printed, from the journal.
func (k *kept) reader() io.ReaderAt { return readerAt(k.spool) }

type readerAt []byte

func (r readerAt) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
