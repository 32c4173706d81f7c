//go:build !race

package cel_test

const underRace = false
