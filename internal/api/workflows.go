package api

import (
	"context"
	"fmt"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Apply stores definitions.
func (a *API) Apply(ctx context.Context, m *regiev1.ApplyRequest) (*regiev1.ApplyResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	if err := a.namespaceThere(m.GetNamespace()); err != nil {
		return nil, err
	}
	var k *keyed
	if !m.GetDryRun() {
		var err error
		if k, err = keyOf(ctx, "apply", m.GetIdempotencyKey(), m); err != nil {
			return nil, err
		}
	}
	out := &regiev1.ApplyResponse{}
	if k != nil {
		k.answer = func() proto.Message { return out }
	}
	before, err := a.once(ctx, k, func(ctx context.Context) error {
		applied, err := a.cfg.Catalog.Apply(ctx, catalog.Apply{
			Namespace: m.GetNamespace(), Files: files(m.GetFiles()), Prune: m.GetPrune(), By: a.by(ctx, m.GetReason()), DryRun: m.GetDryRun(),
			Within: func(changes []catalog.Change) error {
				out.Changes = changesOf(changes)
				return a.namespaceThere(m.GetNamespace()) // still
			},
		})
		if err == nil && !m.GetDryRun() {
			a.refreshLimits(ctx)
		}
		if diag.HasErrors(applied.Diagnostics) {
			return problem.With(connect.CodeInvalidArgument, "the definitions have errors; nothing was stored", &regiev1.Problem{
				Code: "definition_invalid", Diagnostics: diagnostics(applied.Diagnostics),
			})
		}
		out.Changes, out.Diagnostics, out.Position = changesOf(applied.Changes), diagnostics(applied.Diagnostics), applied.Position
		return err
	})
	if err != nil {
		return nil, failure(err)
	}
	if before != nil {
		if err := proto.Unmarshal(before.Value.Answer, out); err != nil {
			return nil, failure(fmt.Errorf("read the answer of an earlier request: %w", err))
		}
		out.Position = before.Position
	}
	return out, nil
}

func changesOf(in []catalog.Change) []*regiev1.Change {
	out := make([]*regiev1.Change, 0, len(in))
	for _, c := range in {
		out = append(out, &regiev1.Change{
			Kind: c.Kind, Namespace: c.Namespace, Name: c.Name, Action: c.Action, Version: c.Version, Differences: c.Differences,
			EffectiveFrom: timeOf(c.From),
		})
	}
	return out
}

func files(in []*regiev1.SourceFile) []catalog.File {
	out := make([]catalog.File, 0, len(in))
	for _, f := range in {
		out = append(out, catalog.File{Path: f.GetPath(), Content: f.GetContent(), Executable: f.GetExecutable(), Definition: f.GetDefinition()})
	}
	return out
}

// Validate checks definitions.
func (a *API) Validate(_ context.Context, m *regiev1.ValidateRequest) (*regiev1.ValidateResponse, error) {
	problems, err := a.cfg.Catalog.Check(m.GetNamespace(), files(m.GetFiles()))
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.ValidateResponse{Diagnostics: diagnostics(problems)}, nil
}

// page cuts a page out of a list that is in memory. Name is that of an item's
// place, which tokens keep.
func page[T any](items []T, name func(T) string, token, of string, size int32) ([]T, string, error) {
	n, err := pageSize(size)
	if err != nil {
		return nil, "", err
	}
	after, err := openToken[string](token, of)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		from := slices.IndexFunc(items, func(i T) bool { return name(i) > after })
		if from < 0 {
			from = len(items)
		}
		items = items[from:]
	}
	if len(items) <= n {
		return items, "", nil
	}
	return items[:n], makeToken(name(items[n-1]), of), nil
}

// placeOf is where an item of a table stands, in the order of tables.
func placeOf[T any](i registry.Item[T]) string { return i.Namespace + "\x00" + i.Name }

// ListWorkflows lists workflows.
func (a *API) ListWorkflows(ctx context.Context, m *regiev1.ListWorkflowsRequest) (*regiev1.ListWorkflowsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	f, err := filter.Parse(m.GetFilter(), filter.Context{Me: identityOf(ctx).User, Now: a.cfg.Now(), Zone: a.cfg.Zone})
	if err == nil {
		err = f.Check(filter.Workflows)
	}
	if err != nil {
		return nil, refuse(connect.CodeInvalidArgument, "filter_invalid", err.Error(), "such as: folder:/payments/** owner:me")
	}
	var items []registry.Item[catalog.Workflow]
	a.each(ctx, m.GetNamespace(), access.WorkflowsRead, func(namespace string) {
		for _, i := range a.cfg.Catalog.Workflows(namespace) {
			about := i.Value.About
			if matches(f, &filter.Row{
				Namespace: i.Namespace, Workflow: i.Name, Folder: about["folder"], Owner: about["owner"], Labels: i.Value.Labels(),
			}) {
				items = append(items, i)
			}
		}
	})
	items, next, err := page(items, placeOf, m.GetPageToken(), "workflows\n"+m.GetNamespace()+"\n"+m.GetFilter(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListWorkflowsResponse{NextPageToken: next}
	for i := range items {
		w, err := a.workflow(ctx, &items[i])
		if err != nil {
			return nil, failure(err)
		}
		out.Workflows = append(out.Workflows, w)
	}
	return out, nil
}

// each calls f for the namespaces that a request names, in order.
func (a *API) each(ctx context.Context, namespace string, permission access.Permission, f func(namespace string)) {
	names, all := a.namespaces(identityOf(ctx), namespace, permission)
	if all {
		for _, n := range a.cfg.Access.Namespaces() {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		f(n)
	}
}

// workflow is a workflow as the API shows it.
func (a *API) workflow(ctx context.Context, i *registry.Item[catalog.Workflow]) (*regiev1.Workflow, error) {
	w := &i.Value
	out := &regiev1.Workflow{
		Namespace: i.Namespace, Name: i.Name, Version: w.Version, Language: w.Language, Folder: w.About["folder"],
		Owner: w.About["owner"], Description: w.About["description"], Labels: w.Labels(), UpdatedAt: timeOf(i.At),
		UpdatedBy: w.UpdatedBy, Versions: int32(len(w.Versions)), About: w.About,
	}
	var err error
	if out.Schedules, err = a.schedulesOf(ctx, i.Namespace, i.Name); err != nil {
		return nil, err
	}
	rows, err := a.cfg.Store.Runs(ctx, store.RunQuery{Namespaces: []string{i.Namespace}, Workflows: []string{i.Name}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		out.LastRun = a.run(ctx, &rows[0])
	}
	return out, nil
}

// GetWorkflow shows a workflow.
func (a *API) GetWorkflow(ctx context.Context, m *regiev1.GetWorkflowRequest) (*regiev1.GetWorkflowResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	item, ok := a.cfg.Catalog.Workflow(m.GetNamespace(), m.GetWorkflow())
	if !ok {
		return nil, failure(catalog.ErrNotFound)
	}
	version, err := a.cfg.Catalog.Version(m.GetNamespace(), m.GetWorkflow(), m.GetVersion())
	if err != nil {
		return nil, failure(err)
	}
	w, err := a.workflow(ctx, &item)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.GetWorkflowResponse{Workflow: w, Source: []*regiev1.SourceFile{{
		Path: version.Value.Source.Path, Content: []byte(version.Value.Source.Text), Definition: true,
	}}}
	hash := version.Value.Hash()
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, hash)
	if err != nil {
		return nil, failure(err)
	}
	for _, in := range machine.Program().Inputs {
		spec := &regiev1.InputSpec{Name: in.Name, Type: in.Type.Kind.String(), Required: in.Required, Description: in.Description}
		if in.Default != nil {
			spec.Default = jsonOf(in.Default.Const)
		}
		for _, v := range in.Enum {
			spec.Enum = append(spec.Enum, jsonOf(v))
		}
		out.Inputs = append(out.Inputs, spec)
	}
	return out, nil
}

// ListVersions lists the versions of a workflow, the newest first.
func (a *API) ListVersions(_ context.Context, m *regiev1.ListVersionsRequest) (*regiev1.ListVersionsResponse, error) {
	item, ok := a.cfg.Catalog.Workflow(m.GetNamespace(), m.GetWorkflow())
	if !ok {
		return nil, failure(catalog.ErrNotFound)
	}
	size, err := pageSize(m.GetPageSize())
	if err != nil {
		return nil, err
	}
	of := "versions\n" + m.GetNamespace() + "/" + m.GetWorkflow()
	at, err := openToken[int](m.GetPageToken(), of)
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListVersionsResponse{}
	names := item.Value.Versions // newer ones come at the end
	older := len(names)
	if m.GetPageToken() != "" {
		older = min(max(at, 0), older)
	}
	rest := max(older-size, 0)
	for _, name := range slices.Backward(names[rest:older]) {
		v, err := a.cfg.Catalog.Version(m.GetNamespace(), m.GetWorkflow(), name)
		if err != nil {
			return nil, failure(err)
		}
		out.Versions = append(out.Versions, &regiev1.Version{
			Version: name, CreatedAt: timeOf(v.At), CreatedBy: v.Value.CreatedBy, Reason: v.Value.Reason, Current: name == item.Value.Version,
			EffectiveFrom: timeOf(item.Value.From(name)),
		})
	}
	if rest > 0 {
		out.NextPageToken = makeToken(rest, of)
	}
	return out, nil
}

// DeleteWorkflow removes a workflow.
func (a *API) DeleteWorkflow(ctx context.Context, m *regiev1.DeleteWorkflowRequest) (*regiev1.DeleteWorkflowResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	position, err := a.cfg.Catalog.Delete(ctx, m.GetNamespace(), m.GetWorkflow(), a.by(ctx, m.GetReason()))
	if err != nil {
		return nil, failure(err)
	}
	return &regiev1.DeleteWorkflowResponse{Position: position}, nil
}

// ListObjects lists connections and channels, without what is in them.
func (a *API) ListObjects(ctx context.Context, m *regiev1.ListObjectsRequest) (*regiev1.ListObjectsResponse, error) {
	var items []registry.Item[catalog.Object]
	a.each(ctx, m.GetNamespace(), access.WorkflowsRead, func(namespace string) {
		for _, i := range a.cfg.Catalog.Objects(namespace) {
			if m.GetKind() == "" || i.Value.Kind == m.GetKind() {
				items = append(items, i)
			}
		}
	})
	items, next, err := page(items, placeOf, m.GetPageToken(), "objects\n"+m.GetNamespace()+"\n"+m.GetKind(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListObjectsResponse{NextPageToken: next}
	for i := range items {
		o := &items[i]
		out.Objects = append(out.Objects, &regiev1.Object{
			Kind: o.Value.Kind, Namespace: o.Namespace, Name: o.Name[len(o.Value.Kind)+1:], Type: o.Value.Type,
			UpdatedAt: timeOf(o.At), UpdatedBy: o.Value.UpdatedBy,
		})
	}
	return out, nil
}

// namespaceThere refuses a namespace that nobody made.
func (a *API) namespaceThere(name string) error {
	if _, ok := a.cfg.Access.Namespace(name); !ok {
		return refuse(connect.CodeNotFound, "namespace_not_found", "there is no namespace "+name, "`regie namespaces` lists them")
	}
	return nil
}
