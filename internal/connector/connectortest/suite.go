package connectortest

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// Suite says how to test a connector.
type Suite struct {
	// New returns the connector; the suite closes it if it is an io.Closer.
	New func(t *testing.T) connector.Connector
	// Call returns a call that succeeds, as often as it is asked.
	Call func(t *testing.T) connector.Call
	// Bad are inputs, as JSON, that the connector must refuse, beside those
	// that the suite derives from the descriptor.
	Bad []string
	// Optional are members of the output that a call may lack. All others are
	// required: expressions read them without a guard.
	Optional []string
	// Hang returns a call that ends with its context only, nil where a
	// connector never waits.
	Hang func(t *testing.T) connector.Call
}

// concurrency is how many calls the suite makes at once.
const concurrency = 8

// patience bounds how long a call may go on after its context has ended.
const patience = 10 * time.Second

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)?$`)

// Call returns a call with the input and what all calls have. Lines of the log
// go to the test's.
func Call(t testing.TB, input string) connector.Call {
	t.Helper()
	v, err := value.Parse([]byte(input))
	if err != nil {
		t.Fatalf("input %s: %v", input, err)
	}
	return connector.Call{
		Input: v, RunID: "r-1", Step: "step", Attempt: 1, IdempotencyKey: "key-1",
		Fence: connector.Fence{Incarnation: 1, Sequence: 1},
		Log:   func(line string) { t.Logf("log: %s", line) },
		Now:   time.Now,
	}
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	c := s.New(t)
	if closer, ok := c.(io.Closer); ok {
		t.Cleanup(func() {
			for range 2 { // closing again is harmless
				if err := closer.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	t.Run("descriptor", func(t *testing.T) { testDescriptor(t, c, s) })
	t.Run("call", func(t *testing.T) { testCall(t, c, s) })
	t.Run("invalid input", func(t *testing.T) { testInvalid(t, c, s) })
	t.Run("ended context", func(t *testing.T) { testEnded(t, c, s) })
	t.Run("concurrent calls", func(t *testing.T) { testConcurrent(t, c, s) })
	if s.Hang != nil {
		t.Run("context ends meanwhile", func(t *testing.T) { testHang(t, c, s) })
	}
}

func testDescriptor(t *testing.T, c connector.Connector, s Suite) {
	d := c.Describe()
	if d != c.Describe() {
		t.Error("Describe returns another descriptor each time")
	}
	if !nameForm.MatchString(d.Name) {
		t.Errorf("name %q", d.Name)
	}
	if d.Doc == "" || d.Input == nil || d.Output == nil {
		t.Fatal("a connector needs a doc, an input and an output")
	}
	checkObject(t, d.Input, false, map[*descriptor.Object]bool{})
	checkObject(t, d.Output, false, map[*descriptor.Object]bool{})
	checkExample(t, d.Input, "with")
	for _, f := range d.Output.Fields {
		if optional := slices.Contains(s.Optional, f.Name); f.Required == optional {
			t.Errorf("output member %s is required: %v, the suite's Optional has it: %v", f.Name, f.Required, optional)
		}
	}
	if has := d.Input.Field("connection") != nil; has != (len(d.Connections) > 0) {
		t.Errorf("input has a connection: %v, types of it: %v", has, d.Connections)
	}
	if has := d.Input.Field("channel") != nil; has != d.Channel {
		t.Errorf("input has a channel: %v, descriptor says %v", has, d.Channel)
	}
}

func testCall(t *testing.T, c connector.Connector, s Suite) {
	result, err := c.Call(t.Context(), s.Call(t))
	if err != nil {
		t.Fatal(err)
	}
	if faults := descriptor.CheckValue(result.Output, c.Describe().Output); len(faults) > 0 {
		t.Errorf("output %s does not match the descriptor: %v", result.Output, faults)
	}
}

// wantError fails the test unless err is a *connector.Error with a sound name.
func wantError(t *testing.T, what string, err error, name string) {
	t.Helper()
	var e *connector.Error
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case !errors.As(err, &e):
		t.Errorf("%s: %T is no *connector.Error: %v", what, err, err)
	case e.Name != name:
		t.Errorf("%s: error %v, want %s", what, err, name)
	case e.Message == "":
		t.Errorf("%s: the error has no message", what)
	}
}

func testInvalid(t *testing.T, c connector.Connector, s Suite) {
	good := s.Call(t)
	try := func(what string, input value.Value) {
		call := good
		call.Input = input
		_, err := c.Call(t.Context(), call)
		wantError(t, what, err, connector.InvalidInput)
	}
	for _, input := range s.Bad {
		try(input, value.MustParse(input))
	}
	try("a list", value.List())
	try("unknown field", good.Input.With("no_such_field", value.Int(1)))
	for _, f := range c.Describe().Input.Fields {
		if f.Required {
			try("without "+f.Name, without(good.Input, f.Name))
		}
		if wrong := wrongValue(f.Type.Kind); !wrong.IsUndefined() {
			try(f.Name+" of a wrong kind", good.Input.With(f.Name, wrong))
		}
	}
}

func without(v value.Value, key string) value.Value {
	var kept []value.Member
	for _, m := range v.Members() {
		if m.Key != key {
			kept = append(kept, m)
		}
	}
	return value.Object(kept...)
}

// wrongValue returns a value that no field of the kind takes.
func wrongValue(k descriptor.Kind) value.Value {
	switch k {
	case descriptor.Any, descriptor.OneOf:
		return value.Undefined
	case descriptor.List, descriptor.Map, descriptor.Struct:
		return value.Int(1)
	}
	return value.List(value.List())
}

func testEnded(t *testing.T, c connector.Connector, s Suite) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Call(canceled, s.Call(t))
	wantError(t, "canceled before the call", err, connector.Canceled)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = c.Call(late, s.Call(t))
	wantError(t, "late before the call", err, connector.Timeout)
}

func testConcurrent(t *testing.T, c connector.Connector, s Suite) {
	var wg sync.WaitGroup
	for range concurrency {
		call := s.Call(t)
		wg.Go(func() {
			if _, err := c.Call(t.Context(), call); err != nil {
				t.Errorf("one of %d calls: %v", concurrency, err)
			}
		})
	}
	wg.Wait()
}

func testHang(t *testing.T, c connector.Connector, s Suite) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		connector.Timeout: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		},
		connector.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := end(t.Context())
		done := make(chan error, 1)
		call := s.Hang(t)
		go func() {
			_, err := c.Call(ctx, call)
			done <- err
		}()
		select {
		case err := <-done:
			wantError(t, "context ended: "+name, err, name)
		case <-time.After(patience):
			t.Fatalf("%s: the call goes on %s after its context ended", name, patience)
		}
		cancel()
	}
}

// Log collects the lines of a call's log.
type Log struct {
	mu    sync.Mutex
	lines []string
}

// Add is a function for [connector.Call.Log].
func (l *Log) Add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// String returns the lines.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
