// Package regiev1 has the messages of Regie's API, version 1, generated from
// proto/regie/v1. Their comments are those of the definition:
//
//	request := &regiev1.GetRunRequest{Namespace: "default", Run: "0198c2"}
//
// A [Json] holds a JSON value as text. Programs that call the API use package
// [github.com/regie-dev/regie/client]. It imports nothing else of Regie.
package regiev1
