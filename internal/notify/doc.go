// Package notify knows alerts: what somebody should look at, who does, and the
// messages about it.
//
// # Alerts
//
// A run that failed, is late or was missed opens an alert, and so does a circuit
// breaker that opens by itself, for its connection. There is one alert
// for each workflow and cause that is not closed: what comes again is counted
// there. Somebody acknowledges it, which stops reminders, and it closes by hand
// or by itself:
//
//   - failed, missed: when a run of the workflow succeeds that was accepted
//     after the last one with the cause, or when that one itself succeeds, after
//     a retry;
//   - late: when a run that was accepted after the last late one succeeds in
//     time. The end of the late run does not close it, since that somebody had to
//     wait is still so; if in fact it ended in time, it does;
//   - breaker_open: when the breaker closes.
//
// A closed alert stays closed, and is forgotten [Retention] after it.
//
// # Exactly once
//
// Alerts are objects of the registry. The service reads the runs that changed,
// in the order of the store, and writes what follows together with how far it has
// read; so each end of a run is counted once, wherever Regie is stopped. A
// run becomes late by a timer, that is made from the live runs at each start.
//
// # Messages
//
// Messages go to the alert channels of the namespace when an alert is opened,
// when its cause comes again (at most once in [RepeatAfter]), and when it is
// closed. Each is part of its alert until it was sent or [GiveUpAfter] has
// passed, and is sent at least once; doubles have the same ID. A channel is sent
// one message at a time, and does not hold up others.
//
// While a [Silence] matches, alerts are opened but nothing is sent, and what
// waits to be sent is dropped; an alert that is still open when the silence ends
// is sent then. That an alert was closed is told to whom it was announced.
//
// The package is a service over the registry; who sends is handed in.
//
//	tables := notify.NewTables()
//	r, err := registry.Open(ctx, s, runtime, tables.Alerts, tables.Silences, tables.Cursors)
//	alerts := notify.New(notify.Config{Registry: r, Tables: tables, Runs: s, Sender: sender, Channels: channelsOf})
//	err = alerts.Start(ctx)
//	alerts.Runs(batch.Runs) // after each commit
package notify
