package kill

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
)

// definition is what is run, with the world's book and database put in.
//
//go:embed kill.yaml
var definition string

// workflow is its name, and steps the processes that each run must start once.
const workflow = "kill"

var steps = []string{"first", "fan[0]", "fan[1]", "last"}

// callTime bounds one call.
const callTime = 30 * time.Second

// client speaks to the server, which has the same address after each kill.
type client struct {
	address   string // host:port
	runs      regiev1connect.RunServiceClient
	workflows regiev1connect.WorkflowServiceClient
	system    regiev1connect.SystemServiceClient
}

// bearer adds a token to requests.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip makes a request.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// login takes the admin token of the first start.
func login(ctx context.Context, r *ready) (*client, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: callers, IdleConnTimeout: time.Minute}
	identities := regiev1connect.NewIdentityServiceClient(&http.Client{Transport: transport, Timeout: callTime}, r.URL)
	answer, err := identities.Login(ctx, &regiev1.LoginRequest{Password: r.AdminToken, TokenName: "kill"})
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	known := &http.Client{Transport: bearer{answer.GetSecret(), transport}, Timeout: callTime}
	return &client{
		address: u.Host, runs: regiev1connect.NewRunServiceClient(known, r.URL),
		workflows: regiev1connect.NewWorkflowServiceClient(known, r.URL), system: regiev1connect.NewSystemServiceClient(known, r.URL),
	}, nil
}

func (c *client) apply(ctx context.Context, w *world) error {
	text := strings.NewReplacer("@BOOK@", w.book(), "@DIR@", w.dir).Replace(definition)
	_, err := c.workflows.Apply(ctx, &regiev1.ApplyRequest{
		Namespace: "default", Files: []*regiev1.SourceFile{{Path: "kill.yaml", Content: []byte(text), Definition: true}},
	})
	if err != nil {
		return fmt.Errorf("apply the workflow: %w", err)
	}
	return nil
}

// live counts the runs that have not ended.
func (c *client) live(ctx context.Context) (int, error) {
	answer, err := c.runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: "default", Filter: "state:pending,queued,running,waiting", PageSize: 1000})
	return len(answer.GetRuns()), err
}

// all lists all runs.
func (c *client) all(ctx context.Context) ([]*regiev1.Run, error) {
	var out []*regiev1.Run
	request := &regiev1.ListRunsRequest{Namespace: "default", PageSize: 1000}
	for {
		answer, err := c.runs.ListRuns(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		out = append(out, answer.GetRuns()...)
		if request.PageToken = answer.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// events lists all events of a run.
func (c *client) events(ctx context.Context, run string) ([]*regiev1.Event, error) {
	var out []*regiev1.Event
	request := &regiev1.ListEventsRequest{Namespace: "default", Run: run, Limit: 1000}
	for {
		answer, err := c.runs.ListEvents(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list events of run %s: %w", run, err)
		}
		out = append(out, answer.GetEvents()...)
		if len(answer.GetEvents()) == 0 || answer.GetEnded() {
			return out, nil
		}
		request.After = out[len(out)-1].GetNumber()
	}
}
