package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"several", []string{"-seeds", "2", "-first", "7"}, 0, "sim: 2 seeds, ", ""},
		{"one", []string{"-seed", "42", "-horizon", "5m"}, 0, "seed 42, horizon 5m0s, ", ""},
		{"trace", []string{"-seed", "42", "-horizon", "5m", "-trace"}, 0, "lead", ""},
		{"none", []string{"-seeds", "0"}, 2, "", "regie-sim: takes"},
		{"argument", []string{"42"}, 2, "", "regie-sim: takes"},
		{"unknown flag", []string{"-what"}, 2, "", "flag provided but not defined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			if code := run(c.args, &stdout, &stderr); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr.String())
			}
			if !strings.Contains(stdout.String(), c.out) || !strings.Contains(stderr.String(), c.err) {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
		})
	}
}
