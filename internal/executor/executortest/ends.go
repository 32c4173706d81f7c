package executortest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

func testEnds(t *testing.T, x executor.Executor) {
	for name, c := range map[string]struct {
		task           executor.Task
		errorName      string
		code           int
		signal, stdout string
		warning        string
	}{
		"success":             {task: executor.Task{Script: "echo hello"}, stdout: "hello\n"},
		"exit code":           {task: executor.Task{Script: "exit 75"}, errorName: "exit.75", code: 75},
		"stops at an error":   {task: executor.Task{Script: "false\necho on"}, errorName: "exit.1", code: 1},
		"own first line":      {task: executor.Task{Script: "#!/bin/sh\nfalse\necho on"}, stdout: "on\n"},
		"one argument there":  {task: executor.Task{Script: "#! /bin/sh \t-u \ncase $- in *u*) echo strict;; esac"}, stdout: "strict\n"},
		"shell":               {task: executor.Task{Script: "false\necho on", Shell: []string{"sh"}}, stdout: "on\n"},
		"own line beats it":   {task: executor.Task{Script: "#!/bin/sh\nfalse\necho on", Shell: []string{"/bin/sh", "-e"}}, stdout: "on\n"},
		"arguments, no shell": {task: executor.Task{Args: []string{"printf", "%s|", "$(id)", "; exit 1", "a b"}}, stdout: "$(id)|; exit 1|a b|"},
		"signal":              {task: executor.Task{Script: "kill -KILL $$"}, errorName: "signal.KILL", code: -1, signal: "KILL"},
		"another signal":      {task: executor.Task{Script: "kill -USR1 $$"}, errorName: "signal.USR1", code: -1, signal: "USR1"},
		"success code":        {task: executor.Task{Script: "exit 4", SuccessCodes: []int{0, 4}}, code: 4, warning: "exit code 4 counts as success"},
		"no success code":     {task: executor.Task{Script: "exit 5", SuccessCodes: []int{0, 4}}, errorName: "exit.5", code: 5},
		"zero is no success":  {task: executor.Task{Script: "exit 0", SuccessCodes: []int{4}}, errorName: "exit.0", code: 0},
		"standard input":      {task: executor.Task{Script: "cat; echo end"}, stdout: "end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := time.Now()
			r, l := run(t, x, c.task)
			if r.ErrorName != c.errorName || r.ExitCode != c.code || r.Signal != c.signal || r.Warning != c.warning {
				t.Errorf("got %q (%s), code %d, signal %q, warning %q; stderr %q", r.ErrorName, r.ErrorMessage, r.ExitCode, r.Signal, r.Warning, l.text(executor.Stderr))
			}
			if (r.ErrorMessage == "") != (c.errorName == "") {
				t.Errorf("message %q of error %q", r.ErrorMessage, r.ErrorName)
			}
			if got := l.text(executor.Stdout); got != c.stdout {
				t.Errorf("stdout %q, want %q", got, c.stdout)
			}
			if r.StartedAt.Before(before) || r.EndedAt.Before(r.StartedAt) || r.EndedAt.After(time.Now()) {
				t.Errorf("ran from %s to %s, test began %s", r.StartedAt, r.EndedAt, before)
			}
			if !r.Output.IsUndefined() || r.Checkpoint != nil {
				t.Errorf("output %v, checkpoint %q of a task that wrote none", r.Output, r.Checkpoint)
			}
		})
	}
}

func testStartErrors(t *testing.T, x executor.Executor) {
	for name, c := range map[string]struct {
		task       executor.Task
		name, says string
	}{
		"interpreter":      {executor.Task{Script: "x", Shell: []string{"/no/such/shell"}}, "interpreter_not_found", `"/no/such/shell"`},
		"interpreter name": {executor.Task{Script: "x", Shell: []string{"no-such-shell"}}, "interpreter_not_found", `"no-such-shell"`},
		"first line":       {executor.Task{Script: "#!/no/such/python -u\n"}, "interpreter_not_found", `"/no/such/python"`},
		"program":          {executor.Task{Args: []string{"no-such-program"}}, "program_not_found", `"no-such-program"`},
		"nothing":          {executor.Task{}, "start", "neither"},
		"NUL in value":     {executor.Task{Script: "x", Env: []executor.EnvVar{{Name: "TOKEN", Value: "hush\x00hush"}}}, "environment", "TOKEN"},
		"NUL in name":      {executor.Task{Script: "x", Env: []executor.EnvVar{{Name: "A\x00B", Value: "v"}}}, "environment", `"A\x00B"`},
		"no name":          {executor.Task{Script: "x", Env: []executor.EnvVar{{Value: "v"}}}, "environment", "name"},
		"= in name":        {executor.Task{Script: "x", Env: []executor.EnvVar{{Name: "A=B", Value: "v"}}}, "environment", "A=B"},
		"NUL in argument":  {executor.Task{Args: []string{"echo", "a\x00b"}}, "start", "argument 1"},
		"large argument":   {executor.Task{Args: []string{"echo", strings.Repeat("x", 4<<20)}}, "start", "too large"},
		"own variable":     {executor.Task{Script: "x", Env: []executor.EnvVar{{Name: "REGIE_OUTPUT", Value: "/etc/passwd"}}}, "environment", "REGIE_OUTPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.task.Dir = t.TempDir()
			_, err := x.Start(t.Context(), c.task)
			var start *executor.StartError
			if !errors.As(err, &start) {
				t.Fatalf("got %v, want a StartError", err)
			}
			if start.Name != c.name || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %s: %v, want %s with %q", start.Name, err, c.name, c.says)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("error tells the value of a variable: %v", err)
			}
			if _, err := x.Start(t.Context(), executor.Task{Script: "exit 0", Dir: c.task.Dir}); err != nil {
				t.Errorf("the folder cannot be used after a start that failed: %v", err)
			}
		})
	}
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := x.Start(ctx, executor.Task{Script: "exit 0", Dir: t.TempDir()})
		var start *executor.StartError
		if !errors.As(err, &start) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want a StartError that wraps the context's", err)
		}
	})
}

func testTimeout(t *testing.T, x executor.Executor) {
	for name, c := range map[string]struct {
		script string
		grace  time.Duration
		signal string
		code   int
		stdout string
	}{
		"asked":     {script: "sleep 300", signal: "TERM", code: -1, grace: patience},
		"cleans up": {script: "trap 'echo bye; exit 3' TERM; while :; do sleep 0.02 || :; done", code: 3, stdout: "bye\n", grace: patience},
		// An ignored signal is ignored by children too.
		"ignores": {script: "trap '' TERM; while :; do sleep 300; done", signal: "KILL", code: -1, grace: 100 * time.Millisecond},
		"stopped": {script: "kill -STOP $$", signal: "TERM", code: -1, grace: patience},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, l := run(t, x, executor.Task{Script: c.script, Timeout: 300 * time.Millisecond, Grace: c.grace})
			if r.ErrorName != "timeout" || r.Signal != c.signal || r.ExitCode != c.code || !strings.Contains(r.ErrorMessage, "300ms") {
				t.Errorf("got %q (%s), signal %q, code %d", r.ErrorName, r.ErrorMessage, r.Signal, r.ExitCode)
			}
			if got := l.text(executor.Stdout); got != c.stdout {
				t.Errorf("stdout %q, want %q", got, c.stdout)
			}
			if took := r.EndedAt.Sub(r.StartedAt); took < 300*time.Millisecond || took > patience/2 {
				t.Errorf("took %s", took)
			}
		})
	}
	t.Run("in time", func(t *testing.T) {
		t.Parallel()
		succeed(t, x, executor.Task{Script: "exit 0", Timeout: patience})
	})
}

func testStop(t *testing.T, x executor.Executor) {
	stop := func(t *testing.T, h executor.Handle, grace time.Duration) {
		t.Helper()
		if err := x.Stop(h, grace); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	canceled := func(t *testing.T, h executor.Handle, signal string, code int) {
		t.Helper()
		if r := wait(t, x, h); r.ErrorName != "canceled" || r.Signal != signal || r.ExitCode != code {
			t.Errorf("got %q (%s), signal %q, code %d", r.ErrorName, r.ErrorMessage, r.Signal, r.ExitCode)
		}
	}
	t.Run("idempotent", func(t *testing.T) {
		t.Parallel()
		h, _, _ := start(t, x, executor.Task{Script: "sleep 300"})
		stop(t, h, patience)
		stop(t, h, patience)
		canceled(t, h, "TERM", -1)
		stop(t, h, 0)
		canceled(t, h, "TERM", -1)
	})
	t.Run("handled", func(t *testing.T) {
		t.Parallel()
		h, l, _ := start(t, x, executor.Task{Script: "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02 || :; done"})
		l.await(t, executor.Stdout, "up\n")
		stop(t, h, patience)
		canceled(t, h, "", 0)
		if got := l.text(executor.Stdout); got != "up\nbye\n" {
			t.Errorf("stdout %q", got)
		}
	})
	t.Run("ignored", func(t *testing.T) {
		t.Parallel()
		h, l, _ := start(t, x, executor.Task{Script: "trap '' TERM; echo up; while :; do sleep 300; done"})
		l.await(t, executor.Stdout, "up\n")
		stop(t, h, 50*time.Millisecond)
		canceled(t, h, "KILL", -1)
	})
	t.Run("impatient", func(t *testing.T) {
		t.Parallel()
		h, l, _ := start(t, x, executor.Task{Script: "trap '' TERM; echo up; while :; do sleep 300; done"})
		l.await(t, executor.Stdout, "up\n")
		stop(t, h, time.Hour)
		stop(t, h, 0)
		canceled(t, h, "KILL", -1)
	})
	t.Run("after the end", func(t *testing.T) {
		t.Parallel()
		h, _, _ := start(t, x, executor.Task{Script: "exit 7"})
		wait(t, x, h)
		stop(t, h, 0)
		if r := wait(t, x, h); r.ErrorName != "exit.7" {
			t.Errorf("got %q, want what it was", r.ErrorName)
		}
	})
	t.Run("after the timeout", func(t *testing.T) {
		t.Parallel()
		h, l, _ := start(t, x, executor.Task{Script: "trap 'echo asked' TERM; while :; do sleep 0.02 || :; done", Timeout: 50 * time.Millisecond, Grace: time.Hour})
		l.await(t, executor.Stdout, "asked\n")
		stop(t, h, 0)
		if r := wait(t, x, h); r.ErrorName != "timeout" {
			t.Errorf("got %q, want the first cause", r.ErrorName)
		}
	})
}
