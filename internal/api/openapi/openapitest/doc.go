// Package openapitest checks answers against the OpenAPI document, for tests:
//
//	checker, err := openapitest.NewChecker()
//	err = checker.Check("GET", "/v1/namespaces/default/runs", 200, body)
//
// The integration tests check every answer that they get.
package openapitest
