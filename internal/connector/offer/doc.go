// Package offer knows the connector activity.offer: the work of a step that
// somebody outside does, who asks for it and answers with a message that names
// the token of the attempt.
//
// The package imports connector and pure packages; nothing else of Regie.
//
//	result, err := offer.New().Call(ctx, connector.Call{Input: value.MustParse(`{"activity": "pack"}`), …})
package offer
