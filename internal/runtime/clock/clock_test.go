package clock_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/runtime/clock"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestVirtualStandsStillWhileSomethingIsInFlight(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start)
	c.Begin()
	c.Begin()
	fired := false
	c.AfterFunc(start.Add(time.Hour), func() { fired = true })
	c.End()
	if fired || !c.Now().Equal(start) {
		t.Fatalf("time passed while work was in flight: fired %v, now %v", fired, c.Now())
	}
	c.End()
	if !fired || !c.Now().Equal(start.Add(time.Hour)) {
		t.Fatalf("after the last work: fired %v, now %v", fired, c.Now())
	}
}

func TestVirtualFiresInOrderOneAtATime(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start)
	var order []string
	c.Begin()
	held := false
	note := func(name string, hold bool) func() {
		return func() {
			if held {
				t.Errorf("%s fired while another was in flight", name)
			}
			order = append(order, name)
			if hold {
				c.Begin()
				held = true
			}
		}
	}
	c.AfterFunc(start.Add(2*time.Second), note("later", false))
	c.AfterFunc(start.Add(time.Second), note("first", true))
	c.AfterFunc(start.Add(time.Second), note("second", false))
	stop := c.AfterFunc(start.Add(time.Second), note("stopped", false))
	c.AfterFunc(start.Add(-time.Second), note("past", false))
	if !stop() || stop() {
		t.Error("a timer is taken back once")
	}
	c.End()
	if want := []string{"past", "first"}; !slices.Equal(order, want) {
		t.Fatalf("fired %v, want %v", order, want)
	}
	held = false
	c.End()
	if want := []string{"past", "first", "second", "later"}; !slices.Equal(order, want) {
		t.Fatalf("fired %v, want %v", order, want)
	}
	if !c.Now().Equal(start.Add(2 * time.Second)) {
		t.Errorf("now %v", c.Now())
	}
}

func TestVirtualIsStill(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start)
	still := func() bool {
		select {
		case <-c.Still():
			return true
		default:
			return false
		}
	}
	var got []bool
	note := func() { got = append(got, still()) }
	note()
	c.Begin()
	note()
	stop := c.AfterFunc(start.Add(time.Hour), func() {})
	stop()
	note()
	c.AfterFunc(start.Add(time.Hour), note)
	waits := c.Still()
	c.End()
	note()
	stop = c.AfterFunc(start.Add(2*time.Hour), func() {})
	note()
	stop()
	note()
	if want := []bool{true, false, false, false, true, false, true}; !slices.Equal(got, want) {
		t.Errorf("still %v, want %v", got, want)
	}
	<-waits // closed since, or this hangs
}

func TestVirtualEndWithoutBegin(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	clock.NewVirtual(start).End()
}

func TestSleep(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start)
	c.Begin()
	if err := clock.Sleep(t.Context(), c, time.Hour); err != nil {
		t.Fatal(err)
	}
	if !c.Now().Equal(start.Add(time.Hour)) {
		t.Errorf("now %v", c.Now())
	}
	c.Begin() // holds time, so that the sleeper cannot wake
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clock.Sleep(ctx, c, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	c.End()
	c.End() // panics unless the sleeper holds again
}

func TestRealFiresAtTheInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.Real
		begin := c.Now()
		for _, d := range []time.Duration{0, time.Second, time.Minute, 3*time.Hour + time.Second} {
			at := c.Now().Add(d)
			done := make(chan struct{})
			stop := c.AfterFunc(at, func() { close(done) })
			<-done
			if !c.Now().Equal(at) {
				t.Errorf("timer of %v fired at %v, want %v", d, c.Now(), at)
			}
			if stop() {
				t.Errorf("timer of %v was taken back after it fired", d)
			}
		}
		stop := c.AfterFunc(c.Now().Add(2*time.Hour), func() { t.Error("a stopped timer fired") })
		if err := clock.Sleep(t.Context(), c, time.Hour); err != nil {
			t.Error(err)
		}
		if !stop() {
			t.Error("not stopped")
		}
		if err := clock.Sleep(t.Context(), c, 2*time.Hour); err != nil {
			t.Error(err)
		}
		if got, want := c.Now().Sub(begin), 6*time.Hour+time.Minute+2*time.Second; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}
