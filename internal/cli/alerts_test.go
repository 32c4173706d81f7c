package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// eight is when the alerts of the tests were opened.
var eight = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// alerts has one alert on each of two pages, and remembers what was asked.
type alerts struct {
	regiev1connect.UnimplementedAlertServiceHandler
	regiev1connect.UnimplementedIdentityServiceHandler

	asked []proto.Message
}

func alert(id, state string) *regiev1.Alert {
	return &regiev1.Alert{
		Id: id, Namespace: "risk", Cause: "failed", Workflow: "eod", Run: "r2", Text: "run r2 failed\x1b[31m", State: state, Owner: "ada",
		OpenedAt: timestamppb.New(eight), UpdatedAt: timestamppb.New(eight.Add(time.Minute)), Count: 2, Runs: []string{"r2", "r1"},
	}
}

func (a *alerts) ListAlerts(_ context.Context, m *regiev1.ListAlertsRequest) (*regiev1.ListAlertsResponse, error) {
	a.asked = append(a.asked, m)
	if m.GetPageToken() == "" {
		return &regiev1.ListAlertsResponse{Alerts: []*regiev1.Alert{alert("al-2", "open")}, NextPageToken: "more"}, nil
	}
	return &regiev1.ListAlertsResponse{Alerts: []*regiev1.Alert{alert("al-1", "acknowledged")}}, nil
}

func (a *alerts) GetAlert(_ context.Context, m *regiev1.GetAlertRequest) (*regiev1.GetAlertResponse, error) {
	a.asked = append(a.asked, m)
	return &regiev1.GetAlertResponse{
		Alert: alert("al-1", "open"),
		Notes: []*regiev1.AlertNote{{At: timestamppb.New(eight), Actor: "user/ada", Text: "looking"}},
		Deliveries: []*regiev1.Delivery{{
			Channel: "oncall", State: "pending", Attempts: 3, LastAt: timestamppb.New(eight), NextAt: timestamppb.New(eight.Add(time.Hour)), Error: "refused", About: "opened",
		}},
	}, nil
}

func (a *alerts) UpdateAlert(_ context.Context, m *regiev1.UpdateAlertRequest) (*regiev1.UpdateAlertResponse, error) {
	a.asked = append(a.asked, m)
	return &regiev1.UpdateAlertResponse{Alert: alert(m.GetAlert(), "open"), Position: 7}, nil
}

func (a *alerts) WhoAmI(context.Context, *regiev1.WhoAmIRequest) (*regiev1.WhoAmIResponse, error) {
	return &regiev1.WhoAmIResponse{User: "bob"}, nil
}

const alertTable = `ID    STATE         CAUSE   SUBJECT   COUNT  UPDATED              OWNER  TEXT
al-2  open          failed  risk/eod  2      2026-11-23 08:01:00  ada    run r2 failed\x1b[31m
al-1  acknowledged  failed  risk/eod  2      2026-11-23 08:01:00  ada    run r2 failed\x1b[31m
`

const shownAlert = `alert          al-1
workflow       risk/eod
cause          failed, 2 times
text           run r2 failed\x1b[31m
state          open
owner          ada
opened         2026-11-23 08:00:00
updated        2026-11-23 08:01:00
runs           r2
  r1

notes
  2026-11-23 08:00:00  user/ada: looking

messages
CHANNEL  ABOUT   STATE    TRIES  LAST                 NEXT                 ERROR
oncall   opened  pending  3      2026-11-23 08:00:00  2026-11-23 09:00:00  refused
`

// What commands on alerts ask of a server, and what they print.
func TestAlerts(t *testing.T) {
	t.Parallel()
	update := func(change func(m *regiev1.UpdateAlertRequest)) []proto.Message {
		m := &regiev1.UpdateAlertRequest{Namespace: "risk", Alert: "al-1"}
		change(m)
		return []proto.Message{m}
	}
	list := func(states ...string) []proto.Message {
		return []proto.Message{
			&regiev1.ListAlertsRequest{Namespace: "risk", States: states, PageSize: 50},
			&regiev1.ListAlertsRequest{Namespace: "risk", States: states, PageSize: 49, PageToken: "more"},
		}
	}
	for _, test := range []struct {
		args  string
		code  int
		asked []proto.Message
		said  string // on standard output
	}{
		{"list", 0, list(), alertTable},
		{"list --all", 0, list("open", "acknowledged", "closed"), alertTable},
		{"list --state open", 0, list("open"), alertTable},
		{"list --limit 1 --workflow eod", 0, []proto.Message{&regiev1.ListAlertsRequest{Namespace: "risk", Workflow: "eod", PageSize: 1}},
			"ID    STATE  CAUSE   SUBJECT   COUNT  UPDATED              OWNER  TEXT\nal-2  open   failed  risk/eod  2      2026-11-23 08:01:00  ada    run r2 failed\\x1b[31m\n"},
		{"list --all --state open", 2, nil, ""},
		{"show al-1", 0, []proto.Message{&regiev1.GetAlertRequest{Namespace: "risk", Alert: "al-1"}}, shownAlert},
		{"show", 2, nil, ""},
		{"ack al-1", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Acknowledged = proto.Bool(true) }), "alert al-1 is acknowledged\n"},
		{"ack al-1 --note looking", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Acknowledged, m.Note = proto.Bool(true), "looking" }), "alert al-1 is acknowledged\n"},
		{"own al-1", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Owner = proto.String("bob") }), "alert al-1 has the owner bob\n"},
		{"own al-1 eve", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Owner = proto.String("eve") }), "alert al-1 has the owner eve\n"},
		{"note al-1 fixed", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Note = "fixed" }), "alert al-1 has the note\n"},
		{"note al-1", 2, nil, ""},
		{"close al-1", 0, update(func(m *regiev1.UpdateAlertRequest) { m.Close = true }), "alert al-1 is closed\n"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			fake, mux := &alerts{}, http.NewServeMux()
			mux.Handle(regiev1connect.NewAlertServiceHandler(fake))
			mux.Handle(regiev1connect.NewIdentityServiceHandler(fake))
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			var stdout, stderr bytes.Buffer
			dir := t.TempDir()
			code := cli.Main(t.Context(), cli.World{
				Args:  append(append([]string{"alerts"}, strings.Fields(test.args)...), "--server", server.URL, "--token", "t", "--namespace", "risk"),
				Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
				Terminal:  func(io.Writer) (int, int, bool) { return 0, 0, false },
				LookupEnv: func(name string) (string, bool) { return dir, name == "HOME" },
				Environ:   func() []string { return nil },
				Getwd:     func() (string, error) { return dir, nil },
				Clock:     clock.Real{}, Zone: time.UTC, Random: rand.Reader,
			})
			if code != test.code || stdout.String() != test.said {
				t.Errorf("exit code %d, said\n%s%s\nwant %d and\n%s", code, &stdout, &stderr, test.code, test.said)
			}
			if len(fake.asked) != len(test.asked) {
				t.Fatalf("asked %v, want %v", fake.asked, test.asked)
			}
			for i, m := range fake.asked {
				if !proto.Equal(m, test.asked[i]) {
					t.Errorf("asked %v, want %v", m, test.asked[i])
				}
			}
		})
	}
}
