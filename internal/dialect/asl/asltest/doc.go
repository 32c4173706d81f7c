// Package asltest has what tests of the Amazon States Language share: reading
// the conformance cases, comparing values as the cases say, answering as their
// functions do, and the lists of known misses.
//
// It is imported by tests only and imports value, yamldoc and engine.
//
//	for _, c := range asltest.ReadCases(t, dir) {
//		if !asltest.NewComparer(c).Same(got, c.Get("expect").Get("output")) {
//			misses[c.Get("id").Text()] = "another output"
//		}
//	}
//	asltest.CompareMisses(t, misses, "testdata/known-misses.txt", *update)
package asltest
