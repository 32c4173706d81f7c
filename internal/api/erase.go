package api

import (
	"context"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/retention"
)

// EraseRun destroys the data and logs of a run that has ended. It needs no
// idempotency key: to erase a run again changes nothing.
func (a *API) EraseRun(ctx context.Context, m *regiev1.EraseRunRequest) (*regiev1.EraseRunResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	if m.GetReason() == "" {
		return nil, invalid("reason", "say why, for the audit log, such as the number of the request; name nobody: the entry stays")
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	done, err := a.cfg.Eraser.Erase(ctx, retention.Order{
		Run: row.ID, DryRun: m.GetDryRun(), Entry: identityOf(ctx).Done(access.Act{
			Action: retention.ActionErase, Namespace: row.Namespace, Object: "run/" + string(row.ID), Reason: m.GetReason(),
		}),
	})
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.EraseRunResponse{
		Run: string(row.ID), Existing: done.Existing, Events: done.Events, Logs: uint32(done.Logs), Position: done.Position, Copies: uint32(done.Copies),
	}, nil
}
