package executor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestExitResult(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exit          Exit
		codes         []int
		errorName     string
		warning, says string
	}{
		"success":               {exit: Exit{}},
		"code":                  {exit: Exit{Code: 75}, errorName: "exit.75", says: "exit code 75"},
		"not found":             {exit: Exit{Code: 127}, errorName: "exit.127", says: "not found"},
		"not executable":        {exit: Exit{Code: 126}, errorName: "exit.126", says: "could not be executed"},
		"listed":                {exit: Exit{Code: 4}, codes: []int{0, 4}, warning: "exit code 4 counts as success"},
		"listed zero":           {exit: Exit{}, codes: []int{0, 4}},
		"zero not listed":       {exit: Exit{}, codes: []int{4}, errorName: "exit.0", says: "exit code 0"},
		"signal":                {exit: Exit{Code: -1, Signal: "SEGV"}, errorName: "signal.SEGV", says: "SEGV"},
		"killed":                {exit: Exit{Code: -1, Signal: "KILL"}, errorName: "signal.KILL", says: "memory"},
		"signal, listed":        {exit: Exit{Code: -1, Signal: "TERM"}, codes: []int{-1}, errorName: "signal.TERM", says: "TERM"},
		"timeout":               {exit: Exit{Code: -1, Signal: "TERM", Cause: ErrorTimeout, Timeout: 90 * time.Second}, errorName: "timeout", says: "1m30s"},
		"timeout, exit zero":    {exit: Exit{Cause: ErrorTimeout, Timeout: time.Second}, errorName: "timeout", says: "1s"},
		"canceled":              {exit: Exit{Code: -1, Signal: "KILL", Cause: ErrorCanceled}, errorName: "canceled", says: "canceled"},
		"canceled, listed code": {exit: Exit{Code: 4, Cause: ErrorCanceled}, codes: []int{4}, errorName: "canceled", says: "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.exit.Result(c.codes)
			if r.ErrorName != c.errorName || r.Warning != c.warning || r.ExitCode != c.exit.Code || r.Signal != c.exit.Signal {
				t.Errorf("got %+v", r)
			}
			if !strings.Contains(r.ErrorMessage, c.says) || (r.ErrorMessage == "") != (c.says == "") {
				t.Errorf("message %q, want %q", r.ErrorMessage, c.says)
			}
		})
	}
}

// A task that gets into a log or a dump does not tell its secrets.
func TestTasksPrintWithoutValues(t *testing.T) {
	t.Parallel()
	task := Task{Script: "x", Env: []EnvVar{{Name: "TOKEN", Value: "hush"}}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, text := range []string{fmt.Sprintf(format, task), fmt.Sprintf(format, &task), fmt.Sprintf(format, task.Env[0])} {
			if strings.Contains(text, "hush") || !strings.Contains(text, "TOKEN") {
				t.Errorf("%s gives %s", format, text)
			}
		}
	}
}

func TestStartError(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := fmt.Errorf("run: %w", &StartError{Name: "start", Err: cause})
	if !errors.Is(err, cause) || err.Error() != "run: start task: disk full" {
		t.Errorf("got %v", err)
	}
}
