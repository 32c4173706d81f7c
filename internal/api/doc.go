// Package api knows how the API's methods are answered: it turns requests into
// calls of the services, and what they say into messages and precise errors.
//
// It neither listens nor decides who may call what: package routes has the one
// table of routes, and every handler finds the caller's identity in its context.
// A handler that changes something hands the entry of the audit log over with
// the change, so that both are in one batch; one that shows payloads, logs or
// the audit log itself records that first.
//
// It imports services and the generated API; nothing of it starts or stops
// anything.
package api
