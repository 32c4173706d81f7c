//go:build race

package sqlite_test

// sparse thins out what tests try, one in so many: the race detector makes the
// database itself twenty times slower, and what they look for is not a race.
const sparse = 10
