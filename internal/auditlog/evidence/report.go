package evidence

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// DefaultTolerance is how far the time of a batch may lie before that of an
// earlier one, if [Options] does not say: clocks are set back a little when a
// server starts again.
const DefaultTolerance = 5 * time.Minute

// Options says against what a document is verified.
type Options struct {
	// Key is the log's public key, which the verifier had from somewhere else.
	Key Key
	// Kept are checkpoints that were kept elsewhere (see [ReadKept]), in any
	// order. Each must be one of the same log.
	Kept []Kept
	// Tolerance is how far times may go back; 0: DefaultTolerance.
	Tolerance time.Duration
}

func (o *Options) tolerance() time.Duration {
	if o.Tolerance == 0 {
		return DefaultTolerance
	}
	return o.Tolerance
}

// Kinds of documents.
const (
	KindExport = "export"
	KindProof  = "proof"
)

// Report is what came of a verification.
type Report struct {
	Kind   string // KindExport or KindProof, empty if neither was recognised
	Origin string
	// From and Size are the first and the last batch that were looked into, as
	// far as it came; of a proof Size is that of the checkpoint.
	From, Size uint64
	// FirstAt and LastAt are the times of the first and the last batch; of an
	// entry both are that of its batch.
	FirstAt, LastAt time.Time
	// Records, Items and Entries were found, Forgotten of the entries without
	// their text. Checkpoints are the signatures that were checked, Compared
	// those that were kept elsewhere.
	Records, Items, Entries, Forgotten uint64
	Checkpoints, Compared              int
	// Fault is the first thing that is wrong; nil: all is well.
	Fault *Fault
	// Limits says what the document cannot tell.
	Limits []string

	// Entry is what a proof of an entry proves, Run and Events what one of a run
	// does: its events from 1 to Events.
	Entry  *store.Entry
	Run    string
	Events uint64
}

// Fault is what is wrong with a document.
type Fault struct {
	// Line is where in the document, from 1; 0: in a proof, or at no one place.
	Line int
	// First and Last bound the batches of which one is not what it was; equal
	// where it is known which, 0 where the fault is none of a batch.
	First, Last uint64
	What        string
}

// String is the fault with its batches.
func (f *Fault) String() string {
	switch f.First {
	case 0:
		return f.What
	case f.Last:
		return fmt.Sprintf("batch %d: %s", f.First, f.What)
	}
	return fmt.Sprintf("batches %d to %d: %s", f.First, f.Last, f.What)
}

// faultError carries a fault up to where it is reported.
type faultError struct{ Fault }

func (f *faultError) Error() string { return f.String() }

// stamp is a time as people read it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
