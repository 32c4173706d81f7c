// Package traceid knows the trace of a run: the IDs of the trace and of its
// spans, which follow from the run's ID and from numbers that its events hold.
//
// So the IDs are the same after a restart, nothing has to be stored, and whoever
// knows a run finds its trace: the trace ID is the first 16 bytes of the SHA-256
// of a text, a span ID the first 8.
//
//	trace      regie/trace/RUN
//	run        regie/run/RUN/ROUND
//	step       regie/step/RUN/ACTIVATION/ROUND
//	attempt    regie/attempt/RUN/ACTIVATION/ATTEMPT
//
//	printf regie/trace/$REGIE_RUN_ID | sha256sum | cut -c 1-32
//
// A round is what goes on until the run ends: the first is 1, and each retry of
// a run that has ended begins another. There is no salt of the installation: run
// IDs have 80 random bits, and a trace ID gives nobody a right to anything.
//
// The package is pure. It imports engine.
package traceid
