package tasklog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func chunk(stream executor.Stream, text string) executor.Chunk {
	return executor.Chunk{At: noon, Stream: stream, Data: []byte(text)}
}

func openRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

// write makes a log, or goes on with it.
func write(t *testing.T, root *os.Root, chunks ...executor.Chunk) {
	t.Helper()
	w, err := Open(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if err := w.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// contents are the records of a log as "stream:text", and how reading ended.
func contents(src io.ReaderAt) ([]string, error) {
	var out []string
	r := NewReader(src)
	for {
		c, err := r.Next()
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%d:%s", c.Stream, c.Data))
	}
}

func file(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The format is documented to the byte: so it is tested.
func TestFormat(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	write(t, root, chunk(executor.Stdout, "hi\n"), chunk(executor.Stderr, "é"))
	// Made by another implementation of the format and of CRC-32C.
	want := "52474c47" + "01000000" +
		"03000000" + "0080f0c730e88618" + "01" + "751e71" + "03a249f6" + "68690a" +
		"02000000" + "0080f0c730e88618" + "02" + "e4d5f3" + "09dd77c6" + "c3a9" +
		"00000000" + "0080f0c730e88618" + "00" + "d9d56c" + "fca36460"
	if got := hex.EncodeToString(file(t, dir)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	large := strings.Repeat("0123456789abcdef", 3*MaxData/16+1)
	write(t, root, chunk(executor.Stdout, "one"), chunk(executor.Stderr, ""), chunk(executor.System, large))
	write(t, root) // opened and closed again, as after a restart
	write(t, root, chunk(executor.Stderr, "two\x00\xff"))
	got, err := contents(bytes.NewReader(file(t, dir)))
	want := []string{"1:one", "3:" + large[:MaxData], "3:" + large[MaxData:2*MaxData], "3:" + large[2*MaxData:3*MaxData], "3:" + large[3*MaxData:], "2:two\x00\xff"}
	if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
		t.Errorf("got %d records, %v", len(got), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "log")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriterErrors(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	w, err := Open(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []executor.Stream{0, 4} {
		if err := w.Write(chunk(stream, "x")); err == nil {
			t.Errorf("stream %d was written", stream)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := w.Write(chunk(executor.Stdout, "x")); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if got, err := contents(bytes.NewReader(file(t, dir))); len(got) > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"link":      {func(path string) error { return os.Symlink("/etc/passwd", path) }, "escapes"},
		"FIFO":      {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "regular"},
		"folder":    {func(path string) error { return os.Mkdir(path, 0o700) }, "directory"},
		"something": {func(path string) error { return os.WriteFile(path, []byte("hello, world"), 0o600) }, "no log"},
		"short":     {func(path string) error { return os.WriteFile(path, []byte("RGX"), 0o600) }, "no log"},
		"newer":     {func(path string) error { return os.WriteFile(path, []byte("RGLG\x02\x00\x00\x00"), 0o600) }, "newer Regie"},
		"damaged": {func(path string) error {
			return os.WriteFile(path, append(magic(), strings.Repeat("x", 100)...), 0o600)
		}, "damaged at byte 8"},
		"damaged start": {func(path string) error { return os.WriteFile(path, []byte("\x00GLG\x01\x00\x00\x00"), 0o600) }, "no log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, dir := openRoot(t)
			if err := c.make(filepath.Join(dir, "log")); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(root, "log"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	w, err := Open(root, "log")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				if err := w.Write(chunk(executor.Stdout, strings.Repeat(string(rune('a'+i)), 100))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := contents(bytes.NewReader(file(t, dir)))
	if len(got) != 400 || !errors.Is(err, io.EOF) {
		t.Fatalf("got %d records, %v", len(got), err)
	}
	for _, record := range got {
		if record != "1:"+strings.Repeat(record[2:3], 100) {
			t.Fatalf("record %q is mixed", record)
		}
	}
}

// sample is a log of three records and its end mark.
func sample(t *testing.T) (text []byte, records []string) {
	t.Helper()
	root, dir := openRoot(t)
	write(t, root, chunk(executor.Stdout, "first\n"), chunk(executor.Stderr, "second\n"), chunk(executor.Stdout, "third\n"))
	return file(t, dir), []string{"1:first\n", "2:second\n", "1:third\n"}
}

// A log that is cut anywhere reads as the records that are whole, also with
// zeros for what is missing, and can be written on.
func TestTorn(t *testing.T) {
	t.Parallel()
	text, records := sample(t)
	for n := range text {
		for _, zeros := range []int{0, 1, len(text) - n, 5000, 3 * window} {
			torn := append(bytes.Clone(text[:n]), make([]byte, zeros)...)
			got, err := contents(bytes.NewReader(torn))
			if !errors.Is(err, io.EOF) {
				t.Fatalf("cut at %d, %d zeros: %v", n, zeros, err)
			}
			if !slices.Equal(got, records[:len(got)]) {
				t.Fatalf("cut at %d, %d zeros: %q", n, zeros, got)
			}
			if zeros > 0 && n%7 != 0 { // files are slow
				continue
			}
			root, dir := openRoot(t)
			if err := os.WriteFile(filepath.Join(dir, "log"), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			write(t, root, chunk(executor.System, "more"))
			after, err := contents(bytes.NewReader(file(t, dir)))
			if !errors.Is(err, io.EOF) || !slices.Equal(after, append(got, "3:more")) {
				t.Fatalf("cut at %d, %d zeros, written on: %q, %v", n, zeros, after, err)
			}
		}
	}
}

// No changed bit gives another text: it is damage, or, in the end mark, an end
// that is not known.
func TestDamage(t *testing.T) {
	t.Parallel()
	text, records := sample(t)
	mark := len(text) - headerSize
	for i := magicSize; i < len(text); i++ {
		for bit := range 8 {
			changed := bytes.Clone(text)
			changed[i] ^= 1 << bit
			got, err := contents(bytes.NewReader(changed))
			if !slices.Equal(got, records[:len(got)]) {
				t.Fatalf("bit %d of byte %d changed: %q", bit, i, got)
			}
			var damage *DamagedError
			if i < mark && (!errors.As(err, &damage) || damage.Offset > int64(i) || damage.Offset < magicSize) {
				t.Fatalf("bit %d of byte %d changed: %v", bit, i, err)
			}
		}
	}
}

// Whatever a file holds, reading it ends, and gives what a writer may write.
func FuzzReader(f *testing.F) {
	valid := appendRecord(magic(), noon, executor.Stdout, []byte("hello\n"))
	f.Add(valid)
	f.Add(appendRecord(valid, noon, 0, nil))
	f.Add(valid[:20])
	f.Add([]byte("RGLG"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReader(bytes.NewReader(text))
		total := 0
		for {
			c, err := r.Next()
			if err != nil {
				break
			}
			if total += headerSize + len(c.Data); total > len(text) || len(c.Data) > MaxData {
				t.Fatal("more was read than there is")
			}
		}
		for line, err := range Lines(bytes.NewReader(text)) {
			if err == nil && (len(line.Text) > MaxLine || strings.Contains(line.Text, "\n")) {
				t.Fatalf("line %q", line.Text)
			}
		}
	})
}

type brokenFile struct{}

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk on fire") }

func TestReadError(t *testing.T) {
	t.Parallel()
	if _, err := contents(brokenFile{}); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("got %v", err)
	}
}
