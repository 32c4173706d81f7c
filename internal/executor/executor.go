package executor

import (
	"context"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// Defaults and bounds of [Task].
const (
	DefaultGrace       = 10 * time.Second
	DefaultMaxLogBytes = 64 << 20
	MaxChunkBytes      = 64 << 10
)

// An Executor starts tasks. Implementations are safe for concurrent use. One
// that holds goroutines or descriptors is an [io.Closer] too; closing it ends
// the tasks that it supervises itself.
type Executor interface {
	// Name is the name by which steps and handles call it, such as "process".
	Name() string
	// Start starts the task and returns at once with a handle from which
	// [Executor.Wait] finds it again, also in another process of the same
	// machine. Starting is not idempotent: a *[StartError] means that nothing
	// was started; any other error means that nobody knows.
	Start(ctx context.Context, task Task) (Handle, error)
	// Wait waits for the end of the task. Any number of callers get the same
	// result until the task is released. It returns [ErrNotFound] when the
	// handle's task is not known here any more and its result cannot be had:
	// its outcome is unknown, but nothing of it runs any more. Ending ctx ends
	// the waiting, not the task.
	Wait(ctx context.Context, h Handle) (Result, error)
	// Stop asks the task to end (TERM), and makes it end after grace (KILL; at
	// once if grace is 0), with everything it started. It returns at once. The
	// first reason to end a task stays: a stop after its timeout does not turn
	// it into canceled. A task that ends after it was asked to is canceled,
	// whatever its exit code. Idempotent; stopping a task that has ended or is
	// not found is no error.
	Stop(h Handle, grace time.Duration) error
	// Release forgets the task and what was kept for its result (not its
	// logs), with its directory if nothing of others is in it. Idempotent. It
	// returns [ErrRunning] for a task that has not ended.
	Release(h Handle) error
}

// An Attacher keeps what its tasks print until they are released, so that who
// was killed while a task ran can have it all.
type Attacher interface {
	// Attach passes what a task printed, and what it prints from now on, to
	// output: as [Task.Output], from the first byte, in pieces that may be cut
	// otherwise than before. It comes before the first Wait for the handle in
	// this process, returns at once, and is for tasks that this process did not
	// start. A task that is not found prints nothing.
	Attach(h Handle, output func(Chunk)) error
}

// A Beater sees signs of life of its tasks.
type Beater interface {
	// LastBeat is when the task last changed the file $REGIE_HEARTBEAT or
	// $REGIE_CHECKPOINT, by the clock of its file system; zero if it never did, or
	// is not found.
	LastBeat(h Handle) (time.Time, error)
}

// Handle names a started task; opaque to everybody but its executor, plain
// text that can be stored.
type Handle string

// Task is what to start.
type Task struct {
	RunID   string
	Step    string // path of the activation, such as settle[0]
	Attempt int
	// Script is a shell script; Args, if Script is empty, an argument vector
	// that no shell sees. Shell is the interpreter of Script with its
	// arguments, default /bin/sh -e.
	Script string
	Args   []string
	Shell  []string
	// Env is what the task gets besides the allow-list of the executor, which
	// it may override, and the REGIE_ variables, which the executor sets. Of
	// two with the same name the last wins. Values arrive byte for byte; a NUL
	// is refused.
	Env []EnvVar
	// Dir is the attempt's directory, empty or not there; the executor makes
	// it then, with those above it. It puts its own files under it and runs the
	// task in Dir/work.
	Dir string
	// RunAs is the user of the machine as whom the task runs; empty: whoever
	// the executor runs tasks as. A start as a user that is not allowed to tasks
	// of the Namespace fails with the error "run_as".
	RunAs     string
	Namespace string
	// Files are put into the working directory before the start.
	Files []File
	// Checkpoint is what the last attempt left in $REGIE_CHECKPOINT.
	Checkpoint []byte
	// IdempotencyKey is the same for all attempts of the activation.
	IdempotencyKey string
	// Timeout ends the task with the error "timeout"; 0 means none. Grace is
	// the time between TERM and KILL, default [DefaultGrace].
	Timeout time.Duration
	Grace   time.Duration
	// SuccessCodes are the exit codes that count as success; empty means 0
	// only. Those beside 0 succeed with a warning.
	SuccessCodes []int
	// Output receives what the task prints, in the order of arrival, in
	// pieces of at most [MaxChunkBytes], one call at a time; it must not block
	// for long. Secrets are masked by the receiver. Nil drops the output. Calls
	// may come before Start returns, and never after Wait returned.
	Output func(Chunk)
	// MaxLogBytes bounds what is passed to Output; the rest is dropped with
	// one clear mark, and the task goes on. Default [DefaultMaxLogBytes].
	MaxLogBytes int64
}

// EnvVar is one environment variable. It prints without its value, which may
// be a secret.
type EnvVar struct{ Name, Value string }

// String returns the name alone.
func (v EnvVar) String() string { return v.Name + "=[hidden]" }

// GoString returns the name alone.
func (v EnvVar) GoString() string { return v.String() }

// File is a file of the workflow's bundle. Mode is masked to 0644 or 0755.
type File struct {
	Path string // slash-separated, relative, clean
	Mode uint32
	Data []byte
}

// Stream tells the output streams apart.
type Stream uint8

// The streams; System marks lines that Regie wrote.
const (
	Stdout Stream = 1
	Stderr Stream = 2
	System Stream = 3
)

// String is the stream's name as people and programs are shown it: stdout, stderr
// or regie.
func (s Stream) String() string {
	switch s {
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	case System:
	}
	return "regie"
}

// Chunk is a piece of output.
type Chunk struct {
	At     time.Time
	Stream Stream
	// Data may end in the middle of a line or character. It is valid during
	// the call of Output only: whoever keeps it copies it.
	Data []byte
}

// Result is how a task ended. ErrorName is empty when it succeeded, else a
// name such as "exit.75", "signal.KILL", "timeout", "canceled",
// "output_invalid", "start".
type Result struct {
	ErrorName    string
	ErrorMessage string
	ExitCode     int    // -1 when ended by a signal
	Signal       string // such as "KILL"; empty when it exited
	Warning      string // such as "exit code 4 counts as success"
	// Output is what the task wrote to $REGIE_OUTPUT ([ParseOutput]); undefined
	// if nothing. A failed task may have one too.
	Output value.Value
	// Checkpoint is what is in $REGIE_CHECKPOINT at the end; nil if nothing, or
	// if it cannot be kept, which Warning then says.
	Checkpoint []byte
	StartedAt  time.Time
	EndedAt    time.Time
	Usage      Usage
}

// Usage is what the task used, with its children as far as the system tells.
type Usage struct {
	CPUSeconds float64
	PeakMemory int64 // bytes; 0 when not known
	BytesIn    int64 // read from disk and pipes, as far as the system tells
	BytesOut   int64
	LogBytes   int64 // printed, also what was dropped
}
