// Package mailbox knows how messages reach a service's loop: in order, from any
// goroutine, never blocking the sender, and all that wait at once.
//
// It imports the clock, to which every message that waits is work in flight.
//
//	box := mailbox.New[message](clock)
//	box.Post(m)                       // from anywhere
//	for msgs := range box.All() {     // in the loop
//		handle(msgs)
//	}
package mailbox
