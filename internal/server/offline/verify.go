package offline

import (
	"context"
	"errors"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// Verified says what a check has come to.
type Verified struct {
	// Fault is the first thing that is wrong: store.ErrCorrupt,
	// store.ErrWrongKey or auditlog.ErrFork, wrapped; nil: nothing is.
	Fault error
	// Batches is how many there are, and Root the root of the log over them.
	Batches uint64
	Root    audit.Hash
	// Kept are the checkpoints that the log was compared with.
	Kept auditlog.Kept
}

// Verify checks all that a data folder has, also beside the server that has it:
// the database against its own log, and the log against everything that was
// signed. Errors: store.ErrNotFound if it is no data folder, and those that kept
// the check from being made.
func Verify(ctx context.Context, path string) (_ *Verified, err error) {
	f, err := home.View(ctx, path)
	if err != nil {
		return faultOf(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	v, err := verify(ctx, f.Store)
	if err != nil || v.Fault != nil {
		return v, err
	}
	if v.Kept, err = auditlog.Compare(ctx, f.Store, f.Dir.Root()); errors.Is(err, auditlog.ErrFork) || errors.Is(err, auditlog.ErrDamaged) {
		v.Fault, err = err, nil
	}
	return v, err
}

// VerifyBackup checks a backup as it lies there. The key is in a file.
func VerifyBackup(ctx context.Context, file, key string) (_ *Verified, err error) {
	kek, err := datadir.ReadKey(key)
	if err != nil {
		return nil, err
	}
	s, err := sqlite.OpenBackup(ctx, sqlite.Config{Path: file, Key: kek})
	if err != nil {
		return faultOf(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return verify(ctx, s)
}

// faultOf tells what is wrong with the data from what kept it from being read.
func faultOf(err error) (*Verified, error) {
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrWrongKey) {
		return &Verified{Fault: err}, nil
	}
	return nil, err
}

func verify(ctx context.Context, s *sqlite.Store) (*Verified, error) {
	v := &Verified{}
	var err error
	if v.Batches, err = s.AuditSize(ctx); err != nil {
		return faultOf(err)
	}
	if err := s.Verify(ctx); err != nil {
		return faultOf(err)
	}
	if v.Root, err = auditlog.RootOf(ctx, s, v.Batches); err != nil {
		return nil, err
	}
	return v, nil
}
