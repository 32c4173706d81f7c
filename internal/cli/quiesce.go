package cli

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
)

// holdAll holds the namespace as a whole.
func (c *cli) holdAll(ctx context.Context, r *remote, f *actFlags) error {
	answer, err := r.runs.HoldNamespace(ctx, &regiev1.HoldNamespaceRequest{Namespace: r.namespace, Reason: f.reason, DryRun: f.dryRun})
	if err != nil {
		return err
	}
	return c.printQuiesced(answer, f, answer.GetChanged(), r.namespace, "held", answer.GetRuns())
}

// releaseAll takes that back. In production it asks first.
func (c *cli) releaseAll(ctx context.Context, r *remote, f *actFlags) error {
	in := &regiev1.ReleaseNamespaceRequest{Namespace: r.namespace, Reason: f.reason, DryRun: f.dryRun, Confirmed: f.yes}
	answer, err := r.runs.ReleaseNamespace(ctx, in)
	if _, _, terminal := c.Terminal(c.Stderr); terminal && problem.Of(err).GetCode() == "confirmation_needed" {
		given, asked, promptErr := c.prompt(fmt.Sprintf("release namespace %s? [y/N] ", diagVisible(r.namespace)), false)
		switch {
		case promptErr != nil:
			return promptErr
		case asked && !yes(given):
			printf(c.Stderr, "Nothing was done.\n")
			return ended(exitFailed)
		}
		in.Confirmed = true
		answer, err = r.runs.ReleaseNamespace(ctx, in)
	}
	if err != nil {
		return err
	}
	return c.printQuiesced(answer, f, answer.GetChanged(), r.namespace, "released", answer.GetRuns())
}

func (c *cli) printQuiesced(answer proto.Message, f *actFlags, changed bool, namespace, what string, runs uint32) error {
	switch {
	case c.output == outputJSON:
		return c.printMessage(answer)
	case !changed && what == "held":
		printf(c.Stdout, "namespace %s was held already\n", diagVisible(namespace))
	case !changed:
		printf(c.Stdout, "namespace %s was not held as a whole\n", diagVisible(namespace))
	case f.dryRun:
		printf(c.Stdout, "namespace %s would be %s, with %s\n", diagVisible(namespace), what, count(int(runs), "run"))
	default:
		printf(c.Stdout, "namespace %s is %s, with %s\n", diagVisible(namespace), what, count(int(runs), "run"))
	}
	return nil
}
