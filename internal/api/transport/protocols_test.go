package transport_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
)

// protocols of connect's clients.
func protocols() map[string][]connect.ClientOption {
	return map[string][]connect.ClientOption{
		"connect":      nil,
		"connect json": {connect.WithProtoJSON()},
		"connect get":  {connect.WithHTTPGet()},
		"connect gzip": {connect.WithSendGzip()},
		"grpc":         {connect.WithGRPC()},
		"grpc-web":     {connect.WithGRPCWeb()},
	}
}

// h2c speaks HTTP/2 without TLS, which gRPC needs.
func h2c(t *testing.T) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: p}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (s *server) runs(t *testing.T, options ...connect.ClientOption) regiev1connect.RunServiceClient {
	t.Helper()
	return regiev1connect.NewRunServiceClient(h2c(t), s.URL, options...)
}

// as returns a context whose calls bear the token.
func as(t *testing.T, token string) context.Context {
	t.Helper()
	ctx, info := connect.NewClientContext(t.Context())
	if token != "" {
		info.RequestHeader().Set("Authorization", "Bearer "+token)
	}
	return ctx
}

// outcome reads a stream that must not have a message and returns its error.
func outcome[T any](t *testing.T, stream *connect.ServerStreamForClient[T], err error) error {
	t.Helper()
	if err != nil {
		return err
	}
	for stream.Receive() {
		t.Error("received a message")
	}
	return stream.Err()
}

func checkError(t *testing.T, err error, code connect.Code, name string) {
	t.Helper()
	p := problem.Of(err)
	if connect.CodeOf(err) != code || p.GetCode() != name || len(p.GetRequestId()) < 8 {
		t.Errorf("got %v with problem %v, want %s and %s", err, p, code, name)
	}
}

func TestEveryProtocolAnswers(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, options := range protocols() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := s.runs(t, options...)
			response, err := runs.GetRun(as(t, "good"), &regiev1.GetRunRequest{Namespace: "n", Run: "r"})
			if err != nil || response.GetRun().GetId() != "r" {
				t.Errorf("got %v, %v", response, err)
			}
			stream, err := runs.WatchRun(as(t, "good"), &regiev1.WatchRunRequest{Namespace: "n", Run: "r", After: 4})
			if err != nil {
				t.Fatal(err)
			}
			var numbers []uint64
			for stream.Receive() {
				numbers = append(numbers, stream.Msg().GetEvents()[0].GetNumber())
			}
			if err := stream.Err(); err != nil || !slices.Equal(numbers, []uint64{5, 6}) {
				t.Errorf("got events %v, %v", numbers, err)
			}
		})
	}
}

// In every protocol the caller is known before the handler runs, and the
// namespace that is checked is the one that the handler gets.
func TestEveryProtocolIsGuarded(t *testing.T) {
	t.Parallel()
	s := start(t)
	tests := map[string]struct {
		token, namespace string
		want             connect.Code
		problem          string
	}{
		"no token":     {"", "n", connect.CodeUnauthenticated, "token_invalid"},
		"wrong token":  {"bad", "n", connect.CodeUnauthenticated, "token_invalid"},
		"wrong place":  {"good", "closed", connect.CodePermissionDenied, "permission_denied"},
		"no namespace": {"good", "", connect.CodePermissionDenied, "permission_denied"},
	}
	for protocol, options := range protocols() {
		for name, test := range tests {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				t.Parallel()
				runs := s.runs(t, options...)
				_, err := runs.GetRun(as(t, test.token), &regiev1.GetRunRequest{Namespace: test.namespace, Run: bad})
				checkError(t, err, test.want, test.problem)
				stream, err := runs.WatchRun(as(t, test.token), &regiev1.WatchRunRequest{Namespace: test.namespace, Run: bad})
				checkError(t, outcome(t, stream, err), test.want, test.problem)
			})
		}
	}
}

func TestErrorsOfHandlers(t *testing.T) {
	t.Parallel()
	s := start(t)
	tests := map[string]struct {
		code    connect.Code
		problem string
	}{
		missing: {connect.CodeNotFound, "run_not_found"},
		broken:  {connect.CodeInternal, "internal"},
		bad:     {connect.CodeInternal, "internal"},
	}
	for protocol, options := range protocols() {
		for run, test := range tests {
			t.Run(protocol+"/"+run, func(t *testing.T) {
				t.Parallel()
				runs := s.runs(t, options...)
				_, err := runs.GetRun(as(t, "good"), &regiev1.GetRunRequest{Namespace: "n", Run: run})
				checkError(t, err, test.code, test.problem)
				stream, err := runs.WatchRun(as(t, "good"), &regiev1.WatchRunRequest{Namespace: "n", Run: run})
				err = outcome(t, stream, err)
				checkError(t, err, test.code, test.problem)
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the caller learns %q", err)
				}
			})
		}
	}
}

// gRPC and streams learn with a problem that a request is too large, too.
func TestLargeRequestsInEveryProtocol(t *testing.T) {
	t.Parallel()
	s := start(t)
	large := strings.Repeat("a", routes.MaxBody+1)
	for name, options := range protocols() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := s.runs(t, options...)
			_, err := runs.StartRun(as(t, "good"), &regiev1.StartRunRequest{Namespace: "n", Reason: large})
			checkError(t, err, connect.CodeResourceExhausted, "request_too_large")
			stream, err := runs.WatchRun(as(t, "good"), &regiev1.WatchRunRequest{Namespace: large})
			checkError(t, outcome(t, stream, err), connect.CodeResourceExhausted, "request_too_large")
		})
	}
}

// Requests that are no messages have a problem in every protocol.
func TestFaultsInEveryProtocol(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, options := range protocols() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := s.runs(t, options...)
			_, err := runs.GetRun(as(t, "good"), &regiev1.GetRunRequest{Namespace: "n", Run: "\x00"})
			checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
			if p := problem.Of(err); len(p.GetViolations()) != 1 || p.GetViolations()[0].GetField() != "run" {
				t.Errorf("got %v", p)
			}
			stream, err := runs.WatchRun(as(t, "good"), &regiev1.WatchRunRequest{Namespace: "n", Run: "\x00"})
			checkError(t, outcome(t, stream, err), connect.CodeInvalidArgument, "request_invalid")
		})
	}
}

// Where access ends the context of a stream, the caller learns why.
func TestRevokedStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.access.revoke = make(chan context.CancelCauseFunc, 1)
	stream, err := s.runs(t).WatchRun(as(t, "good"), &regiev1.WatchRunRequest{Namespace: "n", Run: endless})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
	}
	end := <-s.access.revoke
	end(problem.New(connect.CodeUnauthenticated, "token_revoked", "the token was revoked", ""))
	checkError(t, outcome(t, stream, nil), connect.CodeUnauthenticated, "token_revoked")
}

// gRPC works over TLS, where HTTP/2 is agreed on.
func TestTLS(t *testing.T) {
	t.Parallel()
	plain := start(t)
	s := httptest.NewUnstartedServer(nil)
	s.Config = transport.NewServer(plain.Config.Handler, transport.Listening{})
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	client := regiev1connect.NewRunServiceClient(s.Client(), s.URL, connect.WithGRPC())
	response, err := client.GetRun(as(t, "good"), &regiev1.GetRunRequest{Namespace: "n", Run: "r"})
	if err != nil || response.GetRun().GetId() != "r" {
		t.Errorf("got %v, %v", response, err)
	}
}

// The JSON of an error of connect has the problem where its clients look for it.
func TestErrorOfConnectJSON(t *testing.T) {
	t.Parallel()
	got := start(t).do(t, "POST", "/regie.v1.RunService/GetRun", `{"namespace":"n","run":"missing"}`)
	var wire struct {
		Code    string
		Message string
		Details []struct{ Type string }
	}
	if err := json.Unmarshal([]byte(got.body), &wire); err != nil {
		t.Fatal(err)
	}
	if wire.Code != "not_found" || wire.Message != "no such run" || len(wire.Details) != 1 || wire.Details[0].Type != "regie.v1.Problem" {
		t.Errorf("got %s", got.body)
	}
}

func TestObservations(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(t, "GET", "/v1/namespaces/n/runs/"+missing, "")
	s.do(t, "GET", "/healthz", "")
	s.do(t, "GET", "/nothing", "")
	if _, err := s.runs(t, connect.WithGRPC()).GetRun(as(t, "good"), &regiev1.GetRunRequest{Namespace: "n"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	var got []string
	for _, o := range s.seen {
		got = append(got, strings.Join([]string{o.Route, o.Protocol, o.Code}, " "))
	}
	slices.Sort(got)
	want := []string{" http not_found", "/healthz http ok", "regie.v1.RunService/GetRun grpc ok", "regie.v1.RunService/GetRun rest not_found"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
