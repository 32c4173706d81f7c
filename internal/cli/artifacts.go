package cli

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// artifact is one in a list.
type artifact struct {
	step string
	engine.Artifact
}

type artifactFlags struct {
	remoteFlags

	data, file string
	force      bool
}

func (c *cli) artifactsCommand() *cobra.Command {
	var f artifactFlags
	cmd := &cobra.Command{
		Use: "artifacts RUN[/STEP]", Short: "List the files that steps of a run have left", GroupID: groupRun,
		Long: `Lists the files that steps with ` + "`artifacts`" + ` have left, of each step those of the attempt
that ended last. They go when the data of the run is erased.`,
		Example: `  regie artifacts 01k9zq3vy2f8
  regie artifacts get 01k9zq3vy2f8/build dist/app.tar.gz --file app.tar.gz`,
		Args: arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, step, _ := strings.Cut(args[0], "/")
			elsewhere, err := c.elsewhere(&f.remoteFlags, run, f.data)
			if err != nil {
				return err
			}
			var list []artifact
			if elsewhere {
				list, err = c.remoteArtifacts(cmd.Context(), &f, run, step)
			} else {
				list, err = c.localArtifacts(cmd.Context(), &f, run, step)
			}
			if err != nil {
				return err
			}
			c.printArtifacts(list)
			return nil
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&f.data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	cmd.ValidArgsFunction = c.completeAnyRun(&f.remoteFlags)
	cmd.AddCommand(c.artifactsGetCommand())
	return cmd
}

func (c *cli) artifactsGetCommand() *cobra.Command {
	var f artifactFlags
	cmd := &cobra.Command{
		Use: "get RUN/STEP PATH", Short: "Read a file that a step has left",
		Long: `Writes a file that a step has left to a file of this machine: whole and as it was
kept, or not at all. Without --file it gets the name that it has, in the current
folder.`,
		Example: `  regie artifacts get 01k9zq3vy2f8/build dist/app.tar.gz
  regie artifacts get 01k9zq3vy2f8/report result.csv --file - | head`,
		Args: arguments(2, 2, "RUN/STEP and PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, step, named := strings.Cut(args[0], "/")
			if !named || step == "" {
				return usagef("%q names no step", args[0]).withHint("write RUN/STEP; `regie artifacts %s` lists the files", run)
			}
			if f.file == "" {
				f.file = path.Base(args[1])
			}
			if err := c.newFile(f.file, f.force, true); err != nil {
				return err
			}
			elsewhere, err := c.elsewhere(&f.remoteFlags, run, f.data)
			if err != nil {
				return err
			}
			if !elsewhere {
				return c.localArtifact(cmd.Context(), &f, run, step, args[1])
			}
			r, err := c.connect(&f.remoteFlags)
			if err != nil {
				return err
			}
			return r.answered(c.saveStream(cmd.Context(), f.file, f.force, "the artifact", func(ctx context.Context) (*client.Download, error) {
				return r.runs.DownloadArtifact(ctx, &regiev1.DownloadArtifactRequest{Namespace: r.namespace, Run: run, Step: step, Path: args[1]})
			}))
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	flags.StringVar(&f.file, "file", "", "write to `FILE`; - for standard output")
	flags.BoolVar(&f.force, "force", false, "overwrite the file")
	cmd.ValidArgsFunction = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveNoFileComp)
	return cmd
}

func (c *cli) printArtifacts(list []artifact) {
	if c.output == outputJSON {
		items := make([]value.Value, len(list))
		for i := range list {
			a := &list[i]
			items[i] = value.Object(append([]value.Member{value.M("step", value.String(a.step))}, a.Value().Members()...)...)
		}
		c.printJSON(value.Object(value.M("artifacts", value.List(items...))))
		return
	}
	t := view.Table{Head: []string{"STEP", "PATH", "SIZE", "SHA-256"}}
	for i := range list {
		t.Add("", list[i].step, list[i].Path, byteText(list[i].Size), list[i].SHA256)
	}
	c.printList(&t, len(list), "There are no artifacts.")
}

// remoteArtifacts are those of a run on a server.
func (c *cli) remoteArtifacts(ctx context.Context, f *artifactFlags, run, step string) ([]artifact, error) {
	r, err := c.connect(&f.remoteFlags)
	if err != nil {
		return nil, err
	}
	var list []artifact
	for {
		asking, cancel := context.WithTimeout(ctx, callTimeout)
		page, err := r.runs.ListArtifacts(asking, &regiev1.ListArtifactsRequest{
			Namespace: r.namespace, Run: run, Step: step, Offset: int64(len(list)), Limit: api.MaxArtifacts,
		})
		cancel()
		if err != nil {
			return nil, r.failure(err)
		}
		if page.GetErased() {
			c.note("The data of the run was erased; `regie audit list --object run/" + run + "` says by whom and why.")
		}
		for _, a := range page.GetArtifacts() {
			list = append(list, artifact{a.GetStep(), engine.Artifact{Path: a.GetPath(), Size: a.GetSize(), SHA256: a.GetSha256(), Executable: a.GetExecutable()}})
		}
		if !page.GetMore() || len(page.GetArtifacts()) == 0 {
			return list, nil
		}
	}
}

// localArtifacts are those of a run on this machine.
func (c *cli) localArtifacts(ctx context.Context, f *artifactFlags, run, step string) ([]artifact, error) {
	v, err := c.openView(ctx, run, f.data)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	seen, err := c.readRun(ctx, v, store.RunID(run), false)
	if err != nil {
		return nil, err
	}
	var list []artifact
	found := step == ""
	for _, s := range seen.tree.Run().Steps {
		if step != "" && s.Path != step {
			continue
		}
		found = true
		for _, a := range s.Artifacts {
			list = append(list, artifact{s.Path, a})
		}
	}
	if !found {
		return nil, failf(exitInvalid, "not_found", "run %s has no step %s", run, step).withHint("`regie show %s` shows its steps", run)
	}
	return list, nil
}

// localArtifact reads one of a run on this machine.
func (c *cli) localArtifact(ctx context.Context, f *artifactFlags, run, step, name string) error {
	list, err := c.localArtifacts(ctx, f, run, step)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(a artifact) bool { return a.Path == name })
	if i < 0 {
		return failf(exitInvalid, "not_found", "step %s of run %s has no artifact %s", step, run, name).withHint("`regie artifacts %s` lists them", run)
	}
	v, err := c.openView(ctx, run, f.data)
	if err != nil {
		return err
	}
	defer v.Close()
	n, err := c.writeNew(f.file, f.force, func(w io.Writer) error {
		r, err := v.Blob(store.RunID(run), list[i].SHA256)
		if err != nil {
			return failf(exitInternal, "unreadable", "%w", err)
		}
		_, err = io.Copy(w, r)
		return errors.Join(err, r.Close())
	})
	if err != nil {
		return err
	}
	c.saved(f.file, "the artifact", n)
	return nil
}
