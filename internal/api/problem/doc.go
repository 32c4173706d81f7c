// Package problem knows how the API says that something went wrong: an error of
// connect with the detail regie.v1.Problem, in every protocol.
//
//	return problem.New(connect.CodeNotFound, "run_not_found", "no run 0198c2 in namespace default", "list them with regie runs")
//
// REST has one form for it, and so have answers to what is no route:
//
//	{"code": "not_found", "message": "...", "problem": {"code": "run_not_found", "hint": "...", ...}}
//
// [Complete] is what the transport does with whatever a handler returns: errors
// that nobody wrote for the caller become internal errors without their text.
// It imports package codec and the generated messages only.
package problem
