package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Errors. They come wrapped.
var (
	// ErrNotFound: the run has no such blob.
	ErrNotFound = errors.New("blob not found")
	// ErrDamaged: what is stored is not what was put.
	ErrDamaged = errors.New("blob is damaged")
	// ErrTooLarge is a *[LimitError].
	ErrTooLarge = errors.New("blob is too large")
)

// LimitError says which bound a blob would pass.
type LimitError struct {
	// Run says that the bound is that of all blobs of a run together.
	Run   bool
	Limit int64 // bytes
}

func (e *LimitError) Error() string {
	if e.Run {
		return fmt.Sprintf("the run would keep more than %d bytes of large data", e.Limit)
	}
	return fmt.Sprintf("it has more than %d bytes", e.Limit)
}

func (e *LimitError) Unwrap() error { return ErrTooLarge }

// Ref names a blob of a run.
type Ref struct {
	SHA256 string // 64 lower-case hexadecimal digits
	Size   int64  // bytes
}

// Store keeps blobs. Implementations are safe for concurrent use.
type Store interface {
	// Put keeps what r has, to its end, and returns once that is durable. A
	// blob that is there already is kept once. Errors: *[LimitError]; an error
	// of r is passed on, and nothing is kept then.
	Put(ctx context.Context, run string, r io.Reader) (Ref, error)
	// Open reads a blob. What it gives is compared with the name: the last read
	// returns [ErrDamaged] in place of io.EOF if they differ. [ErrNotFound] if
	// there is none. The caller closes it.
	Open(run, sha256 string) (io.ReadCloser, error)
}

// Lister knows which blobs runs have.
type Lister interface {
	// ListBlobs are the blobs of a run, in the order of their names.
	ListBlobs(run string) ([]Ref, error)
}

// Remover takes the blobs of runs away.
type Remover interface {
	// RemoveBlobs deletes all blobs of a run, durably, and returns how many
	// there were. To delete those of a run that has none is no error.
	RemoveBlobs(run string) (int, error)
	// BlobOwners are the runs that have blobs, in order.
	BlobOwners() ([]string, error)
}
