// Package clock knows what time it is for the services: the machine's time, or
// a virtual one that jumps to the next timer as soon as nothing is in flight.
//
// It imports the standard library only, and nobody but services and the
// command line imports it: decisions get their time as an argument.
//
//	c := clock.NewVirtual(start)
//	c.Begin()                                  // something is in flight
//	c.AfterFunc(start.Add(time.Hour), wake)
//	c.End()                                    // nothing any more: an hour passes, wake runs
package clock
