// Package openapi has the OpenAPI 3.1 document of the REST routes, which
// cmd/regie-openapi writes from the API definition, and serves it:
//
//	plain["/openapi.json"] = openapi.Handler()
//
// Package openapitest checks answers against it. It imports nothing else of
// Regie.
package openapi
