// Package retention takes away what runs have left that ended: their data and
// their logs.
//
// It says in which order that is done, so that a crash between two steps leaves
// nothing that is shown as whole: first the batch that erases is durable, from
// then on nobody is shown a log, then the logs go. What a crash kept from going
// goes at the next start. Where a policy says so, a run is in the archive before
// anything of it goes. It knows nothing of files, of the API or of who may ask.
//
//	s := retention.New(retention.Config{Store: st, Runtime: rt, Logs: logs})
//	err := s.Start(ctx)
//	erased, err := s.Erase(ctx, retention.Order{Run: run, Entry: entry})
package retention
