package runtime

import (
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// Limits are the bounds of a reactor. The zero value of a field means the
// constant named beside it.
type Limits struct {
	// BatchEvents, BatchRecords and BatchBytes bound the batch that is being
	// built while another one is in flight; beyond them nothing is decided
	// until that one is durable. They are passed by at most one decision.
	BatchEvents  int // MaxBatchEvents
	BatchRecords int // MaxBatchRecords
	BatchBytes   int // MaxBatchBytes, of users' data, estimated
	// RecordBytes bounds what one run may add to one batch; a run beyond it is
	// quarantined.
	RecordBytes int // store.MaxRecord
	// Backlog is how many messages wait undecided before callers are turned
	// away with ErrBusy. Results of tasks always get in: there are no more of
	// them than tasks.
	Backlog int // MaxBacklog
	// MapBytes is how much of the outputs of ended items a map has in memory.
	MapBytes int // engine.MapBytes
}

// The default bounds.
const (
	MaxBatchEvents  = 16_384
	MaxBatchRecords = 4_096
	MaxBatchBytes   = 16 << 20
	MaxBacklog      = 16_384
)

// TimerRowAfter is how far away a timer must be to get a row of its own in the
// store: nearer ones are found in their run's events.
const TimerRowAfter = time.Minute

// A commit that failed is repeated after RetryFirst, doubled each time up to
// RetryMax; so is the reading of the sequence.
const (
	RetryFirst = 50 * time.Millisecond
	RetryMax   = 5 * time.Second
)

// KeyRetention is how long an idempotency key names its run.
const KeyRetention = 30 * 24 * time.Hour

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.BatchEvents, MaxBatchEvents)
	set(&l.BatchRecords, MaxBatchRecords)
	set(&l.BatchBytes, MaxBatchBytes)
	set(&l.RecordBytes, store.MaxRecord)
	set(&l.Backlog, MaxBacklog)
	return l
}
