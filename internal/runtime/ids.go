package runtime

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// IDs makes run IDs: 26 letters and digits that sort by the time at which they
// were made, the first ten of it the time in milliseconds, the rest random. IDs
// of one millisecond count upwards. Safe for concurrent use.
type IDs struct {
	random io.Reader

	mu     sync.Mutex
	millis uint64
	high   uint16 // the random part
	low    uint64
}

// NewIDs returns a source of IDs that draws from random, such as that of
// crypto/rand.
func NewIDs(random io.Reader) *IDs { return &IDs{random: random} }

// idAlphabet has no letters that are easily mistaken for another.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Next makes an ID. Should the time go back, the last one is used.
func (g *IDs) Next(now time.Time) (store.RunID, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if millis := uint64(now.UnixMilli()); millis > g.millis {
		var b [10]byte
		if _, err := io.ReadFull(g.random, b[:]); err != nil {
			return "", fmt.Errorf("make run ID: %w", err)
		}
		g.millis = millis
		g.high, g.low = binary.BigEndian.Uint16(b[:2]), binary.BigEndian.Uint64(b[2:])
	} else if g.low++; g.low == 0 {
		g.high++
	}
	var out [26]byte
	putTime(&out, g.millis)
	high, low := g.high, g.low
	for i := 25; i >= 10; i-- {
		out[i] = idAlphabet[low&31]
		low = low>>5 | uint64(high)<<59
		high >>= 5
	}
	return store.RunID(out[:]), nil
}

// FirstID is the ID before all that are made at the instant or later, and after
// those made in an earlier millisecond.
func FirstID(at time.Time) store.RunID {
	var out [26]byte
	putTime(&out, uint64(max(at.UnixMilli(), 0)))
	return store.RunID(out[:10])
}

func putTime(id *[26]byte, millis uint64) {
	for i := 9; i >= 0; i-- {
		id[i] = idAlphabet[millis&31]
		millis >>= 5
	}
}
