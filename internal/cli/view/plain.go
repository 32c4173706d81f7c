package view

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// Plain tells a run as lines, one for each change, for output that is piped.
// Not safe for concurrent use.
type Plain struct {
	zone *time.Location
	now  time.Time // of the last line; lines never go back
	last map[*history.Step]told
}

// told is what was last said of a step.
type told struct {
	state engine.State
	tries int
	turns int // that had ended when it began to wait for the next
}

// NewPlain returns a Plain that shows times in the zone.
func NewPlain(zone *time.Location) *Plain {
	return &Plain{zone: zone, last: map[*history.Step]told{}}
}

// Step returns the line for a step that has changed, "" if there is nothing new
// to say.
func (p *Plain) Step(s *history.Step, now time.Time) string {
	next := told{state: s.State, tries: s.Tries}
	if s.State == engine.Waiting && s.Items == 0 {
		next.turns = s.Done
	}
	lacks := s.Lacks()
	if p.last[s] == next || s.State == engine.Queued && lacks == "" || s.State == engine.Pending {
		return ""
	}
	if n := len(s.Attempts); s.State == engine.Running && n > 0 && s.Attempts[n-1].Outcome != "" {
		return "" // the attempt has ended; what follows from it comes next
	}
	if s.State == engine.Running && len(s.Attempts) == 0 && p.last[s].state == engine.Waiting {
		return "" // it has waited; what follows comes next
	}
	p.last[s] = next
	text := ""
	switch s.State {
	case engine.Running:
		text = "started"
		if s.Tries > 1 {
			text = fmt.Sprintf("attempt %d", s.Tries)
		}
	case engine.Waiting:
		text = waitingText(s, now)
	case engine.Succeeded, engine.Failed, engine.Canceled, engine.Skipped:
		text = endText(s)
	case engine.Queued:
		text = "queued, " + lacks
	case engine.Pending:
	}
	return p.line(now, s.Path, text)
}

// Run returns the line for the run as a whole, such as "started".
func (p *Plain) Run(r *history.Run, text string, now time.Time) string {
	return p.line(now, "run "+r.ID, text)
}

func (p *Plain) line(now time.Time, subject, text string) string {
	if now.After(p.now) {
		p.now = now
	}
	return p.now.In(p.zone).Format("15:04:05.000") + " " + oneLine(subject) + ": " + text + "\n"
}

func waitingText(s *history.Step, now time.Time) string {
	text := reasonWords[s.Reason]
	if text == "" {
		text = "waits"
	}
	if !s.WaitsUntil.IsZero() {
		text = "waits " + until(s.WaitsUntil, now)
		if s.Reason == engine.ReasonRetry {
			text += " for the next attempt"
		}
	}
	if e := ErrorText(s.Error); e != "" {
		text += ", after " + e
	}
	return text
}

// endText says how a step ended.
func endText(s *history.Step) string {
	text := string(s.State)
	if s.State != engine.Skipped {
		text += " in " + Duration(s.EndedAt.Sub(s.StartedAt))
	}
	if s.Items > 0 {
		text += ", " + items(s.Items)
	} else if s.Done > 0 {
		text += ", " + turns(s.Done)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Tries > 1 {
		text += fmt.Sprintf(", attempt %d", s.Tries)
	}
	if words := reasonWords[s.Reason]; words != "" {
		text += ", " + words
	}
	if s.Handled && s.State == engine.Failed {
		text += ", the run goes on"
	}
	if e := ErrorText(s.Error); e != "" && s.State != engine.Skipped {
		text += ": " + e
	}
	if s.Warning != "" {
		text += ", warning: " + oneLine(s.Warning)
	}
	return text
}
