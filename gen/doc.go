// Package gen holds what is generated from the API definition in proto/: the
// messages in [github.com/regie-dev/regie/gen/regie/v1] and the handlers and
// clients in [github.com/regie-dev/regie/gen/regie/v1/regiev1connect]. Nothing
// below it is written by hand but the doc.go files. It imports nothing else of
// Regie.
package gen

//go:generate go -C ../tools/proto run . -root ../..
