package supervised

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// daemon is a process with a session and parent of its own and nothing in its
// environment. It says its number.
const daemon = `(setsid env -i /bin/sh -c 'echo $$ >'$PWD/pid'; exec /bin/sleep 300' >/dev/null 2>&1 </dev/null &); until test -s pid; do sleep 0.005; done; cat pid; `

// Daemons end with their task, whatever they did to their environment.
func TestDaemonsAreEnded(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"one":               daemon,
		"with children":     strings.Replace(daemon, "exec /bin/sleep 300", "/bin/sleep 301 & exec /bin/sleep 300", 1),
		"of a failed task":  daemon + "exit 3",
		"of a killed shell": daemon + "kill -KILL $$",
		"seen before":       "sleep 0.1; " + daemon + "sleep 0.1",
		"that ignore TERM":  strings.Replace(daemon, "exec /bin/sleep 300", "trap \"\" TERM; exec /bin/sleep 300", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := open(t, config(t))
			h, p, _ := begin(t, x, executor.Task{Script: script})
			if _, err := wait(t, x, h); err != nil {
				t.Fatal(err)
			}
			fields := strings.Fields(p.String())
			if len(fields) == 0 {
				t.Fatal("the script printed no process number")
			}
			if !gone(fields[0]) {
				t.Errorf("the daemon lives")
			}
			if !strings.Contains(p.String(), "killed: ") {
				t.Errorf("the log does not tell: %q", p)
			}
		})
	}
}

// A daemon that could be that of several tasks lives as long as one of them:
// what belongs to a task that runs is never killed.
func TestDaemonsOfSeveralTasks(t *testing.T) {
	t.Parallel()
	x := open(t, config(t))
	first, p, firstDir := begin(t, x, executor.Task{Script: daemon + untilGo})
	one := p.await(t)[0]
	second, p, secondDir := begin(t, x, executor.Task{Script: daemon + untilGo})
	two := p.await(t)[0]
	other, _, _ := begin(t, x, executor.Task{Script: "exit 0"})
	if _, err := wait(t, x, other); err != nil {
		t.Fatal(err)
	}
	if gone(one) || gone(two) {
		t.Error("a task that ended took daemons of others with it")
	}
	letGo(t, firstDir)
	if _, err := wait(t, x, first); err != nil {
		t.Fatal(err)
	}
	if !gone(one) {
		t.Error("the daemon lives that only the first task can have started")
	}
	if gone(two) {
		t.Error("the first task took the daemon of the second with it")
	}
	letGo(t, secondDir)
	if _, err := wait(t, x, second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second daemon has ended", func() bool { return gone(two) })
	zombies, err := filepath.Glob("/proc/" + one)
	if err != nil || len(zombies) > 0 {
		eventually(t, "the orphan is reaped", func() bool { z, _ := filepath.Glob("/proc/" + one); return len(z) == 0 })
	}
}
