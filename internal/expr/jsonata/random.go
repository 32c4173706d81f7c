package jsonata

// random is the generator SplitMix64: small, and the same in every version of
// Regie, so that a recorded seed gives the same numbers again.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is at least 0 and less than 1.
func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

func (r *random) shuffle(items []any) {
	for i := len(items) - 1; i > 0; i-- {
		j := int(r.float() * float64(i+1))
		items[i], items[j] = items[j], items[i]
	}
}
