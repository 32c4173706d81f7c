package native

import (
	"github.com/regie-dev/regie/internal/workflow"
)

// onFailure compiles what a failed run does. Where runs are started by hand,
// nobody decides about what is held.
func (c *compiler) onFailure() {
	e := c.doc.Entry("on_failure")
	if e == nil {
		return
	}
	n := e.Value
	switch how := workflow.OnFailure(n.Text); how {
	case workflow.OnFailureHold:
		c.prog.OnFailure, c.prog.Unattended = how, c.cfg.RunOnce
		if c.cfg.RunOnce {
			c.noEffect(e.Key, "nobody can decide about a failure in `regie run`, which ends the run; on a server an operator does")
		}
	case workflow.OnFailureCompensate:
		c.notYet(n, "on_failure: "+n.Text, "compensating failed runs")
	case workflow.OnFailureFail:
	}
}
