package access

import (
	"time"

	"github.com/regie-dev/regie/internal/duration"
)

// Bounds of retention.
const (
	// MinKeepRuns is the shortest time that runs are kept: as long as an
	// idempotency key names its run.
	MinKeepRuns = 30 * 24 * time.Hour
	// MinKeep is the shortest time that data and logs are kept.
	MinKeep = time.Hour
	// DefaultKeepLast and MaxKeepLast are how many runs of each workflow are
	// kept, however old they are.
	DefaultKeepLast = 1
	MaxKeepLast     = 1000
)

// Retention is how long what runs have left is kept, each from the end of the
// run on, as texts such as 90d; empty: for ever.
type Retention struct {
	Runs     string `json:"keep_runs,omitempty"`
	Payloads string `json:"keep_payloads,omitempty"`
	Logs     string `json:"keep_logs,omitempty"`
	// Last is how many runs of each workflow are kept, the newest; nil:
	// DefaultKeepLast.
	Last *uint32 `json:"keep_last,omitempty"`
	// Archive: a run is copied into the archive of the server before anything of
	// it is taken away.
	Archive bool `json:"archive,omitempty"`
}

// KeptTimes is a Retention as times; zero: for ever.
type KeptTimes struct {
	Runs, Payloads, Logs time.Duration
	Last                 int
}

// Times reads the retention. Errors: ErrInvalid.
func (r Retention) Times() (KeptTimes, error) {
	out := KeptTimes{Last: DefaultKeepLast}
	for _, c := range []struct {
		field, text string
		least       time.Duration
		to          *time.Duration
	}{
		{"keep_runs", r.Runs, MinKeepRuns, &out.Runs}, {"keep_payloads", r.Payloads, MinKeep, &out.Payloads}, {"keep_logs", r.Logs, MinKeep, &out.Logs},
	} {
		if c.text == "" {
			continue
		}
		d, err := duration.Parse(c.text)
		if err != nil {
			return KeptTimes{}, invalid("retention."+c.field, "%v", err)
		}
		if d < c.least {
			return KeptTimes{}, invalid("retention."+c.field, "%s is less than %s", c.text, duration.Format(c.least))
		}
		*c.to = d
	}
	if r.Last != nil {
		if *r.Last > MaxKeepLast {
			return KeptTimes{}, invalid("retention.keep_last", "%d runs are more than %d", *r.Last, MaxKeepLast)
		}
		out.Last = int(*r.Last)
	}
	return out, nil
}
