package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
)

type outputFlags struct {
	remoteFlags

	data, file   string
	force, input bool
}

func (c *cli) outputCommand() *cobra.Command {
	var f outputFlags
	cmd := &cobra.Command{
		Use: "output RUN[/STEP]", Short: "Read the output of a run or step, whole", GroupID: groupRun,
		Long: `Writes the output of a run, or of a step of it, as JSON to standard output or to a
file: whole, however large. Lists and ` + "`regie show`" + ` show of a large value what it is, and
how many bytes it has. It goes when the data of the run is erased.`,
		Example: `  regie output 01k9zq3vy2f8
  regie output 01k9zq3vy2f8/fetch --file rows.json
  regie output 01k9zq3vy2f8/load --input | jq .`,
		Args: arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, step, _ := strings.Cut(args[0], "/")
			if err := c.newFile(f.file, f.force, false); err != nil {
				return err
			}
			elsewhere, err := c.elsewhere(&f.remoteFlags, run, f.data)
			if err != nil {
				return err
			}
			if !elsewhere {
				return c.localOutput(cmd.Context(), &f, run, step)
			}
			r, err := c.connect(&f.remoteFlags)
			if err != nil {
				return err
			}
			return r.answered(c.saveStream(cmd.Context(), f.file, f.force, "the "+f.what(), func(ctx context.Context) (*client.Download, error) {
				return r.runs.DownloadOutput(ctx, &regiev1.DownloadOutputRequest{Namespace: r.namespace, Run: run, Step: step, Input: f.input})
			}))
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	flags.StringVar(&f.file, "file", "-", "write to `FILE`; - for standard output")
	flags.BoolVar(&f.force, "force", false, "overwrite the file")
	flags.BoolVar(&f.input, "input", false, "the input instead")
	cmd.ValidArgsFunction = c.completeAnyRun(&f.remoteFlags)
	return cmd
}

func (f *outputFlags) what() string {
	if f.input {
		return "input"
	}
	return "output"
}

// localOutput reads that of a run on this machine.
func (c *cli) localOutput(ctx context.Context, f *outputFlags, run, step string) error {
	view, err := c.openView(ctx, run, f.data)
	if err != nil {
		return err
	}
	defer view.Close()
	seen, err := c.readRun(ctx, view, store.RunID(run), false)
	if err != nil {
		return err
	}
	tree := seen.tree.Run()
	output, input := tree.Output, tree.Input
	if step != "" {
		i := slices.IndexFunc(tree.Steps, func(s *history.Step) bool { return s.Path == step })
		if i < 0 {
			return failf(exitInvalid, "not_found", "run %s has no step %s", run, step).withHint("`regie show %s` shows its steps", run)
		}
		output, input = tree.Steps[i].Output, tree.Steps[i].Input
	}
	v := output
	if f.input {
		v = input
	}
	if v.IsUndefined() {
		return failf(exitInvalid, "not_found", "it has no %s", f.what()).withHint("one that has not ended has no output")
	}
	n, err := c.writeNew(f.file, f.force, func(w io.Writer) error {
		if err := view.WriteValue(w, store.RunID(run), v); err != nil {
			return failf(exitInternal, "unreadable", "%w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.saved(f.file, "the "+f.what(), n)
	return nil
}
