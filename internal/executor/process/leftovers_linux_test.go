package process

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// Each script prints the numbers of processes that it leaves running.
func TestLeftoversAreEnded(t *testing.T) {
	t.Parallel()
	const quiet = " >/dev/null 2>&1 </dev/null & echo $!; "
	for name, script := range map[string]string{
		"of the group":         "sleep 300" + quiet,
		"that hold the output": "sleep 300 & echo $!",
		"that ignore TERM":     "trap '' TERM; sleep 300" + quiet,
		"of another group":     "set -m; sleep 300" + quiet,
		"of another session":   "setsid sleep 300" + quiet,
		"without environment":  "env -i /bin/sleep 300" + quiet,
		"daemons":              "(setsid sh -c 'sleep 300" + quiet + "')",
		"many":                 strings.Repeat("setsid sleep 300"+quiet, 10),
		"of a long task":       "sleep 0.6; setsid sleep 300" + quiet + "sleep 300" + quiet,
		"of a failed task":     "setsid sleep 300" + quiet + "exit 1",
		"of a killed task":     "setsid sleep 300" + quiet + "kill -KILL $$",
		"that stop":            "sh -c 'kill -STOP $$'" + quiet,
		"that start others": `setsid sh -c 'while :; do sleep 0.01; done' >/dev/null 2>&1 & echo $!
			setsid sh -c 'for i in 1 2 3; do setsid sleep 300 & echo $!; done; sleep 300' 2>/dev/null & echo $!; sleep 0.1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := open(t, Config{DrainTime: 200 * time.Millisecond})
			other := bystander(t)
			h, o := start(t, x, executor.Task{Script: script})
			if _, err := wait(t, x, h); err != nil {
				t.Fatal(err)
			}
			pids := strings.Fields(o.String())
			if len(pids) == 0 {
				t.Fatal("the script printed no process number")
			}
			for _, pid := range pids {
				if !gone(t, pid) {
					t.Errorf("process %s lives", pid)
				}
			}
			if !strings.Contains(string(o.notes), "killed: ") {
				t.Errorf("the log does not tell: %q", o.notes)
			}
			if gone(t, strconv.Itoa(other.Process.Pid)) {
				t.Errorf("a process that is none of the task's was ended")
			}
		})
	}
}

// Whoever is asked to end gets the whole grace for it, also when the main
// process has ended before.
func TestGraceOfDescendants(t *testing.T) {
	t.Parallel()
	const child = `trap 'sleep 0.3; echo cleaned >done; exit' TERM; echo up; while :; do sleep 0.02 || :; done`
	for name, script := range map[string]string{
		"with output":        "sh -c \"$CHILD\" & wait",
		"without output":     "sh -c \"$CHILD\" >up 2>&1 & until test -s up; do sleep 0.02; done; echo up; wait",
		"of another session": "setsid sh -c \"$CHILD\" >up 2>&1 & until test -s up; do sleep 0.02; done; echo up; wait",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := open(t, Config{DrainTime: time.Millisecond})
			dir := t.TempDir()
			h, o := start(t, x, executor.Task{Dir: dir, Script: script, Env: []executor.EnvVar{{Name: "CHILD", Value: child}}})
			o.await(t, 1)
			if err := x.Stop(h, patience); err != nil {
				t.Fatal(err)
			}
			if r, err := wait(t, x, h); err != nil || r.ErrorName != "canceled" || r.Signal != "TERM" {
				t.Fatalf("got %q %q, %v", r.ErrorName, r.Signal, err)
			}
			if got := read(t, dir, "done"); got != "cleaned\n" {
				t.Errorf("the descendant left %q", got)
			}
		})
	}
	t.Run("cut short", func(t *testing.T) {
		t.Parallel()
		x := open(t, Config{})
		h, o := start(t, x, executor.Task{Script: "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); while :; do sleep 300; done) & wait"})
		pid := o.await(t, 1)[0]
		for _, grace := range []time.Duration{time.Hour, 0} {
			if err := x.Stop(h, grace); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := wait(t, x, h); err != nil || r.ErrorName != "canceled" {
			t.Fatalf("got %q, %v", r.ErrorName, err)
		}
		if !gone(t, pid) {
			t.Errorf("process %s lives", pid)
		}
	})
}
