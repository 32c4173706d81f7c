package teststate

import "github.com/regie-dev/regie/internal/value"

// Status says how a state has ended.
type Status string

// The statuses. Retriable is a failure that Retry takes, CaughtError one that
// Catch takes.
const (
	Succeeded   Status = "SUCCEEDED"
	Failed      Status = "FAILED"
	Retriable   Status = "RETRIABLE"
	CaughtError Status = "CAUGHT_ERROR"
)

// Response is what a test found.
type Response struct {
	Status Status
	// Output is undefined for a state that failed or is retried.
	Output value.Value
	// Error and Cause are set unless the state succeeded.
	Error, Cause string
	// NextState is empty where the machine ends.
	NextState string
	// Inspection is nil at the level Info.
	Inspection *Inspection
}

// Inspection is the data on its way through the state. What the state has not
// reached, or does not have, is undefined.
type Inspection struct {
	Input                                           value.Value
	AfterInputPath, AfterParameters, AfterArguments value.Value
	// Result is what the Task's mock gives, or the Result of a Pass.
	Result                               value.Value
	AfterResultSelector, AfterResultPath value.Value
	// AfterItemsPath, AfterItemSelector and AfterItemBatcher are lists, of a Map.
	AfterItemsPath, AfterItemSelector, AfterItemBatcher value.Value
	MaxConcurrency                                      value.Value // 0: no bound
	ToleratedFailureCount                               value.Value
	ToleratedFailurePercentage                          value.Value
	// Variables are those after the state.
	Variables value.Value
	Error     *ErrorDetails
}

// ErrorDetails says who took an error; indexes count from 0.
type ErrorDetails struct {
	CatchIndex, RetryIndex *int
	// RetryBackoffIntervalSeconds is the wait before the next attempt.
	RetryBackoffIntervalSeconds *int
}

// JSON is the response in AWS's form, in which data is JSON as text.
func (r Response) JSON() value.Value {
	return r.value(func(v value.Value) value.Value { return value.String(v.String()) })
}

// Value is the response for people: as [Response.JSON], with data as it is.
func (r Response) Value() value.Value {
	return r.value(func(v value.Value) value.Value { return v })
}

func (r Response) value(data func(value.Value) value.Value) value.Value {
	var out []value.Member
	text := func(key, s string) {
		if s != "" {
			out = append(out, value.M(key, value.String(s)))
		}
	}
	if !r.Output.IsUndefined() {
		out = append(out, value.M("output", data(r.Output)))
	}
	text("error", r.Error)
	text("cause", r.Cause)
	if r.Inspection != nil {
		out = append(out, value.M("inspectionData", r.Inspection.value(data)))
	}
	text("nextState", r.NextState)
	text("status", string(r.Status))
	return value.Object(out...)
}

func (i *Inspection) value(data func(value.Value) value.Value) value.Value {
	var out []value.Member
	for _, m := range []value.Member{
		{Key: "input", Value: i.Input},
		{Key: "afterInputPath", Value: i.AfterInputPath},
		{Key: "afterParameters", Value: i.AfterParameters},
		{Key: "afterArguments", Value: i.AfterArguments},
		{Key: "afterItemsPath", Value: i.AfterItemsPath},
		{Key: "afterItemSelector", Value: i.AfterItemSelector},
		{Key: "afterItemBatcher", Value: i.AfterItemBatcher},
		{Key: "result", Value: i.Result},
		{Key: "afterResultSelector", Value: i.AfterResultSelector},
		{Key: "afterResultPath", Value: i.AfterResultPath},
		{Key: "variables", Value: i.Variables},
	} {
		if !m.Value.IsUndefined() {
			out = append(out, value.M(m.Key, data(m.Value)))
		}
	}
	for _, m := range []value.Member{
		{Key: "maxConcurrency", Value: i.MaxConcurrency},
		{Key: "toleratedFailureCount", Value: i.ToleratedFailureCount},
		{Key: "toleratedFailurePercentage", Value: i.ToleratedFailurePercentage},
	} {
		if !m.Value.IsUndefined() {
			out = append(out, m)
		}
	}
	if i.Error != nil {
		out = append(out, value.M("errorDetails", i.Error.value()))
	}
	return value.Object(out...)
}

func (e *ErrorDetails) value() value.Value {
	var out []value.Member
	add := func(key string, n *int) {
		if n != nil {
			out = append(out, value.M(key, value.Int(int64(*n))))
		}
	}
	add("catchIndex", e.CatchIndex)
	add("retryIndex", e.RetryIndex)
	add("retryBackoffIntervalSeconds", e.RetryBackoffIntervalSeconds)
	return value.Object(out...)
}
