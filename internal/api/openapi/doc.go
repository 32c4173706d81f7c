// Package openapi has the OpenAPI 3.1 document of the REST routes, which
// cmd/regie-openapi writes from the API definition, serves it, and checks
// answers against it:
//
//	plain["/openapi.json"] = openapi.Handler()
//
//	checker, err := openapi.NewChecker()
//	err = checker.Check("GET", "/v1/namespaces/default/runs", 200, body)
//
// The integration tests check every answer that they get. It imports package
// routes and nothing else of Regie.
package openapi
