package access

import (
	"fmt"
	"testing"
	"time"
)

func fixed() time.Time { return time.Date(2030, 3, 1, 9, 0, 0, 0, time.UTC) }

func TestBuckets(t *testing.T) {
	t.Parallel()
	now := fixed()
	b := newBuckets(3, time.Minute, 10)
	take := func(want time.Duration) {
		t.Helper()
		if got := b.take("k", now); got != want {
			t.Errorf("waits %v, want %v", got, want)
		}
	}
	take(0)
	take(0)
	take(0)
	take(time.Minute)
	now = now.Add(20 * time.Second)
	take(40 * time.Second) // refusals cost nothing
	now = now.Add(40 * time.Second)
	take(0)
	take(time.Minute)
	b.back("k")
	take(0)
	now = now.Add(-24 * time.Hour) // the clock was set back
	take(time.Minute)
	b.fill("k")
	take(0)
	take(0)
	now = now.Add(time.Hour)
	take(0)
	take(0)
	take(0)
	take(time.Minute)
}

// TestBucketsAreBounded: those that were not seen for longest are forgotten.
func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBuckets(1, time.Minute, 100)
	b.take("first", fixed())
	for i := range 10_000 {
		b.take(fmt.Sprint(i), fixed())
		if b.take("first", fixed()) == 0 {
			t.Fatal("one that is seen all the time was forgotten")
		}
	}
	if len(b.items) != 100 || b.order.Len() != 100 {
		t.Errorf("%d, %d", len(b.items), b.order.Len())
	}
	if b.take("9999", fixed()) == 0 || b.take("1", fixed()) != 0 {
		t.Error("the wrong ones were forgotten")
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.7:1234":                "192.0.2.7",
		"192.0.2.7":                     "192.0.2.7",
		"[::ffff:192.0.2.7]:80":         "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:80":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1%eth0]:1": "2001:db8:1:2::/64",
		"@":                             "invalid IP",
		"":                              "invalid IP",
	} {
		if got := remoteKey(remoteAddress(remote)); got != want {
			t.Errorf("%s counts as %s, want %s", remote, got, want)
		}
	}
}
