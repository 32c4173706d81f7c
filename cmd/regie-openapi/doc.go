// Command regie-openapi is a plugin of the protobuf compiler that writes
// openapi.json, the OpenAPI document of the API's REST routes. tools/proto runs
// it after the Go code is generated:
//
//	go run ./cmd/regie-openapi <request >response
//
// What it writes is decided in internal/api/openapi/describe.
package main
