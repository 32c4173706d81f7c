// Package telemetry knows the signals for operators: metrics for Prometheus, and
// a trace of each run for OpenTelemetry.
//
// # Metrics
//
// Metrics have a registry of their own. What happens is told to them, in calls
// that wait for nothing; what others count already is asked for at each scrape.
// There are no labels for runs and workflows, and values that users make are
// bounded.
//
//	metrics := telemetry.NewMetrics(telemetry.MetricsConfig{Version: v, Runtime: runtime.Stats, Load: dispatch.Load})
//	runtime.ServiceConfig{Observe: metrics.Events}
//	worker.Config{AttemptEnded: metrics.AttemptEnded}
//	schedule.Config{Lateness: metrics.TickStarted}
//	metrics.Runs(batch.Runs) // after each commit
//	mux.Handle("/metrics", metrics.Handler())
//
// Counters begin at zero with the process. What became durable in a commit whose
// outcome the runtime learned by a restart of its own is not counted.
//
// # Traces
//
// When a run has ended, its stored events are folded once, and make a trace: a
// span for the run, below it one for each step that began, below these one for
// each attempt. Steps that were not run have none. The IDs follow from the run
// (package traceid), so that the task of an attempt knows its parent long before
// there is a span.
//
//	endpoint, err := telemetry.ParseEndpoint("localhost:4318", environ)
//	traces := telemetry.NewTraces(telemetry.TracesConfig{Endpoint: endpoint, Client: client, Store: s, Machines: machines})
//	traces.Start()
//	traces.Runs(batch.Runs) // after each commit
//	worker.Config{Traceparent: traceid.Parent} // only when traces are on
//	err = traces.Stop(ctx)
//
// A run that has ended and is retried goes on in the same trace: what happens from
// the retry to its next end, a round, has spans of its own, which link to those of
// the round before. No span is sent for two rounds.
//
// Spans have names, states, reasons, times and numbers; of errors they have the
// name, as status and error.type, if it comes from the program's text, the engine,
// an executor or a connector, else _OTHER. They never have inputs, outputs,
// messages, actors or other data of users.
//
// Traces are not durable. They never hold up a run: the queue of ended runs is
// bounded, what does not fit or cannot be sent is dropped, counted, and told in
// the log, at most once a minute. After a restart, runs that end from then on have
// traces; those that were queued have none.
//
// Spans are sent as OTLP over HTTP in protobuf, by hand: OpenTelemetry's SDK makes
// spans while things happen, and its exporter reads the environment by itself.
//
// The package imports the services whose figures it shows; no adapter, and
// nothing of the API.
package telemetry
