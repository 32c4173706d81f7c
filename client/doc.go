// Package client calls a Regie server.
//
//	c, err := client.New(client.Config{Server: "https://regie.example.com:7373", Token: token})
//	started, err := c.Runs.StartRun(ctx, &regiev1.StartRunRequest{Namespace: "default", Workflow: "nightly"})
//	for answer, err := range c.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: "default", Run: started.GetRun().GetId()}) {
//		...
//	}
//
// A Client has every service of the API, with plain messages of package regiev1,
// and does what every program would have to do around them:
//
//   - Errors are *[Error]: what happened, what to do about it, and what exactly is
//     wrong with the request.
//   - A program sees what it wrote: each read waits until the server shows
//     everything that this client has written.
//   - Calls that may be repeated are, when the server cannot answer: reads, and
//     writes with an idempotency key, which the client makes up if there is none.
//   - Streams go on after a cut where they were: [Client.WatchRun],
//     [Client.WatchRuns] and [Client.WatchLog].
//
// It imports generated code only, and nothing internal of Regie.
package client
