// Package suite knows tests of workflows: files *.test.yaml with cases, each of
// which runs a workflow with an input, stand-ins for steps and virtual time, and
// says what must come of it.
//
// A case runs on the very runtime, store and worker that `regie run` uses, in a
// data folder of its own that is removed afterwards. Cases run side by side.
//
//	files, err := suite.Find("workflows")
//	report := suite.Run(ctx, suite.Config{Environ: environ}, files)
package suite
