// Package executor knows what an executor is: something that starts work
// which outlives the call and can be found again from a serialised handle (a
// process, a container, a Job).
//
// Implementations live below it and pass one suite, executortest. The package
// imports value only.
package executor
