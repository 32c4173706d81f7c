package server_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// many has a few dozen steps, which are done at once.
const many = `kind: Workflow
name: many
steps:
  - {id: wide, foreach: "[1, 2, 3, 4, 5, 6, 7, 8]", steps: [{id: b, assign: {x: 1}}]}
  - {id: a, run: echo done}
`

// asleep waits for long in the engine, and running in a process, until it is
// canceled.
const (
	asleep  = "kind: Workflow\nname: asleep\nsteps: [{id: nap, wait: {for: 10h}}]\n"
	running = "kind: Workflow\nname: running\nsteps: [{id: a, run: \"echo begun; exec sleep 1000\"}]\n"
)

// TestWatchRunGoesOn: a watch that is cut anywhere, and goes on behind the last
// event that was seen, shows every event once, in order; so does listing.
func TestWatchRunGoesOn(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "watch-run")
	w.apply(t, "watch-run", many)
	rapid.Check(t, func(t *rapid.T) {
		run, err := w.admin.runs.StartRun(context.Background(), &regiev1.StartRunRequest{Namespace: "watch-run", Workflow: "many"})
		if err != nil {
			t.Fatal(err)
		}
		var numbers []uint64
		for over := false; !over; {
			var seen []uint64
			if rapid.Bool().Draw(t, "by watching") {
				seen, over = w.watchSome(t, "watch-run", run.GetRun().GetId(), last(numbers), rapid.IntRange(1, 4).Draw(t, "messages"))
			} else {
				seen, over = w.listSome(t, "watch-run", run.GetRun().GetId(), last(numbers), rapid.Int32Range(1, 20).Draw(t, "events"))
			}
			numbers = append(numbers, seen...)
		}
		for i, n := range numbers {
			if n != uint64(i+1) {
				t.Fatalf("event %d came in place of %d, in %v", n, i+1, numbers)
			}
		}
		shown, err := w.admin.runs.GetRun(context.Background(), &regiev1.GetRunRequest{Namespace: "watch-run", Run: run.GetRun().GetId()})
		if err != nil || shown.GetRun().GetEvents() != uint64(len(numbers)) || shown.GetRun().GetState() != "succeeded" {
			t.Fatalf("%d events were seen of %v: %v", len(numbers), shown, err)
		}
	})
}

func last(numbers []uint64) uint64 {
	if len(numbers) == 0 {
		return 0
	}
	return numbers[len(numbers)-1]
}

// watchSome watches a run for some messages, and says whether it came to the end.
func (w *world) watchSome(t *rapid.T, namespace, run string, after uint64, messages int) (numbers []uint64, over bool) {
	ctx, cut := context.WithTimeout(context.Background(), patience)
	defer cut()
	stream, err := w.admin.runs.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: namespace, Run: run, After: after, Steps: true})
	if err != nil {
		t.Fatal(err)
	}
	for range messages {
		if !stream.Receive() {
			if err := stream.Err(); err != nil {
				t.Fatal(err)
			}
			return numbers, true
		}
		for _, e := range stream.Msg().GetEvents() {
			numbers = append(numbers, e.GetNumber())
		}
	}
	return numbers, false
}

func (w *world) listSome(t *rapid.T, namespace, run string, after uint64, limit int32) (numbers []uint64, over bool) {
	a, err := w.admin.runs.ListEvents(context.Background(), &regiev1.ListEventsRequest{
		Namespace: namespace, Run: run, After: after, Limit: limit, Wait: durationpb.New(patience),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range a.GetEvents() {
		numbers = append(numbers, e.GetNumber())
	}
	return numbers, a.GetEnded()
}

// TestWatchRunsGoesOn: a watch of all runs that is cut anywhere, and goes on from
// the last position, sees the last state of every run, and no state twice.
func TestWatchRunsGoesOn(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "watch-runs")
	w.apply(t, "watch-runs", many)
	rapid.Check(t, func(t *rapid.T) {
		const n = 8
		position, seen := w.watchRunsFirst(t, "watch-runs"), map[string]*regiev1.Run{}
		for range n {
			if _, err := w.admin.runs.StartRun(context.Background(), &regiev1.StartRunRequest{Namespace: "watch-runs", Workflow: "many"}); err != nil {
				t.Fatal(err)
			}
		}
		for ended := 0; ended < n; {
			ctx, cut := context.WithTimeout(context.Background(), patience)
			stream, err := w.admin.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: "watch-runs", After: position})
			if err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(1, 3).Draw(t, "messages") {
				if !stream.Receive() {
					t.Fatalf("it ended: %v", stream.Err())
				}
				for _, r := range stream.Msg().GetRuns() {
					if before := seen[r.GetId()]; before != nil && before.GetPosition() >= r.GetPosition() {
						t.Fatalf("%v came after %v", r, before)
					}
					if seen[r.GetId()] = r; r.GetEndedAt() != nil {
						ended++
					}
				}
				if p := stream.Msg().GetPosition(); p != 0 {
					position = p
				}
				if ended == n {
					break
				}
			}
			cut()
		}
	})
}

// watchRunsFirst is the position of the first message of a watch.
func (w *world) watchRunsFirst(t *rapid.T, namespace string) uint64 {
	ctx, cut := context.WithTimeout(context.Background(), patience)
	defer cut()
	stream, err := w.admin.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() || stream.Msg().GetPosition() == 0 {
		t.Fatalf("%v, %v", stream.Msg(), stream.Err())
	}
	return stream.Msg().GetPosition()
}

// A filter of a watch lets only what matches through.
func TestWatchRunsFilters(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "watch-filter")
	w.apply(t, "watch-filter", many+"---\n"+asleep)
	ctx, cut := context.WithTimeout(t.Context(), patience)
	defer cut()
	stream, err := w.admin.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: "watch-filter", Filter: "name:many state:succeeded"})
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() || len(stream.Msg().GetRuns()) != 0 {
		t.Fatalf("%v, %v", stream.Msg(), stream.Err())
	}
	w.begun(t, &regiev1.StartRunRequest{Namespace: "watch-filter", Workflow: "asleep"})
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "watch-filter", Workflow: "many"})
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	if got := stream.Msg().GetRuns(); len(got) != 1 || got[0].GetId() != run.GetId() || got[0].GetState() != "succeeded" {
		t.Errorf("got %v", got)
	}
}

// streams are all methods that stream for long, as calls about a live run.
func (c *client) streams(ctx context.Context, namespace, run string) map[string]func() (receive func() error, err error) {
	return map[string]func() (func() error, error){
		"WatchRun": func() (func() error, error) {
			return received(c.runs.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: namespace, Run: run}))
		},
		"WatchRuns": func() (func() error, error) {
			return received(c.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: namespace}))
		},
		"WatchLog": func() (func() error, error) {
			return received(c.runs.WatchLog(ctx, &regiev1.WatchLogRequest{Namespace: namespace, Run: run}))
		},
	}
}

// received makes of a stream a function that waits for its next message.
func received[T any](stream *connect.ServerStreamForClient[T], err error) (func() error, error) {
	if err != nil {
		return nil, err
	}
	return func() error {
		if stream.Receive() {
			return nil
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return io.EOF
	}, nil
}

// TestStreamsEndWithTheirCredential (row B32): a stream ends at once when its
// token is revoked, its user disabled, or a role is taken away; without a token,
// or with the wrong role, none begins.
func TestStreamsEndWithTheirCredential(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "streams")
	w.apply(t, "streams", running)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "streams", Workflow: "running"})
	t.Cleanup(func() { w.cancel(t, "streams", run.GetId()) }) // after the tests below
	w.until(t, "streams", run.GetId(), func(e *regiev1.Event) bool { return e.GetType() == "attempt" })
	stranger := w.user(t, "streams-stranger", "viewer@default")
	ways := map[string]func(t *testing.T, user string, token *regiev1.Token) error{
		"revoked": func(t *testing.T, _ string, token *regiev1.Token) error {
			_, err := w.admin.identities.RevokeToken(t.Context(), &regiev1.RevokeTokenRequest{Id: token.GetId()})
			return err
		},
		"disabled": func(t *testing.T, user string, _ *regiev1.Token) error {
			_, err := w.admin.identities.UpdateUser(t.Context(), &regiev1.UpdateUserRequest{Name: user, Disabled: proto.Bool(true)})
			return err
		},
		"role taken": func(t *testing.T, user string, _ *regiev1.Token) error {
			_, err := w.admin.identities.SetGrant(t.Context(), &regiev1.SetGrantRequest{
				Subject: "user/" + user, Grant: &regiev1.Grant{Role: "viewer", Namespace: "streams"}, Remove: true,
			})
			return err
		},
		"deleted": func(t *testing.T, user string, _ *regiev1.Token) error {
			_, err := w.admin.identities.DeleteUser(t.Context(), &regiev1.DeleteUserRequest{Name: user})
			return err
		},
	}
	for protocol, options := range map[string][]connect.ClientOption{"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()}} {
		for name := range stranger.streams(t.Context(), "", "") {
			for c, want := range map[*client]connect.Code{
				w.as("", options...): connect.CodeUnauthenticated, w.as(stranger.token, options...): connect.CodePermissionDenied,
			} {
				receive, err := c.streams(t.Context(), "streams", run.GetId())[name]()
				if err == nil {
					err = receive()
				}
				if connect.CodeOf(err) != want {
					t.Errorf("%s by %s: %v, want %v", name, protocol, err, want)
				}
			}
			for way, end := range ways {
				t.Run(fmt.Sprintf("%s/%s/%s", protocol, name, way), func(t *testing.T) {
					t.Parallel()
					user := fmt.Sprintf("streams-%s-%s-%s", protocol, lower(name), way[:4])
					if _, err := w.admin.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: user, Grants: grantsOf("viewer@streams")}); err != nil {
						t.Fatal(err)
					}
					token, err := w.admin.identities.CreateToken(t.Context(), &regiev1.CreateTokenRequest{User: user})
					if err != nil {
						t.Fatal(err)
					}
					ctx, cut := context.WithTimeout(t.Context(), patience)
					defer cut()
					receive, err := w.as(token.GetSecret(), options...).streams(ctx, "streams", run.GetId())[name]()
					if err == nil {
						err = receive()
					}
					if err != nil {
						t.Fatalf("it does not begin: %v", err)
					}
					if err := end(t, user, token.GetToken()); err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					for err == nil {
						err = receive()
					}
					checkError(t, err, connect.CodeUnauthenticated, "credential_ended")
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("it took %v", took)
					}
				})
			}
		}
	}
}

// cancel cancels a run and waits for its end.
func (w *world) cancel(t *testing.T, namespace, run string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	if _, err := w.admin.runs.Act(ctx, &regiev1.ActRequest{Namespace: namespace, Run: run, Action: regiev1.Action_ACTION_CANCEL}); err != nil {
		t.Error(err)
	}
}

// A run that has ended is retried while somebody watches: the watch of the run
// ended with it, and goes on behind the last event.
func TestWatchOfARetriedRun(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "watch-retry")
	w.apply(t, "watch-retry", "kind: Workflow\nname: once\ninputs: {file: {type: string}}\nsteps: [{id: a, run: \"test -e $FILE || { touch $FILE; exit 1; }\", env: {FILE: \"${{ inputs.file }}\"}, retry: {max_attempts: 1}}]\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "watch-retry", Workflow: "once", Input: &regiev1.Json{Text: fmt.Sprintf(`{"file":%q}`, t.TempDir()+"/done")}})
	before := w.ended(t, "watch-retry", run.GetId())
	if end := before[len(before)-1]; end.GetState() != "failed" {
		t.Fatalf("it ended as %v", end)
	}
	ctx, cut := context.WithTimeout(t.Context(), patience)
	defer cut()
	all, err := w.admin.runs.WatchRuns(ctx, &regiev1.WatchRunsRequest{Namespace: "watch-retry", Filter: "state:succeeded"})
	if err != nil || !all.Receive() {
		t.Fatal(err, all.Err())
	}
	a, err := w.admin.runs.Act(ctx, &regiev1.ActRequest{Namespace: "watch-retry", Run: run.GetId(), Action: regiev1.Action_ACTION_RETRY, Reason: "once more"})
	if err != nil || len(a.GetResults()) != 1 || !a.GetResults()[0].GetDone() || !slices.Equal(a.GetResults()[0].GetSteps(), []string{"a"}) {
		t.Fatalf("%v, %v", a, err)
	}
	stream, err := w.admin.runs.WatchRun(ctx, &regiev1.WatchRunRequest{Namespace: "watch-retry", Run: run.GetId(), After: uint64(len(before))})
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for stream.Receive() {
		after = append(after, stream.Msg().GetEvents()...)
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	for i, e := range after {
		if e.GetNumber() != uint64(i+1) {
			t.Fatalf("%v is event %d", e, i+1)
		}
	}
	if end := after[len(after)-1]; end.GetState() != "succeeded" {
		t.Errorf("it ended as %v", end)
	}
	if !all.Receive() || len(all.Msg().GetRuns()) != 1 || all.Msg().GetRuns()[0].GetId() != run.GetId() {
		t.Errorf("the watch of all runs: %v, %v", all.Msg(), all.Err())
	}
}
