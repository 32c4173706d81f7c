package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/datadir"
)

// Kept says what the folder of a log has.
type Kept struct {
	// Origin is the name of the log; empty: it has none yet.
	Origin string
	// Checkpoints is how many it has signed, Size how many batches the last one
	// covers, Root what that one says; zero: none.
	Checkpoints int
	Size        uint64
	Root        audit.Hash
}

// Compare checks that the log continues every checkpoint that was signed in the
// data folder, which it only reads; a server may have it at the same time. What
// the folder has comes with [ErrFork] too, which names the first checkpoint that
// does not fit. Other errors: [ErrKey], [ErrDamaged], wrapped, and those of the
// store.
func Compare(ctx context.Context, log Log, root *os.Root) (Kept, error) {
	kept, all, err := readFolder(root)
	if err != nil || len(all) == 0 {
		return kept, err
	}
	size, err := log.AuditSize(ctx)
	if err != nil {
		return kept, err
	}
	for _, k := range all {
		if k.Size > size {
			return kept, fmt.Errorf("%w: %s covers %d batches, but the log has %d: it was cut, or an old copy was put back", ErrFork, k.Name, k.Size, size)
		}
		has, err := RootOf(ctx, log, k.Size)
		if err != nil {
			return kept, err
		}
		if has != k.Root {
			return kept, forked(k.Name, int64(k.Size))
		}
	}
	return kept, nil
}

// readFolder reads the public key and what it has signed.
func readFolder(root *os.Root) (Kept, []evidence.Kept, error) {
	text, err := root.ReadFile(publicName)
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, nil, nil
	}
	if err != nil {
		return Kept{}, nil, fmt.Errorf("read public key of the audit log: %w", err)
	}
	key, err := evidence.ParseKey(string(text))
	if err != nil {
		return Kept{}, nil, fmt.Errorf("%w: %s: %w", ErrKey, filepath.Join(root.Name(), publicName), err)
	}
	kept := Kept{Origin: key.Origin()}
	file, err := root.Open(checkpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil, nil
	}
	if err != nil {
		return kept, nil, fmt.Errorf("read checkpoints: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() == 0 {
		return kept, nil, err
	}
	all, _, err := evidence.ReadKept(filepath.Join(root.Name(), checkpointName), file, key)
	if errors.Is(err, evidence.ErrKept) {
		return kept, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return kept, nil, err
	}
	last := all[len(all)-1]
	kept.Checkpoints, kept.Size, kept.Root = len(all), last.Size, last.Root
	return kept, all, nil
}

// SetAside moves the folder of the log away, so that the next start makes a key
// and with it a new log. It returns the new name of the folder, empty if there
// was none, and what it has, as far as that can be read. It is an operator's
// decision, for a data folder that this process alone has: see the package's
// rules.
func SetAside(root *os.Root, now time.Time) (name string, kept Kept, err error) {
	if _, err := root.Lstat(folderName); errors.Is(err, fs.ErrNotExist) {
		return "", Kept{}, nil
	}
	// What is damaged is no reason to stay: all of it is still there afterwards.
	kept, _, _ = readFolder(root)
	name = folderName + "-until-" + now.UTC().Format("20060102T150405.000Z")
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return "", kept, fmt.Errorf("set the audit log aside: %w: %s", fs.ErrExist, filepath.Join(root.Name(), name))
	}
	if err := errors.Join(root.Rename(folderName, name), datadir.SyncDir(root.Open, ".")); err != nil {
		return "", kept, fmt.Errorf("set the audit log aside: %w", err)
	}
	return name, kept, nil
}

// PutBack undoes SetAside, when what it was done for has failed.
func PutBack(root *os.Root, name string) error {
	if err := errors.Join(root.Rename(name, folderName), datadir.SyncDir(root.Open, ".")); err != nil {
		return fmt.Errorf("put the audit log back: %w", err)
	}
	return nil
}
