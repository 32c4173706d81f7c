package workflow

import (
	"fmt"
	"math"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// UsesProcess is the Task.Uses of work that runs as a process.
const UsesProcess = "process"

// The members of a process task's input.
const (
	ProcessScript       = "script"        // text for the shell; or
	ProcessArgs         = "args"          // argument vector that no shell sees
	ProcessShell        = "shell"         // argument vector of the interpreter
	ProcessEnv          = "env"           // object, name to value
	ProcessSuccessCodes = "success_codes" // list of exit codes
	ProcessMaxLogBytes  = "max_log_bytes"
	ProcessGrace        = "grace" // seconds between TERM and KILL
	ProcessInputValue   = "input" // any value, for the file that $REGIE_INPUT names
	ProcessFiles        = "files" // list of lists of artifacts, for the working directory
)

// ProcessInput is the evaluated input of a process task: what compilers write
// and workers read.
type ProcessInput struct {
	// Script is text for Shell (nil: the executor's own); or Args is an
	// argument vector. Exactly one is set.
	Script string
	Args   []string
	Shell  []string
	// Env is in the order of the definition.
	Env []EnvVar
	// SuccessCodes are the exit codes that count as success; nil: 0.
	SuccessCodes []int
	MaxLogBytes  int64         // 0: the executor's default
	Grace        time.Duration // 0: the executor's default
	// Input is what $REGIE_INPUT leads to; undefined: there is none.
	Input value.Value
	// Files are artifacts of earlier steps that are put into the working
	// directory.
	Files []InputFile
}

// InputFile is an artifact of an earlier step.
type InputFile struct {
	Path       string
	Size       int64 // bytes
	SHA256     string
	Executable bool
}

// EnvVar is one environment variable.
type EnvVar struct{ Name, Value string }

// ProcessInputFrom reads the input of a process task. Members that it does not
// know are an error. The value of a variable becomes text by [value.Value.Text]: null
// is empty, a list or object compact JSON.
func ProcessInputFrom(v value.Value) (ProcessInput, error) {
	var in ProcessInput
	if v.Kind() != value.KindObject {
		return in, fmt.Errorf("read process input: expected an object, got %s", v.Kind())
	}
	for _, m := range v.Members() {
		if err := in.set(m.Key, m.Value); err != nil {
			return ProcessInput{}, fmt.Errorf("read process input: %s: %w", m.Key, err)
		}
	}
	if (in.Script == "") == (len(in.Args) == 0) {
		return ProcessInput{}, fmt.Errorf("read process input: exactly one of %s and %s must be set", ProcessScript, ProcessArgs)
	}
	return in, nil
}

func (in *ProcessInput) set(key string, v value.Value) (err error) {
	switch key {
	case ProcessScript:
		var ok bool
		if in.Script, ok = v.Str(); !ok {
			return fmt.Errorf("expected a text, got %s", v.Kind())
		}
	case ProcessArgs:
		in.Args, err = texts(v)
	case ProcessShell:
		in.Shell, err = texts(v)
	case ProcessEnv:
		if v.Kind() != value.KindObject && !v.IsNull() {
			return fmt.Errorf("expected an object, got %s", v.Kind())
		}
		for _, m := range v.Members() {
			in.Env = append(in.Env, EnvVar{Name: m.Key, Value: m.Value.Text()})
		}
	case ProcessSuccessCodes:
		if v.Kind() != value.KindList {
			return fmt.Errorf("expected a list, got %s", v.Kind())
		}
		for _, item := range v.Items() {
			code, ok := item.Int()
			if !ok || code < 0 || code > 255 {
				return fmt.Errorf("%s is not an exit code (0 to 255)", item)
			}
			in.SuccessCodes = append(in.SuccessCodes, int(code))
		}
	case ProcessMaxLogBytes:
		n, ok := v.Int()
		if !ok || n < 0 {
			return fmt.Errorf("%s is not a number of bytes", v)
		}
		in.MaxLogBytes = n
	case ProcessGrace:
		seconds, ok := v.Float()
		if !ok || seconds < 0 || seconds > math.MaxInt64/float64(time.Second)/2 {
			return fmt.Errorf("%s is not a number of seconds", v)
		}
		in.Grace = time.Duration(seconds * float64(time.Second))
	case ProcessInputValue:
		in.Input = v
	case ProcessFiles:
		for _, list := range v.Items() {
			for _, item := range list.Items() {
				f := InputFile{Path: item.Get("path").Text(), SHA256: item.Get("sha256").Text()}
				f.Size, _ = item.Get("size").Int()
				f.Executable, _ = item.Get("executable").Bool()
				in.Files = append(in.Files, f)
			}
		}
	default:
		return fmt.Errorf("not known here")
	}
	return err
}

// texts reads a list of texts; other values become text by [value.Value.Text].
func texts(v value.Value) ([]string, error) {
	if v.Kind() != value.KindList {
		return nil, fmt.Errorf("expected a list, got %s", v.Kind())
	}
	out := make([]string, 0, v.Len())
	for _, item := range v.Items() {
		out = append(out, item.Text())
	}
	return out, nil
}

// MaxUserName is the longest name of a user of the machine, in bytes.
const MaxUserName = 32

// CheckUserName says what is wrong with the name of a user of the machine: a
// name is a letter or "_", then letters, digits, "_", "-" and ".". Numbers are
// none, and nothing is trimmed: a name is compared byte by byte.
func CheckUserName(name string) error {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return fmt.Errorf("a user's name begins with a letter or \"_\" and has letters, digits, \"_\", \"-\" and \".\" only; numbers are no names")
		}
	}
	if name == "" || len(name) > MaxUserName {
		return fmt.Errorf("a user's name has 1 to %d characters", MaxUserName)
	}
	return nil
}
