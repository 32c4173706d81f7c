package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

var _ executor.Beater = (*Executor)(nil)

// LastBeat implements [executor.Beater].
func (*Executor) LastBeat(h executor.Handle) (time.Time, error) {
	dir, ok := Folder(h)
	if !ok {
		return time.Time{}, nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look for heartbeats: %w", err)
	}
	defer root.Close()
	var last time.Time
	for _, name := range []string{heartbeatFile, checkpointFile} {
		info, err := root.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return time.Time{}, fmt.Errorf("look for heartbeats: %w", err)
		case info.ModTime().After(last):
			last = info.ModTime()
		}
	}
	return last, nil
}
