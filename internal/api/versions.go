package api

import (
	"context"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// ActivateVersion puts a version of a workflow in force.
func (a *API) ActivateVersion(ctx context.Context, m *regiev1.ActivateVersionRequest) (*regiev1.ActivateVersionResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	if m.GetVersion() == "" {
		return nil, invalid("version", "it is missing")
	}
	before, position, err := a.cfg.Catalog.Activate(ctx, m.GetNamespace(), m.GetWorkflow(), m.GetVersion(), a.by(ctx, m.GetReason()))
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.ActivateVersionResponse{Before: before, Position: position}, nil
}

// CompareVersions says how two versions of a workflow differ.
func (a *API) CompareVersions(ctx context.Context, m *regiev1.CompareVersionsRequest) (*regiev1.CompareVersionsResponse, error) {
	if m.GetFrom() == "" {
		return nil, invalid("from", "it is missing")
	}
	c, err := a.cfg.Catalog.Compare(ctx, m.GetNamespace(), m.GetWorkflow(), m.GetFrom(), m.GetTo())
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.CompareVersionsResponse{From: c.From, To: c.To, Text: c.Text, Parts: c.Parts}
	for _, s := range c.Steps {
		out.Steps = append(out.Steps, &regiev1.StepChange{Path: s.Path, Action: s.Action, Parts: s.Parts})
	}
	return out, nil
}
