// Package archive keeps copies of runs in a folder of the operator's own, from
// before their data is deleted.
//
// A copy is a zip file, NAMESPACE/2006-01/RUN-EVENTS.zip below the folder: the
// month is that in which the run ended, in UTC, and EVENTS the number of its last
// event, so that a run which went on after it was copied gets a second file. It is
// there whole or not at all, and durable once Keep returns. The package does not
// know what is in it; who fills it does.
//
//	f, err := archive.Open("/srv/regie-archive")
//	added, err := f.Keep(archive.Run{ID: id, Namespace: "risk", EndedAt: at, Events: 12}, func(w *zip.Writer) error {
//		out, err := w.Create("run.jsonl")
//		…
//	})
package archive
