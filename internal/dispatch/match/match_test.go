package match_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/dispatch/match"
)

func drain(q *match.Queue[string], s *match.Slots) []string {
	var got []string
	for {
		key, worker, ok := match.Next(q, s)
		if !ok {
			return got
		}
		got = append(got, key+">"+worker)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	var q match.Queue[string]
	var s match.Slots
	q.Push("low", match.Process, 0)
	q.Push("call", match.Connector, 0)
	q.Push("high", match.Process, 5)
	q.Push("low", match.Process, 9) // waits already
	q.Push("gone", match.Process, 7)
	if !q.Remove("gone") || q.Remove("gone") {
		t.Error("a task is removed once")
	}
	if got := drain(&q, &s); got != nil {
		t.Fatalf("without workers: %v", got)
	}
	for key, want := range map[string]int{"high": 1, "low": 2, "call": 1, "gone": 0} {
		if got := q.Place(key); got != want {
			t.Errorf("%s is at place %d, want %d", key, got, want)
		}
	}
	s.Set("w2", match.Capacity{match.Process: 1, match.Connector: 1})
	s.Set("w1", match.Capacity{match.Process: 1})
	if got, want := drain(&q, &s), []string{"high>w1", "low>w2", "call>w2"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestMostFreeSlotsFirst(t *testing.T) {
	t.Parallel()
	var q match.Queue[string]
	var s match.Slots
	s.Set("a", match.Capacity{match.Process: 2})
	s.Set("b", match.Capacity{match.Process: 3})
	for _, key := range []string{"1", "2", "3", "4", "5", "6"} {
		q.Push(key, match.Process, 0)
	}
	if got, want := drain(&q, &s), []string{"1>b", "2>a", "3>b", "4>a", "5>b"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	s.Release("a", match.Process)
	s.Set("a", match.Capacity{match.Process: 1}) // one is used: none free
	if got := drain(&q, &s); got != nil {
		t.Fatalf("beyond a lowered capacity: %v", got)
	}
	s.Release("a", match.Process)
	if got, want := drain(&q, &s), []string{"6>a"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestHoldAndDrop(t *testing.T) {
	t.Parallel()
	var q match.Queue[string]
	var s match.Slots
	s.Set("a", match.Capacity{match.Process: 1})
	s.Hold("a", match.Process)
	s.Hold("a", match.Process)
	q.Push("x", match.Process, 0)
	s.Release("a", match.Process)
	if got := drain(&q, &s); got != nil {
		t.Fatalf("with a held slot: %v", got)
	}
	s.Drop("a")
	s.Drop("a")
	s.Release("a", match.Process)
	s.Hold("a", match.Process)
	s.Set("a", match.Capacity{match.Process: 1})
	if got, want := drain(&q, &s), []string{"x>a"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// Slots in use never exceed the capacity by taking, nothing waits beside a free
// slot of its class, and tasks of a class leave by priority, then in order.
func TestInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q match.Queue[int]
		var s match.Slots
		classes := []match.Class{match.Process, match.Connector}
		capacity := map[string]match.Capacity{}
		used := map[string]match.Capacity{}
		type waits struct {
			key, priority int
			class         match.Class
		}
		var queue []waits
		next := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			worker := fmt.Sprintf("w%d", rapid.IntRange(0, 3).Draw(t, "worker"))
			class := rapid.SampledFrom(classes).Draw(t, "class")
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0:
				capacity[worker] = match.Capacity{match.Process: rapid.IntRange(0, 3).Draw(t, "slots"), match.Connector: 1}
				s.Set(worker, capacity[worker])
				if used[worker] == nil {
					used[worker] = match.Capacity{}
				}
			case 1:
				if used[worker][class] > 0 {
					used[worker][class]--
					s.Release(worker, class)
				}
			default:
				w := waits{key: next, priority: rapid.IntRange(0, 2).Draw(t, "priority"), class: class}
				next++
				queue = append(queue, w)
				q.Push(w.key, w.class, w.priority)
			}
			for {
				key, worker, ok := match.Next(&q, &s)
				if !ok {
					break
				}
				i := slices.IndexFunc(queue, func(w waits) bool { return w.key == key })
				got := queue[i]
				for _, w := range queue {
					if w.class == got.class && (w.priority > got.priority || w.priority == got.priority && w.key < got.key) {
						t.Fatalf("%+v left before %+v", got, w)
					}
				}
				queue = slices.Delete(queue, i, i+1)
				used[worker][got.class]++
				if used[worker][got.class] > capacity[worker][got.class] {
					t.Fatalf("%s: %d of %d %s slots", worker, used[worker][got.class], capacity[worker][got.class], got.class)
				}
			}
			for _, w := range queue {
				for name := range capacity {
					if used[name][w.class] < capacity[name][w.class] {
						t.Fatalf("%+v waits while %s has a free slot", w, name)
					}
				}
			}
		}
	})
}
