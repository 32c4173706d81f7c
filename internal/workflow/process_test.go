package workflow

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

func TestProcessInputFrom(t *testing.T) {
	t.Parallel()
	got, err := ProcessInputFrom(value.MustParse(`{
		"script": "echo", "shell": ["bash", "-e"], "success_codes": [0, 4], "grace": 1.5, "max_log_bytes": 100,
		"env": {"B": "x", "A": 1, "N": null, "L": [1, "a"], "F": 1000000.5, "T": true}}`))
	want := ProcessInput{
		Script: "echo", Shell: []string{"bash", "-e"}, SuccessCodes: []int{0, 4}, Grace: 1500 * time.Millisecond, MaxLogBytes: 100,
		Env: []EnvVar{{"B", "x"}, {"A", "1"}, {"N", ""}, {"L", `[1,"a"]`}, {"F", "1000000.5"}, {"T", "true"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestProcessInputFromRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                                     "expected an object",
		`{}`:                                     "exactly one of script and args",
		`{"script": "a", "args": ["b"]}`:         "exactly one of script and args",
		`{"script": 1}`:                          "script: expected a text",
		`{"args": "a"}`:                          "args: expected a list",
		`{"args": ["a"], "shell": {}}`:           "shell: expected a list",
		`{"args": ["a"], "env": []}`:             "env: expected an object",
		`{"args": ["a"], "success_codes": 1}`:    "success_codes: expected a list",
		`{"args": ["a"], "success_codes": [-1]}`: "is not an exit code",
		`{"args": ["a"], "max_log_bytes": "x"}`:  "is not a number of bytes",
		`{"args": ["a"], "grace": -1}`:           "is not a number of seconds",
		`{"args": ["a"], "image": "x"}`:          "image: not known here",
	} {
		if _, err := ProcessInputFrom(value.MustParse(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
	}
}
