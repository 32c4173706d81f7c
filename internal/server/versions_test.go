package server_test

import (
	"fmt"
	"testing"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestVersionComesInForce: at its instant a version is in force for starts and
// schedules, while the server runs.
func TestVersionComesInForce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.namespace(t, "dated")
	const form = "kind: Workflow\nname: w\n%ssteps: [{id: a, assign: {x: %d}}]\n"
	now := w.apply(t, "dated", fmt.Sprintf(form, "", 1)).GetChanges()[0].GetVersion()
	from := time.Now().Add(2 * time.Second).UTC().Truncate(time.Second)
	change := w.apply(t, "dated", fmt.Sprintf(form, "effective_from: "+from.Format(time.RFC3339)+
		"\ntriggers: [{schedule: {cron: \"30 * * * *\", timezone: UTC}}]\n", 2)).GetChanges()[0]
	if !change.GetEffectiveFrom().AsTime().Equal(from) {
		t.Errorf("%v", change)
	}
	begin := func() string {
		a, err := w.admin.runs.StartRun(t.Context(), &regiev1.StartRunRequest{Namespace: "dated", Workflow: "w"})
		if err != nil {
			t.Fatal(err)
		}
		return a.GetRun().GetVersion()
	}
	if got := begin(); got != now && time.Now().Before(from) {
		t.Errorf("a run began with %s", got)
	}
	eventually(t, "its schedule is there", func() bool {
		a, err := w.admin.schedules.ListSchedules(t.Context(), &regiev1.ListSchedulesRequest{Namespace: "dated"})
		return err == nil && len(a.GetSchedules()) == 1 && a.GetSchedules()[0].GetNextAt() != nil
	})
	if got := begin(); got != change.GetVersion() || time.Now().Before(from) {
		t.Errorf("a run began with %s, not %s", got, change.GetVersion())
	}
}
