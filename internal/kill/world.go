package kill

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // the driver is called sqlite3
)

// world is what tasks do outside of Regie: a book of their beginnings and ends,
// and a database that SQL steps write to.
type world struct {
	dir string
	db  *sql.DB

	mu     sync.Mutex
	file   *os.File
	rest   []byte
	began  map[string]int // "run step attempt" to how often
	doing  int
	lasts  int // ends of last steps
	strays []string
}

func openWorld(dir string) (*world, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the world: %w", err)
	}
	w := &world{dir: dir, began: map[string]int{}}
	var err error
	if w.file, err = os.OpenFile(w.book(), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("make the world: %w", err)
	}
	if w.db, err = sql.Open("sqlite3", "file:"+filepath.Join(dir, "world.db")+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(30000)"); err != nil {
		return nil, errors.Join(fmt.Errorf("make the world: %w", err), w.close())
	}
	if _, err := w.db.ExecContext(context.Background(), `CREATE TABLE booked (run TEXT NOT NULL)`); err != nil {
		return nil, errors.Join(fmt.Errorf("make the world: %w", err), w.close())
	}
	return w, nil
}

func (w *world) close() error {
	var errs []error
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	return errors.Join(append(errs, w.file.Close())...)
}

// book is where tasks write.
func (w *world) book() string { return filepath.Join(w.dir, "book") }

// read takes in what tasks have written since.
func (w *world) read() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, err := io.ReadAll(bufio.NewReader(w.file))
	if err != nil {
		return fmt.Errorf("read the world's book: %w", err)
	}
	w.rest = append(w.rest, text...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return nil
		}
		w.rest = rest
		kind, what, _ := strings.Cut(string(line), " ")
		switch whole := strings.Count(what, " ") == 2; { // run, step and attempt
		case whole && kind == "began":
			w.began[what]++
			w.doing++
		case whole && kind == "ended":
			w.doing--
			if strings.Contains(what, " last ") {
				w.lasts++
			}
		default:
			w.strays = append(w.strays, string(line))
		}
	}
}

// beginnings are those of tasks, by "run step attempt", with the lines of the book
// that are none.
func (w *world) beginnings() (began map[string]int, strays []string, err error) {
	if err := w.read(); err != nil {
		return nil, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.began), slices.Clone(w.strays), nil
}

// inFlight is how many tasks have begun and not ended.
func (w *world) inFlight() int {
	if err := w.read(); err != nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.doing
}

// await waits until so many tasks are in flight.
func (w *world) await(ctx context.Context, n int) error {
	looks := time.NewTicker(10 * time.Millisecond)
	defer looks.Stop()
	late := time.NewTimer(settleTime)
	defer late.Stop()
	for w.inFlight() < n {
		select {
		case <-looks.C:
		case <-late.C:
			return fmt.Errorf("there were never %d attempts in flight, but %d", n, w.inFlight())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// booked counts what SQL steps wrote, by run.
func (w *world) booked(ctx context.Context) (map[string]int, error) {
	rows, err := w.db.QueryContext(ctx, `SELECT run, count(*) FROM booked GROUP BY run`)
	if err != nil {
		return nil, fmt.Errorf("read the world's table: %w", err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var run string
		var n int
		if err := rows.Scan(&run, &n); err != nil {
			return nil, fmt.Errorf("read the world's table: %w", err)
		}
		out[run] = n
	}
	return out, rows.Err()
}

// finished is about how many runs have ended: those whose last step has.
func (w *world) finished() int {
	if err := w.read(); err != nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lasts
}
