package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/bench"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) benchCommand() *cobra.Command {
	var dir string
	var only []string
	var scale float64
	var soak time.Duration
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Regie beside this machine's disk and process rates",
		Long: "Measure Regie beside this machine's disk and process rates.\n\n" +
			"Each figure stands beside the machine's own limit, measured in the same call.\n" +
			"Workloads: " + strings.Join(bench.Workloads(), ", ") + "; soak runs only when it is named.",
		GroupID: groupOther,
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := bench.Config{Dir: dir, Only: only, Scale: scale, Soak: soak, Environ: c.Environ()}
			if c.output == outputText {
				cfg.Report = func(r bench.Result) { printf(c.Stdout, "%s\n", benchLine(r)) }
			}
			results, err := c.measure(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if c.output == outputJSON {
				c.printJSON(benchDocument(results))
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "measure the disk that holds this `folder` (default the temporary folder)")
	flags.StringSliceVar(&only, "only", nil, "measure these `workloads` only")
	flags.DurationVar(&soak, "soak", bench.DefaultSoak, "how long the workload soak takes")
	flags.Float64Var(&scale, "scale", 1, "multiply the sizes of the workloads by this `factor`")
	return cmd
}

// measure runs the workloads in a folder of their own below that of the
// configuration. Asked to end, it leaves no server and no folder behind.
func (c *cli) measure(ctx context.Context, cfg bench.Config) (_ []bench.Result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.interrupted(ctx, func(int) { cancel() })()
	if cfg.Binary, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	if cfg.Dir, err = os.MkdirTemp(cfg.Dir, "regie-bench-"); err != nil {
		return nil, fmt.Errorf("make a folder to measure in: %w", err)
	}
	defer func() { _ = os.RemoveAll(cfg.Dir) }()
	results, err := bench.Run(ctx, cfg)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, failf(exitFailed, "canceled", "interrupted: not all was measured")
	case err != nil:
		return nil, fmt.Errorf("measure: %w", err)
	}
	return results, nil
}

// benchLine is a result for people: the figure, and how it compares with the
// machine's limit.
func benchLine(r bench.Result) string {
	line := fmt.Sprintf("%-8s %-72s %10.3f %s", r.Workload, r.Metric, r.Value, r.Unit)
	if ratio := r.Ratio(); ratio > 0 {
		line += fmt.Sprintf("  (%.2f of the limit %.3f)", ratio, r.Limit)
	}
	return line
}

func benchDocument(results []bench.Result) value.Value {
	rows := make([]value.Value, len(results))
	for i, r := range results {
		limit := value.Null
		if r.Limit != 0 {
			limit = value.Float(r.Limit)
		}
		rows[i] = value.Object(
			value.M("workload", value.String(r.Workload)), value.M("metric", value.String(r.Metric)),
			value.M("value", value.Float(r.Value)), value.M("unit", value.String(r.Unit)),
			value.M("limit", limit), value.M("command", value.String(r.Command)))
	}
	return value.List(rows...)
}
