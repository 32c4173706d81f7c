//go:build !race

package sqlite_test

// sparse thins out what tests try, one in so many: everything.
const sparse = 1
