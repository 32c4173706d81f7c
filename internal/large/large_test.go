package large_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/large"
	"github.com/regie-dev/regie/internal/value"
)

// memory is a blob.Store, by run and name.
type memory struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	opened int
	fails  int // of the next calls of Put
}

// Put implements blob.Store.
func (m *memory) Put(_ context.Context, run string, r io.Reader) (blob.Ref, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return blob.Ref{}, err
	}
	sum := sha256.Sum256(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return blob.Ref{}, errors.New("disk is away")
	}
	name := hex.EncodeToString(sum[:])
	m.blobs[run+"/"+name] = text
	return blob.Ref{SHA256: name, Size: int64(len(text))}, nil
}

// Open implements blob.Store.
func (m *memory) Open(run, name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened++
	text, ok := m.blobs[run+"/"+name]
	if !ok {
		return nil, blob.ErrNotFound
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != name {
		return io.NopCloser(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(blob.ErrDamaged))), nil
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

func open() (*large.Store, *memory) {
	m := &memory{blobs: map[string][]byte{}}
	return large.New(large.Config{Blobs: m, Memory: 64 << 20}), m
}

// rows is a list of about so many bytes.
func rows(size int) value.Value {
	items := make([]value.Value, size/100)
	for i := range items {
		items[i] = value.Object(value.M("n", value.Int(int64(i))), value.M("t", value.String(strings.Repeat("é\"", 40))))
	}
	return value.List(items...)
}

func values() map[string]value.Value {
	text := value.String(strings.Repeat("{\"\\u0000ref\":", 50_000))
	return map[string]value.Value{
		"small":  value.MustParse(`{"a": [1, 2.50, null]}`),
		"text":   text,
		"list":   rows(400_000),
		"parts":  rows(4 << 20),
		"object": value.Object(value.M("count", value.Int(7)), value.M("rows", rows(3<<20)), value.M("text", text)),
		"lists":  value.List(rows(300_000), rows(2<<20), value.Int(1), text, rows(300_000)),
		"nul": value.List(rows(300_000), value.Object(value.M("\x00ref", value.Object(value.M("sha256", text)))),
			value.Object(value.M("\x00", value.Int(1))), value.Object(value.M("\x00\x00x", rows(300_000))),
			value.Object(value.M("\x00ref", value.Object()), value.M("x", value.Int(1)))),
		"members": func() value.Value {
			var members []value.Member
			for i := range 30_000 {
				members = append(members, value.M(fmt.Sprint("key", i), value.String("0123456789")))
			}
			return value.Object(members...)
		}(),
	}
}

// TestKept: what is kept is small, is read back as it was, whole, item by item,
// and as text; through what events store too.
func TestKept(t *testing.T) {
	t.Parallel()
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open()
			kept, err := s.Keep("r1", v)
			if err != nil {
				t.Fatal(err)
			}
			if kept.Size() > engine.MaxInline || kept.HasRef() != (name != "small") {
				t.Fatalf("%d bytes are left, references: %v", kept.Size(), kept.HasRef())
			}
			text, err := json.Marshal(kept)
			if err != nil {
				t.Fatal(err)
			}
			var stored value.Value
			if err := json.Unmarshal(text, &stored); err != nil || !value.Equal(kept, stored) || stored.HasRef() != kept.HasRef() {
				t.Fatalf("stored as %.300s: %v", text, err)
			}
			whole, err := s.Whole("r1", stored)
			if err != nil || !value.Equal(whole, v) {
				t.Fatalf("read another value: %v", err)
			}
			var out bytes.Buffer
			if err := s.Write(&out, "r1", stored); err != nil || !bytes.Equal(out.Bytes(), v.Append(nil)) {
				t.Fatalf("written otherwise: %v\n%.400s\n%.400s", err, out.Bytes(), v.Append(nil))
			}
			if r, is := stored.Ref(); is && r.Kind == value.KindList {
				if r.Len != v.Len() {
					t.Errorf("length %d, want %d", r.Len, v.Len())
				}
				for _, i := range []int{0, 1, v.Len() / 2, v.Len() - 1, v.Len()} {
					item, _ := stored.Within(fmt.Sprint(i)).Ref()
					got, err := s.Load("r1", item)
					if err != nil || !value.Equal(got, v.At(i)) {
						t.Errorf("item %d is %.100s, %v", i, got, err)
					}
				}
			}
		})
	}
}

// TestKeptTwice: the same value is kept once.
func TestKeptTwice(t *testing.T) {
	t.Parallel()
	s, m := open()
	v := value.Object(value.M("rows", rows(3<<20)))
	first, err := s.Keep("r1", v)
	if err != nil {
		t.Fatal(err)
	}
	before := len(m.blobs)
	again, err := s.Keep("r1", v)
	if err != nil || !value.Equal(first, again) {
		t.Errorf("kept as another value: %v", err)
	}
	if len(m.blobs) != before || before < 4 {
		t.Errorf("%d blobs, then %d", before, len(m.blobs))
	}
}

// TestOfAnotherRun: a reference leads to another run if it says so, and what is
// read becomes the run's own.
func TestOfAnotherRun(t *testing.T) {
	t.Parallel()
	s, m := open()
	v := rows(2 << 20)
	kept, err := s.Keep("child", v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Whole("parent", kept); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("read what another run has: %v", err)
	}
	whole, err := s.Whole("parent", engine.Foreign(kept, "child"))
	if err != nil || !value.Equal(whole, v) {
		t.Errorf("read another value: %v", err)
	}
	clear(m.blobs)
	if _, err := s.Whole("parent", engine.Foreign(kept, "child")); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("read what is gone: %v", err)
	}
}

// TestDamaged: damage is an error, in text too.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s, m := open()
	kept, err := s.Keep("r1", value.String(strings.Repeat("x", 300_000)))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range m.blobs {
		text[1000] = 'y'
	}
	if _, err := s.Whole("r1", kept); !errors.Is(err, blob.ErrDamaged) {
		t.Errorf("read whole: %v", err)
	}
	if err := s.Write(new(bytes.Buffer), "r1", kept); !errors.Is(err, blob.ErrDamaged) {
		t.Errorf("written: %v", err)
	}
}

// TestRemembered: parts that were read last are not read again, as far as they
// take little memory.
func TestRemembered(t *testing.T) {
	t.Parallel()
	s, m := open() // 4 MiB are for what is remembered
	read := func(list value.Value, i int) (opened int) {
		t.Helper()
		item, _ := list.Within(fmt.Sprint(i)).Ref()
		before := m.opened
		if got, err := s.Load("r1", item); err != nil || got.IsUndefined() {
			t.Fatalf("item %d is %.100s, %v", i, got, err)
		}
		return m.opened - before
	}
	keep := func(v value.Value) value.Value {
		t.Helper()
		kept, err := s.Keep("r1", v)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	const size = 3 << 20
	many := keep(rows(size))
	if n := read(many, 0); n != 2 {
		t.Errorf("%d blobs were opened for the list of parts and a part", n)
	}
	if n := read(many, 1); n != 0 {
		t.Errorf("%d blobs were opened for what was just read", n)
	}
	for i := 0; i < size/100; i += 1000 {
		read(many, i)
	}
	if n := read(many, 0); n != 1 {
		t.Errorf("%d blobs were opened for a part that was to be forgotten, and the list of parts", n)
	}
	// Short numbers take many times more memory than in their part.
	numbers := make([]value.Value, 600_000)
	for i := range numbers {
		numbers[i] = value.Int(1)
	}
	dense := keep(value.List(numbers...))
	read(dense, 0)
	if n := read(dense, 0); n != 1 {
		t.Errorf("%d blobs were opened for a part that is too large to be remembered, and the list of parts", n)
	}
	if n := read(many, 0); n != 0 {
		t.Errorf("%d blobs were opened: what is too large drove out what is not", n)
	}
}

// TestReserve: what is read at once has a bound, and who asks for more than that
// gets all of it.
func TestReserve(t *testing.T) {
	t.Parallel()
	s, _ := open()
	var mu sync.Mutex
	now, most := 0, 0
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			size := int64(7 << 20)
			if i == 0 {
				size = 1 << 40
			}
			defer s.Reserve(size)()
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			mu.Lock()
			now--
			mu.Unlock()
		})
	}
	wg.Wait()
	if most > 2 {
		t.Errorf("%d of 28 MiB each were let in to 64 MiB", most)
	}
}

// TestReserveInTurn: what needs much is not passed over by what needs little.
func TestReserveInTurn(t *testing.T) {
	t.Parallel()
	s, _ := open()
	release := s.Reserve(1 << 20)
	order := make(chan string, 2)
	ask := func(name string, size int64) {
		before := s.Asked()
		go func() {
			release := s.Reserve(size)
			order <- name
			release()
		}()
		for s.Asked() == before {
			runtime.Gosched()
		}
	}
	ask("much", 1<<30)
	ask("little", 1)
	release()
	if first := <-order; first != "much" {
		t.Errorf("%s was let in first", first)
	}
	<-order
}

// TestWrittenAgain: a write that fails is tried again, a few times.
func TestWrittenAgain(t *testing.T) {
	t.Parallel()
	s, m := open()
	m.fails = 2
	if _, err := s.Keep("r1", value.String(strings.Repeat("x", 300_000))); err != nil {
		t.Errorf("after two failures: %v", err)
	}
	m.fails = 10
	if _, err := s.Keep("r1", value.String(strings.Repeat("y", 300_000))); err == nil || m.fails != 7 {
		t.Errorf("while it fails: %v, %d tries", err, 10-m.fails)
	}
}

// Property: any small value, with a large text at any place, is read as it was.
func TestAnywhere(t *testing.T) {
	t.Parallel()
	s, _ := open()
	huge := value.String(strings.Repeat("0123456789", 30_000))
	rapid.Check(t, func(t *rapid.T) {
		v := huge
		for range rapid.IntRange(0, 6).Draw(t, "depth") {
			key := rapid.SampledFrom([]string{"a", "\x00", "\x00ref", "é"}).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "around") {
			case 0:
				v = value.List(value.Int(1), v)
			case 1:
				v = value.Object(value.M(key, v))
			case 2:
				v = value.Object(value.M(key, value.MustParse(`{"sha256": "x"}`)), value.M("x", v))
			default:
				v = value.Object(value.M("x", value.Null), value.M(key, v))
			}
		}
		kept, err := s.Keep("r1", v)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := s.Whole("r1", kept)
		if err != nil || !value.Equal(whole, v) {
			t.Fatalf("read another value: %v", err)
		}
		var out bytes.Buffer
		if err := s.Write(&out, "r1", kept); err != nil || !bytes.Equal(out.Bytes(), v.Append(nil)) {
			t.Fatalf("written otherwise: %v", err)
		}
	})
}

// TestKeepList: a list whose items lie in parts that were put away out of order is
// put away in order, whatever its size; each part is read once, and what is a
// reference in an item stays one.
func TestKeepList(t *testing.T) {
	t.Parallel()
	s, m := open()
	huge, err := s.Keep("r1", value.String(strings.Repeat("x", 400_000)))
	if err != nil {
		t.Fatal(err)
	}
	const each, parts = 1000, 8
	var refs, want []value.Value
	for p := range parts {
		items := make([]value.Value, each)
		for i := range items {
			items[i] = value.Object(value.M("n", value.Int(int64(p*each+i))), value.M("text", value.String(strings.Repeat("y", 300))))
		}
		items[7] = value.Object(value.M("huge", huge))
		want = append(want, items...)
		slices.Reverse(items)
		kept, err := s.KeepList("r1", value.List(items...))
		if err != nil {
			t.Fatal(err)
		}
		for i := range items {
			refs = append(refs, kept.Within(fmt.Sprint(each-1-i)))
		}
	}
	m.opened = 0
	list, err := s.KeepList("r1", value.List(refs...))
	if err != nil {
		t.Fatal(err)
	}
	if m.opened != parts {
		t.Errorf("%d blobs were read for %d parts", m.opened, parts)
	}
	if r, large := list.Ref(); !large || !r.Parts || r.Len != parts*each || r.Size < parts*400_000 {
		t.Errorf("kept as %+v", r)
	}
	for name, text := range m.blobs {
		if len(text) > large.PartBytes+1000 {
			t.Errorf("blob %s has %d bytes", name, len(text))
		}
	}
	whole, err := s.Whole("r1", list)
	if err != nil {
		t.Fatal(err)
	}
	if expected, err := s.Whole("r1", value.List(want...)); err != nil || !value.Equal(whole, expected) {
		t.Errorf("read another list: %v", err)
	}
	if small, err := s.KeepList("r1", value.List(refs[0])); err != nil || small.Kind() != value.KindRef {
		t.Errorf("one item is kept as %s, %v", small, err)
	}
}

// TestWriteAnywhere: wherever in what is read at once an object begins, it is
// written as it was.
func TestWriteAnywhere(t *testing.T) {
	t.Parallel()
	for shift := range 16 {
		t.Run(fmt.Sprint(shift), func(t *testing.T) {
			t.Parallel()
			s, _ := open()
			items := []value.Value{value.String(strings.Repeat("x", 64<<10-16+shift))}
			for i := range 40_000 {
				items = append(items, value.Object(value.M("n", value.Int(int64(i)))))
			}
			v := value.List(items...)
			kept, err := s.Keep("r1", v)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := s.Write(&out, "r1", kept); err != nil || !bytes.Equal(out.Bytes(), v.Append(nil)) {
				t.Fatalf("written otherwise: %v", err)
			}
		})
	}
}
