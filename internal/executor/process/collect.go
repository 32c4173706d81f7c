package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
)

// collect adds to the result what the task left in files. It changes nothing
// on disk: whoever finds the task later collects the same.
func collect(root *os.Root, r *executor.Result) {
	text, err := readBounded(root, outputFile, executor.MaxOutputBytes)
	if err == nil {
		r.Output, err = executor.ParseOutput(text)
	}
	if err == nil && r.Output.JSONSize() > executor.MaxOutputBytes {
		r.Output, err = value.Undefined, fmt.Errorf("is larger than %d MiB as JSON", executor.MaxOutputBytes>>20)
	}
	switch {
	case err == nil:
	case r.ErrorName == "":
		r.ErrorName = executor.ErrorOutputInvalid
		r.ErrorMessage = "$REGIE_OUTPUT " + err.Error()
	default:
		warn(r, "$REGIE_OUTPUT "+err.Error())
	}
	r.Checkpoint, err = readBounded(root, checkpointFile, executor.MaxCheckpointBytes)
	if err != nil {
		warn(r, "$REGIE_CHECKPOINT "+err.Error()+", so the next attempt starts without it")
	}
}

func warn(r *executor.Result, text string) {
	if r.Warning != "" {
		r.Warning += "; "
	}
	r.Warning += text
}

// readAll reads a file, and no more than a byte beyond the limit.
func readAll(f *os.File, limit int) ([]byte, error) {
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil {
		b.Grow(int(min(info.Size(), int64(limit))) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(f, int64(limit)+1))
	return b.Bytes(), err
}

// readBounded reads a file that a task wrote; nil if there is none or it is
// empty.
func readBounded(root *os.Root, name string, limit int) ([]byte, error) {
	f, err := openRegular(root, name, os.O_RDONLY)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, errNotRegular):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	defer f.Close()
	text, err := readAll(f, limit)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case len(text) > limit:
		return nil, fmt.Errorf("is larger than %d MiB; write more than that to a file, and keep it as an artifact", limit>>20)
	case len(text) == 0:
		return nil, nil
	}
	return text, nil
}
