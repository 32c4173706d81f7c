package api

import (
	"context"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
)

func namespaceOf(n *access.Namespace) *regiev1.Namespace {
	return &regiev1.Namespace{
		Name: n.Name, Description: n.Description, Vars: n.Vars, RunAs: n.RunAs, AlertChannels: n.AlertChannels, Environment: n.Environment,
		Callers: n.Callers, MaxRuns: n.MaxRuns, MaxSteps: n.MaxSteps, Retention: retentionOf(&n.Retention),
	}
}

// retentionOf is nil if everything is kept for ever.
func retentionOf(r *access.Retention) *regiev1.Retention {
	if *r == (access.Retention{}) {
		return nil
	}
	return &regiev1.Retention{KeepRuns: r.Runs, KeepPayloads: r.Payloads, KeepLogs: r.Logs, KeepLast: r.Last, Archive: r.Archive}
}

// ListNamespaces lists those in which the caller may do anything. Variables are
// shown to those who may read workflows there.
func (a *API) ListNamespaces(ctx context.Context, m *regiev1.ListNamespacesRequest) (*regiev1.ListNamespacesResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	identity := identityOf(ctx)
	var mine []access.Namespace
	for _, n := range a.cfg.Access.Namespaces() {
		if len(identity.Permissions(n.Name)) > 0 {
			mine = append(mine, n)
		}
	}
	mine, next, err := page(mine, func(n access.Namespace) string { return n.Name }, m.GetPageToken(), "namespaces", m.GetPageSize())
	if err != nil {
		return nil, err
	}
	holds, err := a.cfg.Runtime.NamespaceHolds(ctx)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.ListNamespacesResponse{NextPageToken: next}
	for i := range mine {
		n := namespaceOf(&mine[i])
		n.Held = holdOf(holds, n.GetName())
		for _, p := range identity.Permissions(n.GetName()) {
			n.Permissions = append(n.Permissions, p.String())
		}
		if !identity.May(access.WorkflowsRead, n.GetName()) {
			n.Vars = nil
		}
		out.Namespaces = append(out.Namespaces, n)
	}
	return out, nil
}

// PutNamespace makes or changes a namespace.
func (a *API) PutNamespace(ctx context.Context, m *regiev1.PutNamespaceRequest) (*regiev1.PutNamespaceResponse, error) {
	n := access.Namespace{
		Name: m.GetName(), Description: m.GetDescription(), Vars: m.GetVars(), RunAs: m.GetRunAs(), AlertChannels: m.GetAlertChannels(),
		Environment: m.GetEnvironment(), Callers: m.GetCallers(), MaxRuns: m.GetMaxRuns(), MaxSteps: m.GetMaxSteps(),
	}
	if r := m.GetRetention(); r != nil {
		n.Retention = access.Retention{Runs: r.GetKeepRuns(), Payloads: r.GetKeepPayloads(), Logs: r.GetKeepLogs(), Last: r.KeepLast, Archive: r.GetArchive()}
		if r.GetArchive() && !a.cfg.Archive {
			return nil, invalid("retention.archive", "this server has no archive; name its folder in the configuration (archive.folder)")
		}
	}
	position, err := a.cfg.Access.PutNamespace(ctx, identityOf(ctx), n)
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	a.refreshLimits(ctx)
	return &regiev1.PutNamespaceResponse{Namespace: namespaceOf(&n), Position: position}, nil
}

// DeleteNamespace removes a namespace that is empty.
func (a *API) DeleteNamespace(ctx context.Context, m *regiev1.DeleteNamespaceRequest) (*regiev1.DeleteNamespaceResponse, error) {
	name := m.GetName()
	var used error
	position, err := a.cfg.Access.DeleteNamespace(ctx, identityOf(ctx), name, func() error {
		used = a.namespaceFree(ctx, name)
		return used
	})
	if used != nil {
		return nil, used
	}
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.DeleteNamespaceResponse{Position: position}, nil
}

// namespaceFree refuses a namespace in which there is something that goes on.
func (a *API) namespaceFree(ctx context.Context, name string) error {
	if len(a.cfg.Catalog.Workflows(name)) > 0 {
		return refuse(connect.CodeFailedPrecondition, "namespace_in_use", "namespace "+name+" has workflows", "delete them first")
	}
	holds, err := a.cfg.Runtime.NamespaceHolds(ctx)
	if err != nil {
		return failure(err)
	}
	if holds[name].Held { // one of the same name would be held from its first run on
		return refuse(connect.CodeFailedPrecondition, "namespace_in_use", "namespace "+name+" is held", "release it first: `regie release --namespace "+name+" --all`")
	}
	rows, err := a.cfg.Store.LiveRuns(ctx)
	if err != nil {
		return failure(err)
	}
	for i := range rows {
		if rows[i].Namespace == name {
			return refuse(connect.CodeFailedPrecondition, "namespace_in_use", "namespace "+name+" has runs that have not ended", "cancel them, or wait")
		}
	}
	return nil
}
