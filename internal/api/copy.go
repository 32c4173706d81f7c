package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
)

// Copy writes all that is known of a run that has ended, but for its large data,
// as JSON lines ([codec.AppendLine]): run (Run), data (GetRunDataResponse), event
// (Event), log (LogLine). It is for the server's own use: nobody's rights are
// looked at, and nothing is put on record.
func (a *API) Copy(ctx context.Context, row *store.RunRow, w io.Writer) error {
	c := copier{api: a, row: row, out: bufio.NewWriter(w)}
	if err := c.copy(ctx); err != nil {
		return fmt.Errorf("copy run %s: %w", row.ID, err)
	}
	return c.out.Flush()
}

// copier writes a run.
type copier struct {
	api *API
	row *store.RunRow
	out *bufio.Writer
}

func (c *copier) copy(ctx context.Context) error {
	seen, erased, err := c.api.history(ctx, c.row, nil)
	if err != nil {
		return err
	}
	if err := c.line("run", c.api.run(ctx, c.row)); err != nil {
		return err
	}
	data := &regiev1.GetRunDataResponse{Erased: true}
	if !erased {
		data = dataOf(seen.Run())
	}
	if err := c.line("data", data); err != nil {
		return err
	}
	if err := c.events(ctx); err != nil {
		return err
	}
	for _, step := range seen.Run().Steps {
		for attempt := range lastAttempt(step) {
			if err := c.log(ctx, step, attempt+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *copier) events(ctx context.Context) error {
	follow, err := c.api.follow(ctx, c.row)
	if err != nil {
		return err
	}
	defer follow.close()
	for number := uint64(0); number < c.row.Events; number = follow.number {
		batch, err := follow.next(ctx)
		if err != nil {
			return err
		}
		for _, event := range batch.events {
			if err := c.line("event", event); err != nil {
				return err
			}
		}
	}
	return nil
}

// log writes what an attempt printed. Of a damaged one the lines before the
// damage are kept.
func (c *copier) log(ctx context.Context, step *history.Step, attempt int) error {
	file, err := c.api.openAttempt(ctx, c.row.ID, step.Act, attempt)
	if err != nil || file == nil {
		return err
	}
	l := logOf{row: *c.row, step: step, attempt: attempt, file: file}
	defer l.close()
	for line, err := range tasklog.Lines(file) {
		var damaged *tasklog.DamagedError
		switch {
		case errors.As(err, &damaged):
			c.api.cfg.Log.WarnContext(ctx, "a log is archived as far as it can be read", "run", c.row.ID, "step", step.Path, "attempt", attempt, "error", err)
			return nil
		case err != nil:
			return err
		}
		if err := c.line("log", l.line(&line)); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) line(kind string, m proto.Message) error {
	line, err := codec.AppendLine(nil, kind, string(c.row.ID), m)
	if err == nil {
		_, err = c.out.Write(line)
	}
	return err
}
