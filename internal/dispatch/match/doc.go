// Package match knows which waiting task goes to which worker: the highest
// priority first, then in the order of arrival; to the worker with the most
// free slots of the task's class, the first by name among equals.
//
// The package is pure and imports the standard library only.
//
//	queue.Push("a", match.Process, 0)
//	slots.Set("w1", match.Capacity{match.Process: 2})
//	key, worker, ok := match.Next(&queue, &slots) // "a", "w1", true
package match
