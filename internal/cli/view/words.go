package view

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
)

// spinner has the signs of something that runs, in the order of time.
var spinner = [...]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// spinTime is how long each sign of the spinner is shown.
const spinTime = 100 * time.Millisecond

// sign is the sign of a state and its style.
func sign(state engine.State, now time.Time) (text, style string) {
	switch state {
	case engine.Succeeded:
		return "✓", StyleGood
	case engine.Failed:
		return "✗", StyleBad
	case engine.Canceled:
		return "⊘", StyleWarning
	case engine.Skipped:
		return "○", StyleFaint
	case engine.Waiting:
		return "◷", StyleWarning
	case engine.Running:
		return spinner[now.UnixMilli()/spinTime.Milliseconds()%int64(len(spinner))], StyleBusy
	case engine.Queued:
		return "◌", StyleBusy
	case engine.Pending:
	}
	return "·", StyleFaint
}

// Duration is a time span as people read it: 320ms, 1.2s, 12s, 1m05s, 2h03m,
// 3d04h.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// reasonWords say why a step is in its state, for people.
var reasonWords = map[engine.Reason]string{
	engine.ReasonConditionFalse:    "its condition is false",
	engine.ReasonJoinFalse:         "what it needs ended another way",
	engine.ReasonUpstreamFailed:    "a step before it failed",
	engine.ReasonUpstreamCanceled:  "a step before it was canceled",
	engine.ReasonExited:            "the steps around it ended early",
	engine.ReasonTimedOut:          "timed out",
	engine.ReasonCanceled:          "",
	engine.ReasonSibling:           "a step beside it failed",
	engine.ReasonAttemptsExhausted: "no attempts left",
	engine.ReasonAttemptLost:       "outcome unknown",
	engine.ReasonRetry:             "waits for the next attempt",
	engine.ReasonTimer:             "waits",
	engine.ReasonOperator:          "an operator said so",
	engine.ReasonKilled:            "killed by an operator",
	engine.ReasonEvaluation:        "evaluates an expression",
	engine.ReasonMessage:           "waits for a message",
	engine.ReasonUndoFailed:        "could not undo it: a person must decide what becomes of it",
	engine.ReasonFailureHeld:       "failed: a person must decide what becomes of it",
	engine.ReasonApproval:          "asks for approval",
	engine.ReasonChild:             "waits for its child run",
	engine.ReasonRun:               "waits for a run of another workflow",
	engine.ReasonOutcomeUnknown:    "outcome unknown: a person must say what happened",
}

// elapsed is how long the step has been going on.
func elapsed(s *history.Step, now time.Time) time.Duration {
	if s.StartedAt.IsZero() {
		return 0
	}
	if !s.EndedAt.IsZero() {
		return s.EndedAt.Sub(s.StartedAt)
	}
	return now.Sub(s.StartedAt)
}

// ErrorText is an error on one line.
func ErrorText(e *engine.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Name == "":
		return oneLine(e.Message)
	case e.Message == "":
		return oneLine(e.Name)
	}
	return oneLine(e.Name + ": " + e.Message)
}

// until says for how long something still waits.
func until(at, now time.Time) string {
	if left := at.Sub(now); left > 0 {
		return Duration(left.Round(100 * time.Millisecond))
	}
	return "0s"
}

func items(n int) string { return counted(n, "item") }

// turns counts those of a repeat that have ended, of which there is no number
// known before.
func turns(n int) string { return counted(n, "turn") }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// facts are what is worth saying about a step beside its name and state, most
// important first.
func facts(s *history.Step, now time.Time) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.State != engine.Skipped && s.State != engine.Pending {
		add("%s", Duration(elapsed(s, now)))
	}
	switch {
	case s.Items > 0 && !s.State.Final():
		add("%d/%d", s.Done, s.Items)
	case s.Items > 0:
		add("%s", items(s.Items))
	case s.Done > 0:
		add("%s", turns(s.Done))
	}
	if s.Failed > 0 {
		add("%d failed", s.Failed)
	}
	if s.Tries > 1 {
		add("attempt %d", s.Tries)
	}
	if s.Held && !s.State.Final() {
		add("held")
	}
	if s.Undone {
		add("undone")
	}
	switch {
	case s.State == engine.Queued:
		add("queued")
	case s.State == engine.Waiting && s.Reason == engine.ReasonRetry && !s.WaitsUntil.IsZero():
		add("retry in %s", until(s.WaitsUntil, now))
	case s.State == engine.Waiting && !s.WaitsUntil.IsZero():
		add("%s to go", until(s.WaitsUntil, now))
	case s.Reason == engine.ReasonMessage && s.Taker != "":
		add("worker %s has it, from activity %s", oneLine(s.Taker), oneLine(s.Activity))
	case s.Reason == engine.ReasonMessage && s.Activity != "":
		add("waits for a worker of activity %s", oneLine(s.Activity))
	case s.State == engine.Skipped || s.State == engine.Canceled || s.State == engine.Waiting:
		if words := reasonWords[s.Reason]; words != "" {
			add("%s", words)
		}
	}
	if s.Reason == engine.ReasonCached {
		add("cached")
	}
	if s.Child != "" {
		add("run %s", s.Child)
	}
	if s.Handled && s.State == engine.Failed {
		add("goes on")
	}
	if text := ErrorText(s.Error); text != "" && s.State != engine.Skipped {
		add("%s", text)
	}
	if s.Warning != "" {
		add("warning: %s", oneLine(s.Warning))
	}
	return out
}
