package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
)

// View reads a data folder, also beside the process that has it. Not safe for
// concurrent use.
type View struct {
	folder   *folder
	machines *runtime.Machines
}

// OpenView opens a data folder for reading. store.ErrNotFound, wrapped, if there
// is no run in it.
func OpenView(ctx context.Context, dir string, languages map[string]expr.Language) (*View, error) {
	f, err := home.View(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &View{folder: &folder{Folder: f}, machines: runtime.NewMachines(languages)}, nil
}

// Close ends the reading.
func (v *View) Close() error { return v.folder.Close() }

// Held reports whether a process has the folder, so that its runs go on.
func (v *View) Held() bool {
	_, held := v.folder.Dir.Holder()
	return held
}

// Runs lists the newest runs first, at most limit.
func (v *View) Runs(ctx context.Context, limit int) ([]store.RunRow, error) {
	return v.folder.Store.Runs(ctx, store.RunQuery{Limit: limit})
}

// Run reads one row. store.ErrNotFound, wrapped, if there is no such run.
func (v *View) Run(ctx context.Context, run store.RunID) (store.RunRow, error) {
	return v.folder.Store.Run(ctx, run)
}

// Machine is the engine's machine for the program of a run.
func (v *View) Machine(ctx context.Context, run store.RunID) (*engine.Machine, error) {
	return machineOf(ctx, v.folder.Store, v.machines, run)
}

func machineOf(ctx context.Context, s store.Reader, machines *runtime.Machines, run store.RunID) (*engine.Machine, error) {
	row, err := s.Run(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	return machines.Stored(ctx, s, row.Program)
}

// Events reads the events of a run that are there now, from number first (from
// 1) on, while the sequence is used. The first error ends it.
func (v *View) Events(ctx context.Context, run store.RunID, first uint64) iter.Seq2[engine.Event, error] {
	return func(yield func(engine.Event, error) bool) {
		for record, err := range v.folder.Store.Events(ctx, run, first) {
			var events []engine.Event
			if err == nil {
				events, err = engine.DecodeEvents(record.Control, record.Payload)
			}
			if err != nil {
				yield(engine.Event{}, fmt.Errorf("read events of run %s: %w", run, err))
				return
			}
			for i := range events {
				if !yield(events[i], nil) {
					return
				}
			}
		}
	}
}

// Log opens the log of an attempt. fs.ErrNotExist, wrapped, if it printed
// nothing, or has not begun.
func (v *View) Log(run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	return v.folder.ReadLog(run, act, attempt)
}

// Blob opens large data of a run, such as an artifact. blob.ErrNotFound, wrapped,
// if there is none.
func (v *View) Blob(run store.RunID, sha256 string) (io.ReadCloser, error) {
	return v.folder.Blobs.Open(string(run), sha256)
}

// WriteValue writes a value of a run as JSON, with what lies elsewhere of it.
func (v *View) WriteValue(w io.Writer, run store.RunID, of value.Value) error {
	return v.folder.Large.Write(w, string(run), of)
}

// Begun reports whether an attempt has begun: it has a folder while a process
// runs for it, or has a log. A call of a connector that has logged nothing yet
// leaves no trace.
func (v *View) Begun(run store.RunID, act engine.ActID, attempt int) bool {
	root := v.folder.Dir.Root()
	for _, name := range []string{home.LogName(run, act, attempt), path.Join(datadir.WorkName, string(run), worker.AttemptName(act, attempt))} {
		if _, err := root.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// Pending is a run that has not ended, with what it was started with.
type Pending struct {
	Run    store.RunRow
	Launch *Launch
}

// Unfinished lists the runs of a data folder that have not ended, oldest first,
// without locking it. A folder that is not there has none.
func Unfinished(ctx context.Context, dir string) (_ []Pending, err error) {
	f, err := home.View(ctx, dir)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rows, err := f.Store.LiveRuns(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Pending, 0, len(rows))
	for _, row := range rows {
		launch, err := (&folder{Folder: f}).launchOf(row.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, Pending{row, launch})
	}
	return out, nil
}
