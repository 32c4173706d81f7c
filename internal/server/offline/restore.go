package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// ErrNoKey: the key-encryption key of a backup was not given, and is not in the
// folder.
var ErrNoKey = errors.New("the key of the backup is missing")

// Restored says what a data folder was put back to.
type Restored struct {
	sqlite.Restored

	// LastAt is when the last batch of the backup was written; zero: it has
	// none.
	LastAt time.Time
	// Live is how many runs had not ended. They go on when a server starts.
	Live int
	// Aside is where the key and the checkpoints of the former log are now, by
	// its name in the folder, and Former what they are; empty: there was none.
	Aside  string
	Former auditlog.Kept
}

// Restore makes a database of a backup in a data folder, which is made if it is
// not there, and puts that on record. The key is that of the original, in a file;
// an empty name means the one that the folder has already. Errors: [ErrNoKey],
// *datadir.HeldError, fs.ErrExist, wrapped, if there is a database, those of
// datadir.ReadKey and datadir.Dir.PutKey, and of sqlite.Restore; then nothing in
// the folder has changed, and Restore can be tried again.
func Restore(ctx context.Context, f Folder, backup, key string) (_ *Restored, err error) {
	if _, err := os.Stat(backup); err != nil { // before a folder is made
		return nil, fmt.Errorf("restore: %w", err)
	}
	o := &opened{}
	if o.dir, err = datadir.Open(f.Path, f.Owner); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := hasDatabase(f.Path); err == nil {
		return nil, fmt.Errorf("restore: %w: %s has a database; restore into another folder, or move it away", fs.ErrExist, f.Path)
	}
	kek, made, err := putKey(o.dir, key)
	if err != nil {
		return nil, err
	}
	r := &Restored{}
	if err := o.restore(ctx, &f, backup, kek, r); err != nil {
		if made {
			err = errors.Join(err, o.dir.Root().Remove(datadir.KeyFile))
		}
		return nil, err
	}
	if err := o.openStore(ctx, false); err != nil {
		return nil, err
	}
	return r, o.recordRestore(ctx, &f, r)
}

// putKey sees to it that the folder has the key, and reports whether it had
// none.
func putKey(dir *datadir.Dir, file string) (key [datadir.KeySize]byte, made bool, err error) {
	_, err = dir.Root().Lstat(datadir.KeyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	made = err != nil
	switch {
	case file == "" && made:
		return key, false, fmt.Errorf("%w: a backup does not have it", ErrNoKey)
	case file == "":
		key, err = dir.Key()
		return key, false, err
	}
	if key, err = datadir.ReadKey(file); err != nil {
		return key, false, err
	}
	return key, made, dir.PutKey(key)
}

// restore sets the former log aside and makes the database. In this order a
// crash leaves what a restore can be tried on again.
func (o *opened) restore(ctx context.Context, f *Folder, backup string, kek [datadir.KeySize]byte, r *Restored) (err error) {
	root := o.dir.Root()
	if r.Aside, r.Former, err = auditlog.SetAside(root, f.Now()); err != nil {
		return err
	}
	if r.Restored, err = sqlite.Restore(ctx, backup, sqlite.Config{Path: o.dir.Database(), Key: kek}, f.Now()); err != nil {
		if r.Aside != "" {
			err = errors.Join(err, auditlog.PutBack(root, r.Aside))
		}
		return err
	}
	return nil
}

// recordRestore reads what was restored, and puts it on record.
func (o *opened) recordRestore(ctx context.Context, f *Folder, r *Restored) error {
	if r.Batch > 0 {
		leaf, err := o.store.AuditLeaf(ctx, r.Batch-1)
		if err != nil {
			return err
		}
		r.LastAt = leaf.At
	}
	live, err := o.store.LiveRuns(ctx)
	if err != nil {
		return err
	}
	r.Live = len(live)
	w, err := o.writer(ctx, f)
	if err != nil {
		return err
	}
	detail := map[string]any{
		"restored_at": r.At.UTC().Format(time.RFC3339), "last_batch": r.Batch, "incarnation": r.Incarnation, "live_runs": r.Live,
	}
	addFormer(detail, r.Aside, r.Former)
	// A server that starts would record it, with less, had this not been done.
	return w.record(ctx, "restore", detail)
}

// record puts what was done to the installation on record.
func (w *writer) record(ctx context.Context, what string, detail map[string]any) error {
	entry := access.System(what).Done(access.Act{Action: "system." + what, Object: "installation", Detail: detail})
	_, err := w.Write(ctx, nil, []store.Entry{entry})
	return err
}

// addFormer says which log there was before.
func addFormer(detail map[string]any, aside string, former auditlog.Kept) {
	if aside == "" {
		return
	}
	detail["former_log"] = map[string]any{
		"moved_to": aside, "origin": former.Origin, "size": former.Size, "root": former.Root.String(),
	}
}

// AcceptLoss opens a folder whose database lacks batches that were committed, or
// whose mark is damaged, and puts it on record. The log that was signed goes on
// if it still fits, and is set aside otherwise, as after a restore. It returns
// how many batches are left; Aside and Former are as those of Restored. ErrSound:
// nothing is lost.
func AcceptLoss(ctx context.Context, f Folder) (_ *Accepted, err error) {
	o, err := f.open(ctx, false)
	if err == nil {
		return nil, errors.Join(ErrSound, o.close())
	}
	if !errors.Is(err, store.ErrCorrupt) {
		return nil, err
	}
	lost := err
	if o, err = f.open(ctx, true); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := o.store.Verify(ctx); err != nil {
		return nil, err
	}
	w, err := o.writer(ctx, &f)
	if err != nil {
		return nil, err
	}
	a := &Accepted{Batch: w.lease.LastSequence, Loss: lost.Error()}
	if _, err := auditlog.Compare(ctx, o.store, o.dir.Root()); err != nil {
		if !errors.Is(err, auditlog.ErrFork) && !errors.Is(err, auditlog.ErrDamaged) {
			return nil, err
		}
		if a.Aside, a.Former, err = auditlog.SetAside(o.dir.Root(), f.Now()); err != nil {
			return nil, err
		}
	}
	detail := map[string]any{"last_batch": a.Batch, "incarnation": w.lease.Incarnation, "loss": a.Loss}
	addFormer(detail, a.Aside, a.Former)
	return a, w.record(ctx, "accept_loss", detail)
}

// ErrSound: the database has all that was committed.
var ErrSound = errors.New("nothing is lost")

// Accepted says what is left.
type Accepted struct {
	Batch  uint64 // the last one that is there
	Loss   string // what was wrong
	Aside  string
	Former auditlog.Kept
}
