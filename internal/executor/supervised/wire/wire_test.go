package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
)

func TestTasksCross(t *testing.T) {
	t.Parallel()
	task := executor.Task{
		RunID: "r", Step: "a[\xff]", Attempt: 3, Script: "echo \x80", Args: []string{"a", "\xfe"}, Shell: []string{"sh"},
		Env: []executor.EnvVar{{Name: "A", Value: "\x00\xff"}}, Dir: "/tmp/\xff", RunAs: "nobody", Namespace: "n",
		Files:      []executor.File{{Path: "a/b", Mode: 0o755, Data: []byte("x")}, {Path: "empty", Data: []byte{}}},
		Checkpoint: []byte("\x00cp"), IdempotencyKey: "k", Timeout: time.Second, Grace: time.Minute, SuccessCodes: []int{0, 4}, MaxLogBytes: 7,
	}
	head, attachments := StartOf(&task)
	payload, err := EncodeMessage(Request{Op: OpStart, Start: head}, attachments...)
	if err != nil {
		t.Fatal(err)
	}
	kind, payload, err := ReadFrame(bytes.NewReader(AppendFrame(nil, KindMessage, payload)))
	if err != nil || kind != KindMessage {
		t.Fatal(kind, err)
	}
	var r Request
	attachments, err = DecodeMessage(payload, &r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Start.Task(attachments)
	if err != nil || !reflect.DeepEqual(got, task) {
		t.Errorf("got %#v, %v", got, err)
	}
	if _, err := r.Start.Task(attachments[:1]); err == nil {
		t.Error("a task without its files is taken")
	}
}

func TestResultsCross(t *testing.T) {
	t.Parallel()
	output, err := value.Parse([]byte(`{"b":1,"a":[12345678901234567890123,null,"\u0001é"]}`))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for name, result := range map[string]executor.Result{
		"empty": {},
		"full": {
			ErrorName: "exit.7", ErrorMessage: "m", ExitCode: 7, Signal: "KILL", Warning: "w", Output: output, Checkpoint: []byte("\xff"),
			StartedAt: at, EndedAt: at.Add(time.Hour), Usage: executor.Usage{CPUSeconds: 0.5, PeakMemory: 1, BytesIn: 2, BytesOut: 3, LogBytes: 4},
		},
		"output":     {Output: value.Object()},
		"checkpoint": {Checkpoint: []byte("x")},
	} {
		head, attachments := ResultOf(&result)
		got, err := head.Executor(attachments)
		if err != nil || got.Output.String() != result.Output.String() {
			t.Errorf("%s: %v, %v", name, got.Output, err)
		}
		got.Output = result.Output
		if !reflect.DeepEqual(got, result) {
			t.Errorf("%s: got %+v", name, got)
		}
		if len(attachments) > 0 {
			if _, err := head.Executor(attachments[:len(attachments)-1]); err == nil {
				t.Errorf("%s: a result is taken that lacks a part", name)
			}
		}
	}
}

func TestErrorsCross(t *testing.T) {
	t.Parallel()
	for _, known := range []error{executor.ErrNotFound, executor.ErrRunning, ErrBusy} {
		if err := ErrorOf(known).Err(); !errors.Is(err, known) {
			t.Errorf("%v became %v", known, err)
		}
	}
	var start *executor.StartError
	if err := ErrorOf(&executor.StartError{Name: "run_as", Err: errors.New("no")}).Err(); !errors.As(err, &start) || start.Name != "run_as" || start.Err.Error() != "no" {
		t.Errorf("a start error became %v", err)
	}
	if err := ErrorOf(errors.New("disk on fire")).Err(); err.Error() != "disk on fire" {
		t.Errorf("an error became %v", err)
	}
}

func TestAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hello Hello
		want  int
	}{
		{Hello{Version: Version, Oldest: Oldest}, Version},
		{Hello{Version: Version + 7, Oldest: Oldest}, Version}, // newer, and knows us
		{Hello{Version: Version + 7, Oldest: Version + 1}, 0},
		{Hello{Version: Oldest - 1}, 0},
		{Hello{}, 0},
		{Hello{Version: -1 << 40, Oldest: -1 << 40}, 0},
	} {
		got, err := c.hello.Agree()
		if got != c.want || (err == nil) != (c.want != 0) {
			t.Errorf("%+v: agreed on %d, %v", c.hello, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "newer program") {
			t.Errorf("%v does not say what to do", err)
		}
	}
}

func TestReadFrameRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":        {"", io.EOF},
		"half a head":    {"\x01\x00", nil},
		"cut":            {"\x05\x00\x00\x00\x01abc", io.ErrUnexpectedEOF},
		"cut, long":      {"\x00\x00\x20\x00\x01abc", io.ErrUnexpectedEOF},
		"unknown kind":   {"\x00\x00\x00\x00\x03", nil},
		"too long":       {"\x01\x00\x00\x08\x01abc", nil},
		"longest length": {"\xff\xff\xff\xff\x01abc", nil},
	} {
		_, _, err := ReadFrame(strings.NewReader(c.text))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodeMessage(Request{}, make([][]byte, MaxAttachments+1)...); err == nil {
		t.Error("too many attachments are encoded")
	}
}

// FuzzReadFrame: whatever comes, a frame is read or refused without a panic, it
// takes no more memory than came, and what was read is written as it was.
func FuzzReadFrame(f *testing.F) {
	f.Add(AppendFrame(nil, KindOutput, []byte("abc")))
	f.Add([]byte("\xff\xff\xff\x07\x01"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bytes.NewReader(text)
		kind, payload, err := ReadFrame(r)
		if err != nil {
			return
		}
		if used := text[:len(text)-r.Len()]; !bytes.Equal(AppendFrame(nil, kind, payload), used) {
			t.Errorf("read %q as kind %d, %q", used, kind, payload)
		}
	})
}

// FuzzDecodeMessage: whatever comes, a message is decoded or refused without a
// panic, also what is made of it, and one that is decoded keeps its attachments
// when it is encoded again.
func FuzzDecodeMessage(f *testing.F) {
	head, attachments := StartOf(&executor.Task{Script: "x", Files: []executor.File{{Path: "a", Data: []byte("b")}}})
	for _, header := range []any{Request{Op: OpStart, Start: head}, Hello{Version: 1}, Response{Result: &Result{HasOutput: true}}} {
		payload, err := EncodeMessage(header, attachments...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var request Request
		if attachments, err := DecodeMessage(payload, &request); err == nil {
			again, err := EncodeMessage(request, attachments...)
			if err != nil {
				t.Fatal(err)
			}
			var copied Request
			if kept, err := DecodeMessage(again, &copied); err != nil || len(kept) != len(attachments) {
				t.Fatalf("%d attachments became %d: %v", len(attachments), len(kept), err)
			}
			if request.Start != nil {
				_, _ = request.Start.Task(attachments)
			}
		}
		var response Response
		if attachments, err := DecodeMessage(payload, &response); err == nil && response.Result != nil {
			_, _ = response.Result.Executor(attachments)
		}
	})
}
