package cli

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/gate"
)

// limitsCommand is `regie limits`.
func (c *cli) limitsCommand() *cobra.Command {
	return family("limits", "See who shares what, and change how much there is",
		"Lists, shows and changes limits and locks: what steps and runs share. `kind: Limit`\ndefines one.", groupServer,
		c.listLimitsCommand(), c.showLimitCommand(), c.setLimitCommand())
}

func (r *remote) allLimits(ctx context.Context) (*regiev1.ListLimitsResponse, error) {
	all := &regiev1.ListLimitsResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.limits.ListLimits(ctx, &regiev1.ListLimitsRequest{Namespace: r.namespace, PageSize: listPage, PageToken: token})
		all.Limits = append(all.Limits, page.GetLimits()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeLimits(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.allLimits(ctx)
		var names []string
		for _, l := range all.GetLimits() {
			if l.GetKind() == string(gate.Named) {
				names = append(names, l.GetName()+"\t"+limitAmount(l))
			}
		}
		return names, err
	})
}

func (c *cli) listLimitsCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List limits", Args: arguments(0, 0, ""),
		Long: "Lists limits and locks, concurrency keys that are in use, and quotas of namespaces.\n--namespace - is all namespaces whose runs you may see.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.allLimits(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"LIMIT", "USED", "OF", "RATE", "QUEUED"}}
				for _, l := range all.GetLimits() {
					style := ""
					if l.GetQueued() > 0 {
						style = view.StyleWarning
					}
					t.Add(style, limitName(l), fmt.Sprint(l.GetUsed()), limitCapacity(l), limitRate(l), fmt.Sprint(l.GetQueued()))
				}
				c.printList(&t, len(all.GetLimits()), "no limits; `kind: Limit` defines one")
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

// limitName names a limit with its kind.
func limitName(l *regiev1.Limit) string {
	name := l.GetNamespace() + "/" + l.GetName()
	switch gate.Kind(l.GetKind()) {
	case gate.Concurrency:
		return "concurrency " + name
	case gate.Runs:
		return "runs of " + l.GetNamespace()
	case gate.Steps:
		return "steps of " + l.GetNamespace()
	case gate.Named:
	}
	if !l.GetDefined() {
		name += " (not defined: a lock)"
	}
	return name
}

func limitCapacity(l *regiev1.Limit) string {
	if l.GetCapacity() == 0 {
		return "-"
	}
	return fmt.Sprint(l.GetCapacity())
}

func limitRate(l *regiev1.Limit) string {
	if l.GetRate() == nil {
		return "-"
	}
	return fmt.Sprintf("%d of %d in %s left", l.GetRateLeft(), l.GetRate().GetCount(), l.GetRate().GetPer())
}

// limitAmount says how much of a limit there is.
func limitAmount(l *regiev1.Limit) string {
	var parts []string
	if l.GetCapacity() > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d held", l.GetUsed(), l.GetCapacity()))
	}
	if l.GetRate() != nil {
		parts = append(parts, limitRate(l))
	}
	return strings.Join(parts, ", ")
}

func (c *cli) showLimitCommand() *cobra.Command {
	var f remoteFlags
	var kind string
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a limit with who holds it and who waits", Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeLimits(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.limits.GetLimit(ctx, &regiev1.GetLimitRequest{Namespace: r.namespace, Limit: args[0], Kind: kind})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				c.printLimit(answer)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND` of what has the name: concurrency for a key of runs; by default a limit")
	f.define(c, cmd)
	return cmd
}

func (c *cli) printLimit(m *regiev1.GetLimitResponse) {
	l := m.GetLimit()
	c.printField("limit", limitName(l))
	if l.GetCapacity() > 0 {
		c.printField("held", fmt.Sprintf("%d of %d", l.GetUsed(), l.GetCapacity()))
	}
	if l.GetRate() != nil {
		c.printField("rate", limitRate(l)+"; all of it "+cmp.Or(c.when(l.GetRateFullAt()), "now"))
	}
	c.printField("queued", fmt.Sprint(l.GetQueued()))
	if len(m.GetHolders()) > 0 {
		printf(c.Stdout, "\nholders\n")
		t := view.Table{Head: []string{"RUN", "STEP", "WEIGHT", "SINCE"}}
		for _, h := range m.GetHolders() {
			t.Add("", h.GetRun(), cmp.Or(h.GetStep(), "-"), fmt.Sprint(h.GetWeight()), c.when(h.GetSince()))
		}
		c.printTable(&t)
	}
	if len(m.GetQueue()) == 0 {
		return
	}
	printf(c.Stdout, "\nqueue\n")
	t := view.Table{Head: []string{"PLACE", "RUN", "STEP", "WEIGHT", "PRIORITY", "SINCE", "WAITS"}}
	for _, w := range m.GetQueue() {
		t.Add("", fmt.Sprint(w.GetPosition()), w.GetRun(), cmp.Or(w.GetStep(), "-"), fmt.Sprint(w.GetWeight()), fmt.Sprint(w.GetPriority()), c.when(w.GetSince()), c.obstacle(w))
	}
	c.printTable(&t)
	if more := int(l.GetQueued()) - len(m.GetQueue()); more > 0 {
		printf(c.Stdout, "and %d more\n", more)
	}
}

// obstacle says why somebody waits.
func (c *cli) obstacle(w *regiev1.LimitWaiting) string {
	switch gate.Obstacle(w.GetWhy()) {
	case gate.Held:
		return "it is held: passed over"
	case gate.Condition:
		return "for condition " + strings.Join(w.GetLacks(), ", ") + ": passed over"
	case gate.TooBig:
		return "it wants more than there will ever be"
	case gate.Busy:
		return "others hold it"
	case gate.Spread:
		if w.GetNextAt() != nil {
			return "for the rate, until " + c.when(w.GetNextAt())
		}
		return "for the rate"
	case gate.Behind:
		return "what is free is kept for those before it"
	case gate.Elsewhere:
		return "for another of its limits"
	}
	return w.GetWhy()
}

func (c *cli) setLimitCommand() *cobra.Command {
	var f remoteFlags
	var capacity string
	m := &regiev1.SetLimitRequest{}
	cmd := &cobra.Command{
		Use: "set NAME --capacity N", Short: "Change how much there is of a limit, at once",
		Long:    "Changes how much there is of a limit, at once, until its definition is applied again.\nWho holds more than that keeps it.",
		Example: "  regie limits set tapes --capacity 2 --reason \"drive 3 is broken\"",
		Args:    arguments(1, 1, "NAME"), ValidArgsFunction: c.completeLimits(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(capacity, 10, 32)
			switch {
			case capacity == "":
				return usagef("--capacity is missing").withHint("usage: %s", cmd.UseLine())
			case err != nil || n == 0:
				return usagef("--capacity is %s: want a number from 1", diagVisible(capacity)).withHint("to let nothing begin, hold what waits: `regie hold --filter waiting:limit`")
			}
			m.Capacity = uint32(n)
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				m.Namespace, m.Limit = r.namespace, args[0]
				answer, err := r.limits.SetLimit(ctx, m)
				if err != nil {
					return err
				}
				return c.done(answer, "limit %s: %s, %s", args[0], limitAmount(answer.GetLimit()), fmt.Sprintf("%d queued", answer.GetLimit().GetQueued()))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&capacity, "capacity", "", "`N` shares that may be held at once")
	flags.StringVar(&m.Reason, "reason", "", "`TEXT` that says why, for the audit log")
	f.define(c, cmd)
	return cmd
}
