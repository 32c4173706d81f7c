package engine

import "github.com/regie-dev/regie/internal/workflow"

// Beat says that an attempt which is out was heard of: its worker has begun it,
// or it goes on. The time of its heartbeat begins anew, which the first one sets:
// the time in which it waited for a worker is no silence. One for an attempt that
// owes none, or that is not out any more, is ignored.
type Beat struct {
	Act     ActID
	Attempt int
}

func (Beat) input() {}

// beaten takes a sign of life.
func (d *decider) beaten(in Beat) error {
	a := d.run.Acts[in.Act]
	if a == nil || a.Phase != PhaseAttempt || a.Attempt != in.Attempt || a.Heartbeat == 0 || a.CancelAsked || a.Answer != nil {
		return nil
	}
	if d.m.node(d.run.Frames[a.Frame], a.Node).Task.Finish != workflow.FinishResult || d.young(a) {
		return nil
	}
	return d.beat(a)
}

// young reports whether the last heartbeat is so fresh that another one would
// change nothing.
func (d *decider) young(a *Activation) bool {
	t := d.run.Timers[a.Beat]
	return t != nil && t.At.Sub(d.ctx.Now) > a.Heartbeat-a.Heartbeat/beatsKept
}
