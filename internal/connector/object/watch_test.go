package object_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/value"
)

// TestWatch: what matches is found once it has the size and has not changed for
// long enough, from look to look; what changes begins anew.
func TestWatch(t *testing.T) {
	t.Parallel()
	for store, open := range backends() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
			look := func(after time.Duration, before value.Value) value.Value {
				t.Helper()
				now = now.Add(after)
				call := b.request(t, `{"glob": "in/*.csv", "min_size": 3, "stable_for": "10s", "before": `+before.String()+`}`)
				call.Now = func() time.Time { return now }
				got, err := b.find(t, "object.watch").Call(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				return got.Output
			}
			state := func(v value.Value) string {
				return fmt.Sprint(v.Get("found"), " ", v.Get("files").Len(), " of ", v.Get("seen").Len())
			}
			want := func(v value.Value, text string) value.Value {
				t.Helper()
				if got := state(v); got != text {
					t.Errorf("%s, want %s: %s", got, text, v)
				}
				return v
			}
			b.write("in/deep/c.csv", "never")
			b.write("in/a.txt", "never")
			seen := want(look(0, value.Null), "false 0 of 0")
			b.write("in/a.csv", "1")
			seen = want(look(time.Second, seen), "false 0 of 1")
			seen = want(look(time.Minute, seen), "false 0 of 1") // too small
			b.write("in/a.csv", "1234")
			seen = want(look(time.Second, seen), "false 0 of 1")
			seen = want(look(9*time.Second, seen), "false 0 of 1")
			b.write("in/b.csv", "1234")
			seen = want(look(time.Second, seen), "true 1 of 2")
			if got := seen.Get("files").At(0).Get("key").Text(); got != "in/a.csv" {
				t.Errorf("found %s", got)
			}
			want(look(10*time.Second, seen), "true 2 of 2")
			want(look(0, value.MustParse(`{"seen": [{"key": "in/a.csv", "since": "2099-01-01T00:00:00Z"}, 7]}`)), "false 0 of 2")
		})
	}
}

func TestWatchRefuses(t *testing.T) {
	t.Parallel()
	_, b := world(t)
	_, err := b.call(t, "object.watch", `{"glob": "[a"}`)
	wantError(t, err, "invalid_input", "no pattern")
	_, err = b.call(t, "object.watch", `{"glob": "*", "bucket": "none"}`)
	wantError(t, err, object.NotFound, "none")
}
