// Package teststate tests one state of a state machine, as the TestState API of
// AWS Step Functions does: with an input, variables and a context object of the
// caller's, and with a mock instead of what the state would call.
//
// [Run] compiles the state alone and has the engine decide it in virtual time:
// result, output, error, retry and catch are the engine's. What the state's
// fields made of the data on the way ([Inspection]) comes from running the state
// again without those that follow.
//
//	response, err := teststate.Run(teststate.Config{JSONata: language, Now: now}, teststate.Request{
//		Definition: `{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true}`,
//		Mock:       &teststate.Mock{Result: value.MustParse(`{"Payload": 1}`)},
//	})
//
// The package is pure. It imports asl, diag, engine, expr, value, workflow
// and yamldoc; JSONata and the time are passed in.
package teststate
