package server_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestListTicks: the next ticks of several schedules come in the order of time.
func TestListTicks(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "ticks")
	w.apply(t, "ticks", "kind: Workflow\nname: half\ntriggers: [{schedule: {cron: \"*/30 * * * *\", timezone: UTC}}]\nsteps: [{id: a, assign: {x: 1}}]\n"+
		"---\nkind: Workflow\nname: hour\ntriggers: [{schedule: {cron: \"15 * * * *\", timezone: UTC}}]\nsteps: [{id: a, assign: {x: 1}}]\n")
	ask := func(q *regiev1.ListTicksRequest) []*regiev1.Tick {
		t.Helper()
		q.Namespace = "ticks"
		a, err := w.admin.schedules.ListTicks(t.Context(), q)
		if err != nil || a.GetTruncated() {
			t.Fatalf("%v: %v", a, err)
		}
		return a.GetTicks()
	}
	eventually(t, "both schedules are there", func() bool { return len(ask(&regiev1.ListTicksRequest{Limit: 6})) == 6 })
	all := ask(&regiev1.ListTicksRequest{Limit: 6})
	hours := 0
	for i, tick := range all {
		if i > 0 && tick.GetAt().AsTime().Before(all[i-1].GetAt().AsTime()) {
			t.Errorf("%v comes after %v", tick, all[i-1])
		}
		if tick.GetWorkflow() == "hour" {
			hours++
		}
	}
	if hours != 2 {
		t.Errorf("%v", all)
	}
	if one := ask(&regiev1.ListTicksRequest{Workflow: "hour", Until: timestamppb.New(time.Now().Add(150 * time.Minute))}); len(one) < 2 || len(one) > 3 {
		t.Errorf("%v", one)
	}
	if a := w.rest(t, w.token, "GET", "/v1/namespaces/-/ticks?limit=3", ""); a.status != 200 {
		t.Error(a)
	}
	_, err := w.admin.schedules.ListTicks(t.Context(), &regiev1.ListTicksRequest{Namespace: "ticks", Limit: 1001})
	checkError(t, err, connect.CodeInvalidArgument, "request_invalid")
}
