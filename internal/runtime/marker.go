package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/store"
)

// SuspectExits is how many unclean exits with a run in hand, without progress of
// the run between them, have it start in quarantine.
const SuspectExits = 2

// MarkerFile is what a Marker is kept in: a small file of the data folder.
type MarkerFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// Marker remembers, across the death of the process, which run was being
// decided: whatever kills a process beyond recovering (a stack that overflows,
// memory that runs out) would else kill it again at every start. Entering a run
// is one write to the file, not synced: it is to survive the process, not the
// machine. Used by one goroutine.
//
// The file begins with the run in hand, padded with spaces to a line of
// store.MaxID bytes and a newline; empty: none. Then follows a line for each
// suspect: the number of unclean exits, a space, the run.
type Marker struct {
	file     MarkerFile
	suspects map[store.RunID]int
	line     [store.MaxID + 1]byte
	inHand   bool
}

// OpenMarker reads the file and counts the unclean exit that it shows, if any.
func OpenMarker(file MarkerFile) (*Marker, error) {
	m := &Marker{file: file, suspects: map[store.RunID]int{}}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read marker of the run in hand: %w", err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if i == 0 {
			if run := store.RunID(strings.TrimSpace(line)); run.Valid() {
				m.suspects[run]++
			}
			continue
		}
		count, run, _ := strings.Cut(line, " ")
		if n, err := strconv.Atoi(count); err == nil && n > 0 && store.RunID(run).Valid() {
			m.suspects[store.RunID(run)] += n
		}
	}
	if err := m.save(); err != nil {
		return nil, err
	}
	return m, nil
}

// Enter says that the run is about to be decided; an empty ID, that it was. If the
// file fails, the process goes on, without being warned of what killed it.
func (m *Marker) Enter(run store.RunID) {
	if run == "" && !m.inHand {
		return
	}
	m.inHand = run != ""
	fill(&m.line, run)
	_, _ = m.file.WriteAt(m.line[:], 0)
}

func fill(line *[store.MaxID + 1]byte, run store.RunID) {
	n := copy(line[:store.MaxID], run)
	for i := n; i < store.MaxID; i++ {
		line[i] = ' '
	}
	line[store.MaxID] = '\n'
}

// Suspect reports whether the run was in hand at too many unclean exits.
func (m *Marker) Suspect(run store.RunID) bool { return m.suspects[run] >= SuspectExits }

// Progress clears a run of suspicion: events of it have become durable.
func (m *Marker) Progress(run store.RunID) {
	if len(m.suspects) == 0 || m.suspects[run] == 0 {
		return
	}
	delete(m.suspects, run)
	_ = m.save() // at worst it stays a suspect
}

// save writes the whole file with no run in hand.
func (m *Marker) save() error {
	var b bytes.Buffer
	fill(&m.line, "")
	m.inHand = false
	b.Write(m.line[:])
	for _, run := range slices.Sorted(maps.Keys(m.suspects)) {
		fmt.Fprintf(&b, "%d %s\n", m.suspects[run], run)
	}
	_, err := m.file.WriteAt(b.Bytes(), 0)
	err = errors.Join(err, m.file.Truncate(int64(b.Len())), m.file.Sync())
	if err != nil {
		return fmt.Errorf("write marker of the run in hand: %w", err)
	}
	return nil
}
