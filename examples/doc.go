// Package examples holds workflows that are worth reading, each in a folder of
// its own with a README and tests; docs/examples.md lists them. The package has
// tests only: they check that every example is valid, run its *.test.yaml
// files, and run the workflows themselves on real repositories, processes and
// databases.
//
//	regie run examples/repo-report
//	regie test examples
package examples
