// Package badinput knows which bad inputs Regie has to withstand, and which
// tests see to it: rows_test.go lists every row with its tests and fails when one
// of them is gone. Rows that need the whole of Regie are run here, through the
// command line in memory, as the scripts below testdata say.
//
// It is for tests only and imports whatever it tests; nothing imports it.
//
//	go test ./internal/badinput -run 'TestScripts/http'
package badinput
