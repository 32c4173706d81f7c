//go:build race

package cel_test

// underRace says that the race detector is on, which makes sync.Pool forget
// and so memory counts useless.
const underRace = true
