package native

// bitset is a set of small numbers: the steps of one scope.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) add(i int) { b[i/64] |= 1 << (i % 64) }

// union adds the members of other.
func (b bitset) union(other bitset) {
	for i := range other {
		b[i] |= other[i]
	}
}

// intersect keeps the members that other has too.
func (b bitset) intersect(other bitset) {
	for i := range b {
		b[i] &= other[i]
	}
}
