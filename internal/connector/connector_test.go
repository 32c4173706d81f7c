package connector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

func example() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "example", Doc: "An example.", Connections: []string{"one", "two"},
		Input: &descriptor.Object{Name: "example", Doc: "What to do.", Fields: []descriptor.Field{
			{Name: "connection", Type: descriptor.Type{Kind: descriptor.Name}},
			{Name: "text", Type: descriptor.Type{Kind: descriptor.String}, Required: true},
			{Name: "times", Type: descriptor.Type{Kind: descriptor.Integer}, Default: value.Int(3)},
			{Name: "wait", Type: descriptor.Type{Kind: descriptor.Duration}, Default: value.String("1m30s")},
			{Name: "loud", Type: descriptor.Type{Kind: descriptor.Boolean}},
			{Name: "names", Type: descriptor.Type{Kind: descriptor.Any}},
		}},
		Output: &descriptor.Object{Name: "example output", Doc: "Nothing."},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	call := connector.Call{Input: value.MustParse(`{"text": "x", "loud": true, "names": ["a", "b"]}`)}
	in, err := connector.Prepare(t.Context(), example(), call)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(in.Text("text"), in.Int("times"), in.Duration("wait"), in.Bool("loud"), in.Texts("names"), in.Has("connection"), in.Get("names"))
	if want := `x 3 1m30s true [a b] false ["a","b"]` + "\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	absent := fmt.Sprintf("%q %d %s %v %v", in.Text("no"), in.Int("no"), in.Duration("no"), in.Bool("no"), in.Texts("no"))
	if want := `"" 0 0s false []`; absent != want {
		t.Errorf("absent: %s, want %s", absent, want)
	}
	if one := (connector.Input{Value: value.MustParse(`{"to": "a"}`)}); fmt.Sprint(one.Texts("to")) != "[a]" {
		t.Errorf("one text as a list: %v", one.Texts("to"))
	}
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	withChannel := example()
	withChannel.Channel = true
	for name, c := range map[string]struct {
		ctx   context.Context
		d     *connector.Descriptor
		input string
		conn  *connector.Connection
		want  string
	}{
		"canceled":         {canceled, example(), `{"text": "x"}`, nil, "canceled: the call was canceled"},
		"late":             {late, example(), `{"text": "x"}`, nil, "timeout: "},
		"nothing":          {t.Context(), example(), `null`, nil, "invalid_input: "},
		"a list":           {t.Context(), example(), `[1]`, nil, "invalid_input: want fields and their values, not a list"},
		"missing field":    {t.Context(), example(), `{}`, nil, "text"},
		"unknown field":    {t.Context(), example(), `{"text": "x", "txt": 1}`, nil, "txt"},
		"wrong type":       {t.Context(), example(), `{"text": ["hunter2"]}`, nil, "text"},
		"no connection":    {t.Context(), example(), `{"text": "x", "connection": "c"}`, nil, `invalid_connection: there is no connection "c"`},
		"wrong connection": {t.Context(), example(), `{"text": "x", "connection": "c"}`, &connector.Connection{Name: "c", Type: "three"}, "invalid_connection: connection c has type three; want one or two"},
		"no channel":       {t.Context(), withChannel, `{"text": "x"}`, nil, "invalid_connection: there is no channel"},
	} {
		_, err := connector.Prepare(c.ctx, c.d, connector.Call{Input: value.MustParse(c.input), Connection: c.conn})
		var e *connector.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// All faults are told at once, with their places in the details.
func TestFaults(t *testing.T) {
	t.Parallel()
	_, err := connector.NewInput(value.MustParse(`{"times": "often", "loud": 1}`), example().Input, "channel ops: ")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"channel ops: ", "times", "loud", "text"} {
		if !strings.Contains(err.Message, want) {
			t.Errorf("message %q lacks %q", err.Message, want)
		}
	}
	if n := err.Details.Get("faults").Len(); n != 3 {
		t.Errorf("%d faults, want 3: %s", n, err.Details)
	}
}
