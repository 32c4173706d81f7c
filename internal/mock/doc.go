// Package mock knows what stands in for steps in tests and trial runs: results,
// errors or sequences of them, by step path.
//
// The package is pure. It imports value, yamldoc, descriptor and diag.
//
//	mocks:
//	  fetch: {output: {files: [a.csv, b.csv]}}
//	  "settle[*]":
//	    - {error: {name: http.503, message: try later}, duration: 2s}
//	    - {output: done}
package mock
