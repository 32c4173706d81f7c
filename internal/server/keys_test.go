package server_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
)

const quick = "kind: Workflow\nname: quick\nsteps: [{id: a, run: echo hello}]\n"

// creator is a method that creates, as a call with an idempotency key. Another
// changes what is asked for; id is what tells whether two answers are about the
// same thing.
type creator struct {
	name string
	call func(t *testing.T, c *client, key, other string) (id string, err error)
	// twice is how the same request ends the second time, if not with the same
	// answer.
	twice string
}

// creators are all methods that have keys.
func creators(admin *client, namespace string, until *timestamppb.Timestamp) []creator {
	return []creator{
		{name: "StartRun", call: func(t *testing.T, c *client, key, other string) (string, error) {
			a, err := c.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: namespace, Workflow: "quick", Held: true, IdempotencyKey: key, Reason: other})
			return a.GetRun().GetId(), err
		}},
		{name: "Apply", call: func(t *testing.T, c *client, key, other string) (string, error) {
			q := definitions(namespace, fmt.Sprintf("kind: Workflow\nname: made-%s\nsteps: [{id: a, run: echo %q}]\n", key, other))
			q.IdempotencyKey = key
			a, err := c.workflows.Apply(t.Context(), q)
			return a.String(), err
		}},
		{name: "CreateSilence", call: func(t *testing.T, c *client, key, other string) (string, error) {
			a, err := c.alerts.CreateSilence(t.Context(), &regiev1.CreateSilenceRequest{Namespace: namespace, Until: until, Reason: other, IdempotencyKey: key})
			return a.String(), err
		}},
		{name: "CreateUser", call: func(t *testing.T, c *client, key, other string) (string, error) {
			a, err := c.identities.CreateUser(t.Context(), &regiev1.CreateUserRequest{Name: "made-" + key, DisplayName: other, IdempotencyKey: key})
			return a.String(), err
		}},
		{name: "CreateToken", twice: "token_made", call: func(t *testing.T, c *client, key, other string) (string, error) {
			a, err := c.identities.CreateToken(t.Context(), &regiev1.CreateTokenRequest{Name: "made" + other, IdempotencyKey: key})
			return a.String(), err
		}},
		{name: "Act", call: func(t *testing.T, c *client, key, other string) (string, error) {
			run, err := admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: namespace, Workflow: "quick", Held: true, IdempotencyKey: "of " + key})
			if err != nil {
				return "", err
			}
			a, err := c.runs.Act(t.Context(), &regiev1.ActRequest{
				Namespace: namespace, Action: regiev1.Action_ACTION_CANCEL, Run: run.GetRun().GetId(), Reason: other, IdempotencyKey: key,
			})
			return a.String(), err
		}},
	}
}

// TestKeys: the same key gives the same answer, is refused with another request,
// and has nothing to do with the same key of somebody else.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "keys")
	w.apply(t, "keys", quick)
	other := w.user(t, "keys-other", "admin@*")
	for _, c := range creators(w.admin, "keys", far()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := "once-" + lower(c.name)
			first, err := c.call(t, w.admin, key, "")
			if err != nil {
				t.Fatal(err)
			}
			again, err := c.call(t, w.admin, key, "")
			switch {
			case c.twice != "":
				checkError(t, err, connect.CodeAlreadyExists, c.twice)
			case err != nil || again != first:
				t.Errorf("the same request again: %v, %v, want %v", again, err, first)
			}
			_, err = c.call(t, w.admin, key, "other")
			checkError(t, err, connect.CodeAlreadyExists, "idempotency_conflict")
			theirs, err := c.call(t, other, key, "")
			if c.name == "CreateUser" { // the name is taken, the key is not
				checkError(t, err, connect.CodeAlreadyExists, "exists")
			} else if err != nil || theirs == first {
				t.Errorf("the key of somebody else: %v, %v", theirs, err)
			}
		})
	}
}

// TestKeysAtTheSameTime: of many equal requests at the same time one is done.
func TestKeysAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "keys-race")
	w.apply(t, "keys-race", quick)
	for _, c := range creators(w.admin, "keys-race", far()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const callers = 8
			ids, errs := make([]string, callers), make([]error, callers)
			var all sync.WaitGroup
			for i := range callers {
				all.Go(func() { ids[i], errs[i] = c.call(t, w.admin, "race-"+lower(c.name), "") })
			}
			all.Wait()
			done := 0
			for i := range callers {
				switch {
				case errs[i] == nil && c.twice != "":
					done++
				case errs[i] == nil && ids[i] == ids[0]:
					done = 1
				case c.twice != "":
					checkError(t, errs[i], connect.CodeAlreadyExists, c.twice)
				default:
					t.Errorf("%v, %v; the first was told %v", ids[i], errs[i], ids[0])
				}
			}
			if done != 1 {
				t.Errorf("it was done %d times", done)
			}
		})
	}
}

// TestKeysOutliveTheServer: what was done is known after a restart.
func TestKeysOutliveTheServer(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "keys")
	w.apply(t, "keys", quick)
	until := far()
	before := map[string]string{}
	for _, c := range creators(w.admin, "keys", until) {
		id, err := c.call(t, w.admin, "later-"+lower(c.name), "")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		before[c.name] = id
	}
	w.restart(t, options{})
	for _, c := range creators(w.admin, "keys", until) {
		id, err := c.call(t, w.admin, "later-"+lower(c.name), "")
		if c.twice != "" {
			checkError(t, err, connect.CodeAlreadyExists, c.twice)
		} else if err != nil || id != before[c.name] {
			t.Errorf("%s: %v, %v, want %v", c.name, id, err, before[c.name])
		}
	}
}

// A password is not part of what a key stands for: nothing is kept from which it
// could be guessed.
func TestKeysKeepNoPasswords(t *testing.T) {
	t.Parallel()
	w := shared
	q := &regiev1.CreateUserRequest{Name: "key-password", Password: "correct horse battery", IdempotencyKey: "password"}
	if _, err := w.admin.identities.CreateUser(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	q = proto.CloneOf(q)
	q.Password = "another horse battery"
	if _, err := w.admin.identities.CreateUser(t.Context(), q); err != nil {
		t.Errorf("the key depends on the password: %v", err)
	}
}

// A failed request takes no key.
func TestKeysOfFailedRequests(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "keys-failed")
	start := &regiev1.StartRunRequest{Namespace: "keys-failed", Workflow: "quick", IdempotencyKey: "failed"}
	_, err := w.admin.runs.StartRun(t.Context(), start)
	checkError(t, err, connect.CodeNotFound, "workflow_not_found")
	q := definitions("keys-failed", "kind: Workflow\nname: quick\n")
	q.IdempotencyKey = "failed-apply"
	_, err = w.admin.workflows.Apply(t.Context(), q)
	checkError(t, err, connect.CodeInvalidArgument, "definition_invalid")
	q = definitions("keys-failed", quick)
	q.IdempotencyKey = "failed-apply"
	if _, err := w.admin.workflows.Apply(t.Context(), q); err != nil {
		t.Error(err)
	}
	if _, err := w.admin.runs.StartRun(t.Context(), start); err != nil {
		t.Error(err)
	}
}

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "keys-checked")
	w.apply(t, "keys-checked", quick)
	long := string(make([]byte, 0, 256))
	for len(long) < 256 {
		long += "k"
	}
	for _, c := range creators(w.admin, "keys-checked", far()) {
		_, err := c.call(t, w.admin, long, "")
		checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
	}
}

// TestActGoesOn: who goes away while many runs are acted on gets the whole answer
// with the key: nothing is done twice, nothing is left out.
func TestActGoesOn(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "away")
	w.apply(t, "away", quick)
	for try := range 12 {
		q := &regiev1.ActRequest{Namespace: "away", Action: regiev1.Action_ACTION_CANCEL, IdempotencyKey: fmt.Sprint("away ", try)}
		for range 100 {
			q.Runs = append(q.Runs, w.begun(t, &regiev1.StartRunRequest{Namespace: "away", Workflow: "quick", Held: true}).GetId())
		}
		ctx, cut := context.WithTimeout(t.Context(), time.Duration(try)*time.Millisecond)
		_, _ = w.admin.runs.Act(ctx, q) // whether it comes so far is not the point
		cut()
		a, err := w.admin.runs.Act(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range a.GetResults() {
			if !r.GetDone() {
				t.Fatalf("after %d ms: %v", try, r)
			}
		}
	}
}

// TestNamedSteps: how many steps one request names is bounded.
func TestNamedSteps(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "steps")
	w.apply(t, "steps", quick)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "steps", Workflow: "quick", Held: true}).GetId()
	for n, refused := range map[int]bool{api.MaxNamedSteps: false, api.MaxNamedSteps + 1: true} {
		q := &regiev1.ActRequest{Namespace: "steps", Run: run, Action: regiev1.Action_ACTION_HOLD, DryRun: true}
		for range n {
			q.Steps = append(q.Steps, "a")
		}
		_, err := w.admin.runs.Act(t.Context(), q)
		if got := connect.CodeOf(err) == connect.CodeInvalidArgument; got != refused {
			t.Errorf("%d steps: %v", n, err)
		}
	}
}
