// Package server knows how a Regie server is put together: it reads the
// configuration, opens the data folder, wires store, runtime, dispatcher, worker,
// schedules, alerts, the audit log and the API, listens, and takes all of it down
// again in order.
//
// It is the one place that knows everything; nothing but the command line imports
// it.
//
//	s, err := server.Open(ctx, server.Config{Dir: "/var/lib/regie", Listen: "127.0.0.1:7373"})
//	defer s.Close()
//	err = s.Serve(ctx)
package server
