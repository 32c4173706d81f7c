// Package web knows the connector http.request and the connection type http:
// one HTTP request and its answer, within bounds of size and time, to places
// that the egress rules allow.
//
// The package imports connector, egress and pure packages; nothing else of
// Regie.
//
//	web := web.New(web.Config{Dialer: dialer})
//	defer web.Close()
//	result, err := web.Call(ctx, connector.Call{Input: value.MustParse(`{"url": "https://example.org"}`), …})
package web
