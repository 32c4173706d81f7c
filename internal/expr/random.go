package expr

import (
	"encoding/binary"
	"encoding/hex"
)

// Random is the generator SplitMix64: small, and the same in every version of
// Regie, so that a recorded seed gives the same numbers again. It keeps no
// secrets. It is not safe for concurrent use.
type Random struct{ state uint64 }

// NewRandom returns the generator of a seed.
func NewRandom(seed uint64) *Random { return &Random{state: seed} }

// Next is the next number of 64 bits.
func (r *Random) Next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Float is at least 0 and less than 1.
func (r *Random) Float() float64 { return float64(r.Next()>>11) / (1 << 53) }

// UUID is a UUID of version 4 (RFC 9562).
func (r *Random) UUID() string {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Next()), r.Next())
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
