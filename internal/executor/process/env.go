package process

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/executor"
)

// defaultPath is PATH where Regie itself has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// CalledFrom is the variable that names the folder in which somebody called
// Regie, absolute. Whoever makes the executor for such a call puts it into
// [Config.Environ]; on a server there is none.
const CalledFrom = "REGIE_CALLED_FROM"

// inherited reports whether a variable of Regie's own environment is passed
// on.
func inherited(name string) bool {
	switch name {
	case "PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", CalledFrom:
		return true
	}
	return strings.HasPrefix(name, "LC_")
}

// allowed picks what is passed on from an environment.
func allowed(environ []string) []executor.EnvVar {
	out := []executor.EnvVar{{Name: "PATH", Value: defaultPath}}
	for _, entry := range environ {
		if name, text, ok := strings.Cut(entry, "="); ok && inherited(name) {
			out = append(out, executor.EnvVar{Name: name, Value: text})
		}
	}
	return out
}

// ownVars are the variables that Regie sets for a task with the folder dir.
func ownVars(task *executor.Task, dir string) []executor.EnvVar {
	return []executor.EnvVar{
		{Name: "REGIE_OUTPUT", Value: filepath.Join(dir, outputFile)},
		{Name: "REGIE_CHECKPOINT", Value: filepath.Join(dir, checkpointFile)},
		{Name: "REGIE_HEARTBEAT", Value: filepath.Join(dir, heartbeatFile)},
		{Name: "REGIE_RUN_ID", Value: task.RunID},
		{Name: "REGIE_STEP", Value: task.Step},
		{Name: "REGIE_ATTEMPT", Value: strconv.Itoa(task.Attempt)},
		{Name: "REGIE_IDEMPOTENCY_KEY", Value: task.IdempotencyKey},
	}
}

// marker is the entry by which processes of a task are recognised.
func marker(dir string) string { return "REGIE_OUTPUT=" + filepath.Join(dir, outputFile) }

// vars are the variables that tell a process its user; none of nil.
func (u *User) vars() []executor.EnvVar {
	if u == nil {
		return nil
	}
	return []executor.EnvVar{
		{Name: "HOME", Value: u.Home}, {Name: "USER", Value: u.Name}, {Name: "LOGNAME", Value: u.Name}, {Name: "SHELL", Value: "/bin/sh"},
	}
}

// environment is what the process gets: the inherited variables, those of its
// user, $TMPDIR, the task's own, and those of Regie; of two with one name the
// last wins.
func environment(inherit, user []executor.EnvVar, task *executor.Task, dir string) ([]string, error) {
	own := ownVars(task, dir)
	for _, v := range task.Env {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") {
			return nil, fmt.Errorf("environment variable %q: a name is not empty and has neither = nor NUL", v.Name)
		}
		for _, o := range own {
			if v.Name == o.Name {
				return nil, fmt.Errorf("environment variable %s is set by Regie; choose another name", v.Name)
			}
		}
	}
	out := make([]string, 0, len(inherit)+1+len(task.Env)+len(own))
	place := make(map[string]int, cap(out))
	for _, list := range [][]executor.EnvVar{inherit, user, {{Name: "TMPDIR", Value: filepath.Join(dir, tmpDir)}}, task.Env, own} {
		for _, v := range list {
			if strings.IndexByte(v.Value, 0) >= 0 {
				return nil, fmt.Errorf("environment variable %s has a NUL character, which no environment can hold; pass it in a file", v.Name)
			}
			if i, ok := place[v.Name]; ok {
				out[i] = v.Name + "=" + v.Value
				continue
			}
			place[v.Name] = len(out)
			out = append(out, v.Name+"="+v.Value)
		}
	}
	return out, nil
}

// variable looks a variable up in an environment.
func variable(environ []string, name string) string {
	for _, entry := range environ {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			return text
		}
	}
	return ""
}
