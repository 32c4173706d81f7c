package mailbox_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/runtime/mailbox"
)

func TestOrderAndClose(t *testing.T) {
	t.Parallel()
	box := mailbox.New[int](clock.Real{})
	var wg sync.WaitGroup
	const senders, each = 4, 200
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				box.Post(s*each + i)
			}
		})
	}
	go func() {
		wg.Wait()
		box.Close()
	}()
	last := []int{-1, -1, -1, -1}
	total := 0
	for items := range box.All() {
		for _, item := range items {
			if s := item / each; item%each <= last[s] {
				t.Fatalf("sender %d: %d after %d", s, item%each, last[s])
			} else {
				last[s] = item % each
			}
			total++
		}
	}
	if total != senders*each {
		t.Errorf("received %d, want %d", total, senders*each)
	}
	if box.Post(1) {
		t.Error("a closed mailbox took a message")
	}
	box.Close()
}

func TestCloseDelivers(t *testing.T) {
	t.Parallel()
	box := mailbox.New[int](clock.Real{})
	box.Post(1)
	box.Post(2)
	box.Close()
	var got []int
	for items := range box.All() {
		got = append(got, items...)
	}
	if !slices.Equal(got, []int{1, 2}) {
		t.Errorf("received %v", got)
	}
}

// A message holds virtual time from its posting until the receiver is done
// with it.
func TestMessagesAreInFlight(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := clock.NewVirtual(start)
	box := mailbox.New[string](c)
	box.Post("first")
	c.AfterFunc(start.Add(time.Hour), func() { box.Post("timer") })
	var got []string
	for items := range box.All() {
		got = append(got, items...)
		if len(got) == 1 && !c.Now().Equal(start) {
			t.Errorf("time passed while a message was handled: %v", c.Now())
		}
		if len(got) == 2 {
			box.Close()
		}
	}
	if !slices.Equal(got, []string{"first", "timer"}) || !c.Now().Equal(start.Add(time.Hour)) {
		t.Errorf("received %v by %v", got, c.Now())
	}
}
