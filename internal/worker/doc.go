// Package worker knows how an attempt is made: secrets are put in their places,
// an executor or connector is called, what it prints is masked and kept, and
// its outcome reported.
//
// A [Worker] is what the dispatcher gives attempts to. It keeps each outcome
// until it is told to forget it, and after a restart finds the attempts again
// that outlived it.
//
// The package imports the contracts, the engine and the support packages; no
// executor and no connector.
package worker
