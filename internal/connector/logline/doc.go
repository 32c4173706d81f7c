// Package logline knows the connector log, which writes a text to the log of
// its step.
//
// The package imports connector and pure packages; nothing else of Regie.
//
//	result, err := logline.New().Call(ctx, connector.Call{Input: value.MustParse(`{"message": "settled"}`), …})
package logline
