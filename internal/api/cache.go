package api

import (
	"context"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/store"
)

// ListCached lists where outputs are that steps use again.
func (a *API) ListCached(ctx context.Context, m *regiev1.ListCachedRequest) (*regiev1.ListCachedResponse, error) {
	list, err := a.cfg.Runtime.Cache(ctx, m.GetNamespace())
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.ListCachedResponse{}
	for i := range list {
		c := &list[i]
		item := &regiev1.Cached{Workflow: c.Workflow, Step: c.Path, Run: string(c.Run), Key: c.Key, At: timeOf(c.At)}
		if !c.Until.IsZero() {
			item.Until = timeOf(c.Until)
		}
		out.Cached = append(out.Cached, item)
	}
	return out, nil
}

// ClearCache forgets outputs.
func (a *API) ClearCache(ctx context.Context, m *regiev1.ClearCacheRequest) (*regiev1.ClearCacheResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	object := "cache"
	if m.GetWorkflow() != "" {
		object += "/" + m.GetWorkflow()
	}
	entry := identityOf(ctx).Done(access.Act{Action: "cache.clear", Namespace: m.GetNamespace(), Object: object, Reason: m.GetReason()})
	cleared, position, err := a.cfg.Runtime.ClearCache(ctx, m.GetNamespace(), m.GetWorkflow(), []store.Entry{entry})
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.ClearCacheResponse{Cleared: uint32(cleared), Position: position}, nil
}
