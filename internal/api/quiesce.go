package api

import (
	"context"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// HoldNamespace holds a namespace as a whole.
func (a *API) HoldNamespace(ctx context.Context, m *regiev1.HoldNamespaceRequest) (*regiev1.HoldNamespaceResponse, error) {
	done, err := a.quiesce(ctx, m.GetNamespace(), m.GetReason(), true, m.GetDryRun())
	if err != nil {
		return nil, err
	}
	return &regiev1.HoldNamespaceResponse{Changed: done.Changed, Runs: uint32(done.Runs), Position: done.Position}, nil
}

// ReleaseNamespace takes the hold of a namespace back.
func (a *API) ReleaseNamespace(ctx context.Context, m *regiev1.ReleaseNamespaceRequest) (*regiev1.ReleaseNamespaceResponse, error) {
	if !m.GetConfirmed() && !m.GetDryRun() {
		if err := a.needsNoConfirmation(m.GetNamespace()); err != nil {
			return nil, err
		}
	}
	done, err := a.quiesce(ctx, m.GetNamespace(), m.GetReason(), false, m.GetDryRun())
	if err != nil {
		return nil, err
	}
	return &regiev1.ReleaseNamespaceResponse{Changed: done.Changed, Runs: uint32(done.Runs), Position: done.Position}, nil
}

func (a *API) quiesce(ctx context.Context, namespace, reason string, held, dry bool) (runtime.Quiesced, error) {
	if err := checkReason(reason); err != nil {
		return runtime.Quiesced{}, err
	}
	if err := a.namespaceThere(namespace); err != nil {
		return runtime.Quiesced{}, err
	}
	e := a.by(ctx, reason)
	e.Action, e.Namespace, e.Object = "namespace.release", namespace, "namespace/"+namespace
	if held {
		e.Action = "namespace.hold"
	}
	done, err := a.cfg.Runtime.Quiesce(ctx, runtime.QuiesceNamespace{
		Namespace: namespace, Hold: runtime.NamespaceHold{Held: held, Actor: e.Actor, Reason: reason}, DryRun: dry, Entries: []store.Entry{e},
	})
	return done, failure(err)
}

// holdOf is how a namespace is held, nil if it is not.
func holdOf(holds map[string]runtime.NamespaceHold, namespace string) *regiev1.NamespaceHold {
	h, held := holds[namespace]
	if !held {
		return nil
	}
	return &regiev1.NamespaceHold{Actor: h.Actor, Reason: h.Reason, Since: timeOf(h.At)}
}
