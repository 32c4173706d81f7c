package duration_test

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/duration"
)

func TestParse(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "500ms": 500 * time.Millisecond,
		"1w2d": 216 * time.Hour, "1.5h": 90 * time.Minute, "0s": 0, "36500d": duration.Max,
	}
	pattern := regexp.MustCompile(duration.Pattern)
	for text, want := range good {
		got, err := duration.Parse(text)
		if err != nil || got != want || !pattern.MatchString(text) {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "5 s", "-5s", "5s5s", "5s1h", "5y", ".5s", "5.s", "1e3s", "99999999999999w", "5S", "５s"} {
		if got, err := duration.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, int64(duration.Max/time.Millisecond)).Draw(t, "ms")) * time.Millisecond
		got, err := duration.Parse(duration.Format(want))
		// float64 carries 15 digits, enough for a millisecond in 100 years.
		if err != nil || got.Round(time.Millisecond) != want {
			t.Fatalf("Parse(Format(%v)) = %v, %v", want, got, err)
		}
	})
}
