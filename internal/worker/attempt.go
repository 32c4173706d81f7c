package worker

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// execute runs the attempt by an executor, or finds it again.
func (w *Worker) execute(ctx context.Context, x executor.Executor, a *attempt, t *engine.Task, s *session, again bool) engine.TaskOutcome {
	var handle executor.Handle
	var err error
	if again {
		if handle, err = w.cfg.HandleOf(t.Uses, a.dir); err != nil {
			return engine.TaskOutcome{Kind: engine.OutcomeLost}
		}
		if keeps, ok := x.(executor.Attacher); ok {
			if err := keeps.Attach(handle, s.log.chunk); err != nil {
				s.log.line(executor.System, "what the task prints is not shown: "+err.Error())
			}
		}
	} else {
		task, out, ok := w.executorTask(t, s, a.dir)
		if !ok {
			return out
		}
		if handle, err = x.Start(ctx, task); err != nil {
			a.left = w.detached.Err() != nil
			return startFailed(ctx, err)
		}
	}
	w.tellStarted(a.ref)
	stop := context.AfterFunc(ctx, func() { _ = x.Stop(handle, grace(s)) })
	defer stop()
	if beats, ok := x.(executor.Beater); ok && t.Heartbeat > 0 {
		listening, end := context.WithCancel(w.detached)
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			w.listen(listening, beats, handle, t.Heartbeat, a.ref)
		}()
		defer func() { end(); <-heard }()
	}
	result, err := x.Wait(w.detached, handle)
	if err != nil && w.detached.Err() != nil {
		a.left = true
		return engine.TaskOutcome{}
	}
	if err != nil {
		s.log.line(executor.System, "outcome unknown: "+err.Error())
		return engine.TaskOutcome{Kind: engine.OutcomeLost}
	}
	out, kept := w.withArtifacts(t, a.dir, s, outcomeOf(t, &result, s))
	a.left = !kept
	return out
}

// traceparentVariable is where programs look for the span that theirs belong to
// (OpenTelemetry, environment variables as context propagation carriers).
const traceparentVariable = "TRACEPARENT"

// inputVariable is the variable that names the file with the input of a task
// that has one, and inputFile that file in the working directory.
const (
	inputVariable = "REGIE_INPUT"
	inputFile     = ".regie-input.json"
)

// grace is the time that the task has between TERM and KILL.
func grace(s *session) time.Duration {
	if in, err := workflow.ProcessInputFrom(s.input); err == nil && in.Grace > 0 {
		return in.Grace
	}
	return executor.DefaultGrace
}

func (w *Worker) executorTask(t *engine.Task, s *session, dir string) (executor.Task, engine.TaskOutcome, bool) {
	in, err := workflow.ProcessInputFrom(s.input)
	if err != nil {
		return executor.Task{}, failed(connector.InvalidInput, err.Error()), false
	}
	env := make([]executor.EnvVar, 0, len(in.Env)+1)
	if w.cfg.Traceparent != nil {
		env = append(env, executor.EnvVar{Name: traceparentVariable, Value: w.cfg.Traceparent(t.Run, t.Act, t.Attempt)})
	}
	for _, v := range in.Env {
		env = append(env, executor.EnvVar{Name: v.Name, Value: v.Value})
	}
	files := bundle(t.Program)
	if files, err = w.addArtifacts(files, t, in.Files); err != nil {
		return executor.Task{}, failed(ErrFilesFrom, err.Error()), false
	}
	if !in.Input.IsUndefined() {
		files = append(files, executor.File{Path: inputFile, Mode: 0o644, Data: in.Input.Append(nil)})
		env = append(env, executor.EnvVar{Name: inputVariable, Value: filepath.Join(dir, "work", inputFile)})
	}
	runAs, namespace := "", ""
	if t.Node != nil && t.Node.Task != nil {
		runAs = t.Node.Task.RunAs
	}
	if t.Program != nil {
		namespace = t.Program.Namespace
	}
	if runAs != "" && w.cfg.RunAs != nil {
		if err := w.cfg.RunAs(namespace, runAs); err != nil {
			return executor.Task{}, failed("run_as", err.Error()), false
		}
	}
	return executor.Task{
		RunAs: runAs, Namespace: namespace, RunID: t.Run, Step: t.Path, Attempt: t.Attempt, Script: in.Script, Args: in.Args, Shell: in.Shell, Env: env,
		Dir: dir, Files: files, Checkpoint: t.Checkpoint, IdempotencyKey: t.IdempotencyKey,
		Timeout: t.Timeout, Grace: in.Grace, SuccessCodes: in.SuccessCodes, MaxLogBytes: in.MaxLogBytes, Output: s.log.chunk,
	}, engine.TaskOutcome{}, true
}

// startFailed is the outcome of a task that could not be started.
func startFailed(ctx context.Context, err error) engine.TaskOutcome {
	var start *executor.StartError
	switch {
	case !errors.As(err, &start):
		return engine.TaskOutcome{Kind: engine.OutcomeLost}
	case ctx.Err() != nil:
		return engine.TaskOutcome{Kind: engine.OutcomeCanceled}
	}
	return failed(start.Name, start.Err.Error())
}

func outcomeOf(t *engine.Task, r *executor.Result, s *session) engine.TaskOutcome {
	out := engine.TaskOutcome{
		Kind: engine.OutcomeSucceeded, Output: r.Output, Warning: r.Warning, Checkpoint: r.Checkpoint,
		StartedAt: r.StartedAt.UTC(), EndedAt: r.EndedAt.UTC(),
		Usage: engine.Usage{
			CPUSeconds: r.Usage.CPUSeconds, PeakMemory: r.Usage.PeakMemory, BytesIn: r.Usage.BytesIn,
			BytesOut: r.Usage.BytesOut, LogBytes: r.Usage.LogBytes,
		},
	}
	switch r.ErrorName {
	case "":
	case connector.Canceled:
		out.Kind = engine.OutcomeCanceled
	case engine.ErrTimeout:
		late := timedOut(t)
		out.Kind, out.Error = late.Kind, late.Error
	default:
		out.Kind, out.Error = engine.OutcomeFailed, &engine.Error{Name: r.ErrorName, Message: r.ErrorMessage}
		explain(out.Error, r.Output, s.log.lastWords())
	}
	return out
}

// maxLastLine bounds the line of the error stream that a message repeats, in
// bytes.
const maxLastLine = 300

// explain adds to the error of a process what it said last: the last line of
// its error stream to the message, the end of the stream and the output that it
// left to the details.
func explain(e *engine.Error, output value.Value, words string) {
	stderr := value.Undefined
	if words != "" {
		last := words[strings.LastIndexByte(words, '\n')+1:]
		if len(last) > maxLastLine {
			last = strings.ToValidUTF8(last[:maxLastLine], "") + "…"
		}
		e.Message += ": " + last
		stderr = value.String(words)
	}
	if details := value.Object(value.M("output", output), value.M("stderr", stderr)); details.Len() > 0 {
		e.Details = details
	}
}

// call makes the attempt by a connector.
func (w *Worker) call(ctx context.Context, c connector.Connector, t *engine.Task, s *session) engine.TaskOutcome {
	if t.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.Timeout)
		defer cancel()
	}
	result, err := c.Call(ctx, connector.Call{
		Input: s.input, Connection: s.connection, Channel: s.channel, RunID: t.Run, Step: t.Path, Attempt: t.Attempt,
		IdempotencyKey: t.IdempotencyKey, Fence: connector.Fence(t.Fence), Now: w.cfg.Clock.Now,
		Log: func(line string) { s.log.line(executor.Stdout, line) },
	})
	out := engine.TaskOutcome{
		Kind: engine.OutcomeSucceeded, Output: result.Output, Warning: result.Warning,
		Usage: engine.Usage{BytesIn: result.BytesIn, BytesOut: result.BytesOut},
	}
	if err == nil {
		out.Reach = engine.ReachReached
		return out
	}
	var coded *connector.Error
	if !errors.As(err, &coded) {
		coded = &connector.Error{Name: "internal", Message: err.Error()}
	}
	killed := errors.Is(context.Cause(ctx), errKilled)
	out.Kind, out.Output, out.Reach = engine.OutcomeFailed, coded.Details, reachOf(coded, killed)
	switch {
	case coded.Unknown && !t.Idempotent && !c.Describe().Idempotent:
		s.log.line(executor.System, "outcome unknown: "+coded.Error())
		return engine.TaskOutcome{Kind: engine.OutcomeLost, Usage: out.Usage, Reach: out.Reach}
	case killed:
		return engine.TaskOutcome{Kind: engine.OutcomeCanceled, Usage: out.Usage}
	case coded.Name == connector.Timeout && t.Timeout > 0 && ctx.Err() != nil:
		late := timedOut(t)
		out.Error = late.Error
	default:
		out.Error = &engine.Error{Name: coded.Name, Message: coded.Message, Details: coded.Details, RetryAfter: coded.RetryAfter}
	}
	s.log.line(executor.System, "failed: "+out.Error.Error())
	return out
}

// reachOf says whether a call that failed got through to the other side.
func reachOf(e *connector.Error, killed bool) engine.Reach {
	got, known := e.Reach()
	switch {
	case killed || !known:
		return engine.ReachUnknown
	case got:
		return engine.ReachReached
	}
	return engine.ReachFailed
}
