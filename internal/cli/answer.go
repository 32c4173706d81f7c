package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
)

// listPage is how many items of a list are asked for at once.
const listPage = 200

// call has a server do something, within callTimeout: the one that the flags
// name.
func (c *cli) call(cmd *cobra.Command, f *remoteFlags, do func(ctx context.Context, r *remote) error) error {
	r, err := c.connect(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
	defer cancel()
	return r.answered(do(ctx, r))
}

// answered says what the server refused; how a command ends otherwise stays.
func (r *remote) answered(err error) error {
	if end := ended(0); errors.As(err, &end) {
		return err
	}
	return r.failure(err)
}

// done prints what came of a change: the answer as JSON, or a line.
func (c *cli) done(answer proto.Message, format string, args ...any) error {
	if c.output == outputJSON {
		return c.printMessage(answer)
	}
	printf(c.Stdout, "%s\n", diagVisible(fmt.Sprintf(format, args...)))
	return nil
}

// printMessage prints a message of the API as the one document.
func (c *cli) printMessage(m proto.Message) error {
	text, err := codec.Marshal(m)
	if err != nil {
		return err
	}
	v, err := value.Parse(text)
	if err != nil {
		return err
	}
	c.printJSON(v)
	return nil
}

// pages reads a list to its end, page by page.
func pages(read func(token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := read(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}

// printList prints a table, or what is said if it is empty.
func (c *cli) printList(t *view.Table, length int, none string) {
	if length == 0 {
		printf(c.Stdout, "%s\n", none)
		return
	}
	c.printTable(t)
}

// printField prints one member of something that is shown by itself, unless it
// is empty. The text is from elsewhere.
func (c *cli) printField(name, text string) {
	if text != "" {
		printf(c.Stdout, "%-14s %s\n", name, visibleLines(text))
	}
}

// when is a time of the API as people read it, empty if there is none.
func (c *cli) when(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().In(c.zone()).Format(timeForm)
}

// timeForms are how times are given in flags, besides a length of time.
var timeForms = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// pastTime reads the value of a flag: a date, a time, or how long ago.
func (c *cli) pastTime(flag, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no bound is what a flag that is not given means
	}
	if ago, err := duration.Parse(text); err == nil {
		return timestamppb.New(c.Clock.Now().Add(-ago)), nil
	}
	if at := c.instant(text); at != nil {
		return at, nil
	}
	return nil, usagef("--%s %q is not a time", flag, text).withHint("write 2026-11-23, 2026-11-23T08:00, or how long ago: 2h")
}

// instant reads a date or a time, nil if it is neither.
func (c *cli) instant(text string) *timestamppb.Timestamp {
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, text, c.zone()); err == nil {
			return timestamppb.New(t)
		}
	}
	return nil
}

// after reads the value of a flag that says how long from now.
func (c *cli) after(flag, text string) (*timestamppb.Timestamp, error) {
	wait, err := duration.Parse(text)
	if err != nil || wait <= 0 {
		return nil, usagef("--%s %q is not a length of time", flag, text).withHint("write 2h, 30d or 1h30m")
	}
	return timestamppb.New(c.Clock.Now().Add(wait)), nil
}

// completing completes the first argument with names that a server has. What
// keeps them from being had is not said: nothing is completed.
func (c *cli) completing(f *remoteFlags, names func(ctx context.Context, r *remote) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := c.connect(f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		found, err := names(ctx, r)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for i := range found {
			// The name, a tab, and what it is: both are from elsewhere.
			name, about, described := strings.Cut(found[i], "\t")
			if found[i] = diagVisible(name); described {
				found[i] += "\t" + diagVisible(about)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// family is a command that only has others below it.
func family(use, short, long, group string, of ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, GroupID: group,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(of...)
	return cmd
}
