package tasklog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// A log gives the same records however its bytes are cut, also when decoding
// begins anew at an offset in the middle.
func TestDecoder(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	write(t, root, chunk(executor.Stdout, "one\n"), chunk(executor.Stderr, "two"))
	write(t, root, chunk(executor.System, "three"), chunk(executor.Stdout, string(bytes.Repeat([]byte("x"), 3000))))
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := contents(bytes.NewReader(text))
	if len(want) != 4 {
		t.Fatalf("the log has %q, %v", want, err)
	}
	for size := 1; size <= len(text)+1; size += max(1, size/3) {
		var got []string
		d := NewDecoder(0)
		for at := 0; at < len(text); at += size {
			d.Add(text[at:min(at+size, len(text))])
			for {
				c, ok, err := d.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				got = append(got, fmt.Sprintf("%d:%s", c.Stream, c.Data))
				again := NewDecoder(d.Offset())
				again.Add(text[d.Offset():])
				if _, _, err := again.Next(); err != nil {
					t.Fatalf("decoding again from byte %d: %v", d.Offset(), err)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d bytes: got %d records, want %d", size, len(got), len(want))
		}
	}
	for at := range text[:40] {
		bad := bytes.Clone(text)
		bad[at] ^= 0x55
		d := NewDecoder(0)
		d.Add(bad)
		var err error
		for ok := true; ok && err == nil; {
			_, ok, err = d.Next()
		}
		var damaged *DamagedError
		if err == nil || at >= magicSize && !errors.As(err, &damaged) {
			t.Errorf("byte %d is wrong: got %v", at, err)
		}
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	root, _ := openRoot(t)
	w, err := Open(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Held(executor.Stdout); got != (Held{}) {
		t.Errorf("a new log holds %+v", got)
	}
	_ = w.Write(chunk(executor.Stdout, "one"))
	_ = w.Write(chunk(executor.Stderr, "two"))
	_ = w.Write(chunk(executor.Stdout, "three"))
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for stream, text := range map[executor.Stream]string{executor.Stdout: "onethree", executor.Stderr: "two"} {
		if got, want := again.Held(stream), (Held{}).Add([]byte(text)); got != want {
			t.Errorf("stream %d: held %+v, want %+v", stream, got, want)
		}
	}
}
