package tasklog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

const (
	out = executor.Stdout
	bad = executor.Stderr
	sys = executor.System
)

// encode makes the file of a log that is still written.
func encode(chunks ...executor.Chunk) []byte {
	b := magic()
	for _, c := range chunks {
		b = appendRecord(b, c.At, c.Stream, c.Data)
	}
	return b
}

// brief is a line as "stream:text", with + if it goes on.
func brief(l Line) string {
	more := ""
	if l.More {
		more = "+"
	}
	return fmt.Sprintf("%d:%s%s", l.Stream, l.Text, more)
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		chunks []executor.Chunk
		want   []string
	}{
		"empty":              {nil, nil},
		"one":                {[]executor.Chunk{chunk(out, "a\n")}, []string{"1:a"}},
		"several in one":     {[]executor.Chunk{chunk(out, "a\n\nb\n")}, []string{"1:a", "1:", "1:b"}},
		"one in several":     {[]executor.Chunk{chunk(out, "a"), chunk(out, "b"), chunk(out, "\nc\n")}, []string{"1:ab", "1:c"}},
		"no end":             {[]executor.Chunk{chunk(out, "a\nb")}, []string{"1:a", "1:b+"}},
		"streams apart":      {[]executor.Chunk{chunk(out, "a"), chunk(bad, "x\n"), chunk(sys, "!"), chunk(out, "b\n")}, []string{"2:x", "1:ab", "3:!+"}},
		"CR LF":              {[]executor.Chunk{chunk(out, "a\r"), chunk(out, "\nb\rc\r\n\r\n")}, []string{"1:a", "1:b\rc", "1:"}},
		"character in parts": {[]executor.Chunk{chunk(out, "\xc3"), chunk(out, "\xa9\n")}, []string{"1:é"}},
		"longest":            {[]executor.Chunk{chunk(out, strings.Repeat("x", MaxLine)), chunk(out, "\ny\n")}, []string{"1:" + strings.Repeat("x", MaxLine), "1:y"}},
		"too long":           {[]executor.Chunk{chunk(out, strings.Repeat("x", MaxLine-1)), chunk(out, "yz\n")}, []string{"1:" + strings.Repeat("x", MaxLine-1) + "y+", "1:z"}},
		"cut before a character": {
			[]executor.Chunk{chunk(out, strings.Repeat("x", MaxLine-2)), chunk(out, "🎭z\n")},
			[]string{"1:" + strings.Repeat("x", MaxLine-2) + "+", "1:🎭z"},
		},
		"cut after a character": {
			[]executor.Chunk{chunk(out, strings.Repeat("x", MaxLine-4)), chunk(out, "🎭z\n")},
			[]string{"1:" + strings.Repeat("x", MaxLine-4) + "🎭+", "1:z"},
		},
		"cut before an escape": {
			[]executor.Chunk{chunk(out, strings.Repeat("x", MaxLine-2)), chunk(out, "\x1b[31mred\n")},
			[]string{"1:" + strings.Repeat("x", MaxLine-2) + "+", "1:\x1b[31mred"},
		},
		"no characters": {
			[]executor.Chunk{chunk(out, strings.Repeat("\x80", MaxLine)), chunk(out, "\x80\n")},
			[]string{"1:" + strings.Repeat("\x80", MaxLine) + "+", "1:\x80"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for l, err := range Lines(bytes.NewReader(encode(c.chunks...))) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, brief(l))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %.200q", got)
			}
		})
	}
}

func TestLineTimes(t *testing.T) {
	t.Parallel()
	var chunks []executor.Chunk
	for i, text := range []string{"a", "b\nc", "d\n", "e\n"} {
		chunks = append(chunks, executor.Chunk{At: noon.Add(time.Duration(i) * time.Second), Stream: out, Data: []byte(text)})
	}
	want := []time.Duration{0, time.Second, 3 * time.Second}
	for l, err := range Lines(bytes.NewReader(encode(chunks...))) {
		if err != nil || len(want) == 0 || l.At.Sub(noon) != want[0] {
			t.Fatalf("%q came at %s, want %v (%v)", l.Text, l.At, want, err)
		}
		want = want[1:]
	}
}

// What stands before damage is shown, also the line that it cuts.
func TestLinesOfDamagedLog(t *testing.T) {
	t.Parallel()
	text := append(encode(chunk(out, "a\nb")), strings.Repeat("x", 50)...)
	var got []string
	var last error
	for l, err := range Lines(bytes.NewReader(text)) {
		if last = err; err == nil {
			got = append(got, brief(l))
		}
	}
	var damage *DamagedError
	if !slices.Equal(got, []string{"1:a", "1:b+"}) || !errors.As(last, &damage) {
		t.Errorf("got %q, %v", got, last)
	}
	if lines, err := Tail(bytes.NewReader(text), 1); len(lines) != 1 || !errors.As(err, &damage) {
		t.Errorf("tail: %v, %v", lines, err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	src := bytes.NewReader(encode(chunk(out, "1\n2\n3\n"), chunk(bad, "4\n"), chunk(out, "5")))
	all := []string{"1:1", "1:2", "1:3", "2:4", "1:5+"}
	for n := range 8 {
		lines, err := Tail(src, n)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, brief(l))
		}
		if want := all[max(0, len(all)-n):]; !slices.Equal(got, want) {
			t.Errorf("last %d: %q, want %q", n, got, want)
		}
	}
}

func TestLinesStopEarly(t *testing.T) {
	t.Parallel()
	n := 0
	for _, err := range Lines(bytes.NewReader(encode(chunk(out, "1\n2\n3\n4")))) {
		if n++; n == 2 || err != nil {
			break
		}
	}
	if n != 2 {
		t.Errorf("got %d lines", n)
	}
}

// follower follows a log; its lines come as brief texts.
func follow(ctx context.Context, t *testing.T, dir string, last int) (lines chan string, end chan error) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	lines, end = make(chan string, 100), make(chan error, 1)
	go func() {
		end <- Follow(ctx, f, last, func(l Line) error {
			lines <- brief(l)
			return nil
		})
	}()
	return lines, end
}

// take are the lines that have come.
func take(lines chan string) []string {
	var got []string
	for len(lines) > 0 {
		got = append(got, <-lines)
	}
	return got
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for last, old := range map[int][]string{-1: {"1:one", "1:two", "1:three"}, 0: nil, 2: {"1:two", "1:three"}, 9: {"1:one", "1:two", "1:three"}} {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root, dir := openRoot(t)
				w, err := Open(root, "log")
				if err != nil {
					t.Fatal(err)
				}
				put := func(text string) {
					if err := w.Write(chunk(out, text)); err != nil {
						t.Fatal(err)
					}
				}
				put("one\ntwo\nthree\nfo")
				lines, end := follow(t.Context(), t, dir, last)
				synctest.Wait()
				if got := take(lines); !slices.Equal(got, old) {
					t.Errorf("begins with %q, want %q", got, old)
				}
				put("ur\nfive\nsix")
				<-time.After(PollTime)
				synctest.Wait()
				if got := take(lines); !slices.Equal(got, []string{"1:four", "1:five"}) {
					t.Errorf("goes on with %q", got)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if err := <-end; err != nil {
					t.Errorf("ends with %v", err)
				}
				if got := take(lines); !slices.Equal(got, []string{"1:six+"}) {
					t.Errorf("ends with %q", got)
				}
			})
		})
	}
}

// A record that is written while it is read is read when it is whole.
func TestFollowHalfRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		text := encode(chunk(out, "one\n"), chunk(out, "two\n"))
		name := filepath.Join(dir, "log")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		lines, end := follow(ctx, t, dir, -1)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := range text {
			if _, err := f.Write(text[i : i+1]); err != nil {
				t.Fatal(err)
			}
			<-time.After(PollTime)
		}
		synctest.Wait()
		if got := take(lines); !slices.Equal(got, []string{"1:one", "1:two"}) {
			t.Errorf("got %q", got)
		}
		cancel()
		if err := <-end; !errors.Is(err, context.Canceled) {
			t.Errorf("ends with %v", err)
		}
	})
}

func TestFollowErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("terminal is gone")
	src := bytes.NewReader(encode(chunk(out, "one\ntwo\n")))
	for _, last := range []int{-1, 2} {
		shown := 0
		err := Follow(t.Context(), src, last, func(Line) error { shown++; return full })
		if !errors.Is(err, full) || shown != 1 {
			t.Errorf("got %v after %d lines", err, shown)
		}
	}
	var damage *DamagedError
	src = bytes.NewReader(append(encode(chunk(out, "one\n")), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...))
	if err := Follow(t.Context(), src, -1, func(Line) error { return nil }); !errors.As(err, &damage) {
		t.Errorf("got %v", err)
	}
}
