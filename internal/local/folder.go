package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/worker"
)

type folder struct {
	dir    string
	store  store.Store
	marker *runtime.Marker
	mark   *os.File
	kept   bool
}

func openFolder(ctx context.Context, cfg *Config) (*folder, error) {
	f := &folder{dir: cfg.Dir}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	key, err := f.key(cfg.Random)
	if err != nil {
		return nil, err
	}
	if f.store, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(f.dir, "regie.db"), Key: key}); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *folder) key(random io.Reader) (key [sqlite.KeySize]byte, err error) {
	path := filepath.Join(f.dir, "key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
			return key, err
		}
		return key, os.WriteFile(path, key[:], 0o600)
	}
	copy(key[:], text)
	return key, err
}

func (f *folder) attempts() string { return filepath.Join(f.dir, "attempts") }

func (f *folder) launchOf(run store.RunID) (*Launch, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, "launches"))
	if err != nil {
		return nil, err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Name() <= string(run)+".json" {
			text, err := os.ReadFile(filepath.Join(f.dir, "launches", entries[i].Name()))
			if err != nil {
				return nil, err
			}
			return decodeLaunch(text)
		}
	}
	return &Launch{}, nil
}

func (f *folder) keepLaunch(run store.RunID, l *Launch) error {
	if f.kept {
		return nil
	}
	text, err := l.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(f.dir, "launches"), 0o700); err != nil {
		return err
	}
	f.kept = true
	return os.WriteFile(filepath.Join(f.dir, "launches", string(run)+".json"), text, 0o600)
}

func (f *folder) close() error { return f.store.Close() }

func (r *Regie) openLog(t *engine.Task) (worker.Log, error) { return nil, nil }

func machine(ctx context.Context, s store.Store, languages map[string]expr.Language, run store.RunID) (*engine.Machine, error) {
	row, err := s.Run(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	return runtime.NewMachines(languages).Stored(ctx, s, row.Program)
}

// Pending is a run that has not ended, with what it was started with.
type Pending struct {
	Run    store.RunRow
	Launch *Launch
}

// Unfinished lists the runs of a data folder that have not ended, oldest first,
// without locking it. None is no error, nor is a folder that is not there.
func Unfinished(ctx context.Context, dir string) ([]Pending, error) {
	f, err := readFolder(ctx, dir)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.close()
	rows, err := f.store.LiveRuns(ctx)
	if err != nil {
		return nil, err
	}
	var out []Pending
	for _, row := range rows {
		launch, err := f.launchOf(row.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, Pending{row, launch})
	}
	return out, nil
}

func readFolder(ctx context.Context, dir string) (*folder, error) {
	f := &folder{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, "key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", store.ErrNotFound, dir)
	}
	if err != nil {
		return nil, err
	}
	f.store, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "regie.db"), Key: [32]byte(text), MustExist: true})
	return f, err
}
