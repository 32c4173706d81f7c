package runtime_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	ids := runtime.NewIDs(rand.Reader)
	var last store.RunID
	for i := range 5000 {
		now := start.Add(time.Duration(i/10) * time.Millisecond)
		if i%1000 == 999 {
			now = start // a clock that goes back
		}
		id, err := ids.Next(now)
		if err != nil {
			t.Fatal(err)
		}
		if !id.Valid() || len(id) != 26 || id <= last {
			t.Fatalf("ID %q after %q", id, last)
		}
		last = id
	}
}

func TestFirstID(t *testing.T) {
	t.Parallel()
	ids := runtime.NewIDs(rand.Reader)
	for i := range 100 {
		now := start.Add(time.Duration(i*i) * time.Millisecond)
		id, err := ids.Next(now)
		if err != nil {
			t.Fatal(err)
		}
		if first := runtime.FirstID(now); !first.Valid() || first >= id || runtime.FirstID(now.Add(time.Millisecond)) <= id {
			t.Errorf("first %q of %q", first, id)
		}
	}
}

func TestIDsCarry(t *testing.T) {
	t.Parallel()
	ids := runtime.NewIDs(bytes.NewReader([]byte{0, 1, 255, 255, 255, 255, 255, 255, 255, 255}))
	var got [2]store.RunID
	for i := range got {
		id, err := ids.Next(time.UnixMilli(1))
		if err != nil {
			t.Fatal(err)
		}
		got[i] = id
	}
	want := [2]store.RunID{"0000000001" + "000zzzzzzzzzzzzz", "0000000001" + "0010000000000000"}
	if got != want {
		t.Errorf("IDs %q, want %q", got, want)
	}
}

func TestIDsWithoutRandomness(t *testing.T) {
	t.Parallel()
	if _, err := runtime.NewIDs(bytes.NewReader(nil)).Next(start); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}
