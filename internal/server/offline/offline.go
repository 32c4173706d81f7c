package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// Folder is a data folder to work on. All members are needed.
type Folder struct {
	Path   string
	Owner  datadir.Owner    // this process
	Now    func() time.Time // is put on record
	Random io.Reader        // unpredictable bytes
}

// opened is a data folder that this process has, with its store.
type opened struct {
	dir   *datadir.Dir
	store *sqlite.Store
}

// open opens a data folder that is there, for this process alone.
func (f *Folder) open(ctx context.Context, acceptLoss bool) (_ *opened, err error) {
	if err := hasDatabase(f.Path); err != nil {
		return nil, err
	}
	o := &opened{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.dir, err = datadir.Open(f.Path, f.Owner); err != nil {
		return nil, err
	}
	if err := o.openStore(ctx, acceptLoss); err != nil {
		return nil, err
	}
	return o, nil
}

// hasDatabase keeps a folder from being made by looking for one.
func hasDatabase(folder string) error {
	_, err := os.Stat(filepath.Join(folder, datadir.DatabaseName))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has no database, so that it is not the data folder of a server", store.ErrNotFound, folder)
	}
	return err
}

func (o *opened) openStore(ctx context.Context, acceptLoss bool) error {
	key, err := o.dir.Key()
	if err != nil {
		return err
	}
	o.store, err = sqlite.Open(ctx, sqlite.Config{Path: o.dir.Database(), Key: key, MustExist: true, AcceptLoss: acceptLoss})
	return err
}

func (o *opened) close() error {
	var errs []error
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	if o.dir != nil {
		errs = append(errs, o.dir.Close())
	}
	return errors.Join(errs...)
}

// writer commits objects and entries where no runtime does.
type writer struct {
	store *sqlite.Store
	lease store.Lease
	now   func() time.Time
}

var _ registry.Committer = (*writer)(nil)

func (o *opened) writer(ctx context.Context, f *Folder) (*writer, error) {
	lease, err := o.store.Acquire(ctx, f.Owner.Command)
	if err != nil {
		return nil, err
	}
	return &writer{store: o.store, lease: lease, now: f.Now}, nil
}

// Write commits one batch.
func (w *writer) Write(ctx context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	b := &store.Batch{
		Sequence: w.lease.LastSequence + 1, Incarnation: w.lease.Incarnation, At: store.Time(w.now()), Objects: objects, Entries: entries,
	}
	if err := w.store.Commit(ctx, b); err != nil {
		return 0, err
	}
	w.lease.LastSequence = b.Sequence
	return b.Sequence, nil
}

// Reset lets whoever holds the data folder in again, when all admins are lost:
// see [access.Service.Reset]. It returns the admin token. Errors:
// store.ErrNotFound if it is no data folder, *datadir.HeldError if a server has
// it, and those of access.
func Reset(ctx context.Context, f Folder, user string) (secret string, err error) {
	o, err := f.open(ctx, false)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	w, err := o.writer(ctx, &f)
	if err != nil {
		return "", err
	}
	service, err := access.New(access.Config{Now: f.Now, Random: f.Random})
	if err != nil {
		return "", err
	}
	r, err := registry.Open(ctx, o.store, w, service.Tables()...)
	if err != nil {
		return "", fmt.Errorf("read users: %w", err)
	}
	service.Begin(r)
	return service.Reset(ctx, user)
}
