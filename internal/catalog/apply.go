package catalog

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// File is a file of a request.
type File struct {
	// Path is slash-separated and relative; files of bundles lie below the
	// folder of their definition.
	Path       string
	Content    []byte
	Executable bool
	Definition bool // it is read; other files belong to bundles
}

// Apply asks for definitions to be stored.
type Apply struct {
	Namespace string
	Files     []File
	// Prune is a label, key=value: the workflows, connections and channels that
	// carry it in the namespace and are not among the files are removed. Empty:
	// nothing is.
	Prune  string
	DryRun bool
	// By is the entry of the audit log that each change gets: actor, request
	// and reason; the rest is filled in.
	By store.Entry
	// Within, if not nil, is called within the transaction with the changes,
	// and refuses them with an error. It may be called again.
	Within func(changes []Change) error
}

// Change is what becomes of one definition.
type Change struct {
	Kind, Namespace, Name string
	Action                string // created, updated, unchanged or deleted
	Version               string // of a workflow
	// From is when the version comes in force; zero: at once, or it was before.
	From        time.Time
	Differences []string
}

// Actions of a Change.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
	Deleted   = "deleted"
)

// Applied is the answer to an Apply. With errors among the diagnostics nothing
// was stored.
type Applied struct {
	Changes     []Change
	Diagnostics []diag.Diagnostic
	Position    uint64
}

// Check reports what is wrong with definitions, and stores nothing.
func (c *Catalog) Check(namespace string, files []File) ([]diag.Diagnostic, error) {
	_, problems, err := c.load(namespace, files)
	return problems, err
}

// Apply checks definitions and stores what changed, all in one transaction.
// Errors: ErrMixed, ErrFiles, ErrPrune, and those of the registry.
func (c *Catalog) Apply(ctx context.Context, a Apply) (Applied, error) {
	if key, _, ok := strings.Cut(a.Prune, "="); a.Prune != "" && (!ok || key == "") {
		return Applied{}, fmt.Errorf("%w, not %q", ErrPrune, a.Prune)
	}
	set, problems, err := c.load(a.Namespace, a.Files)
	if err != nil || diag.HasErrors(problems) {
		return Applied{Diagnostics: problems}, err
	}
	out := Applied{Diagnostics: problems}
	plan := &plan{catalog: c, apply: &a, set: set}
	if err := plan.encode(); err != nil {
		return Applied{}, err
	}
	if a.DryRun {
		err := plan.changes(nil)
		out.Changes = plan.out
		return out, err
	}
	if err := c.cfg.Programs.StorePrograms(ctx, plan.programs()...); err != nil {
		return Applied{}, fmt.Errorf("store programs: %w", err)
	}
	out.Position, err = c.registry.Update(ctx, func(tx *registry.Tx) error {
		if err := plan.changes(tx); err != nil {
			return err
		}
		if a.Within == nil {
			return nil
		}
		return a.Within(plan.out)
	})
	if err != nil {
		return Applied{}, err
	}
	out.Changes = plan.out
	return out, nil
}

// Delete removes a workflow; its runs and versions stay. ErrNotFound if there
// is none.
func (c *Catalog) Delete(ctx context.Context, namespace, name string, by store.Entry) (uint64, error) {
	return c.registry.Update(ctx, func(tx *registry.Tx) error {
		if _, ok := c.workflows.Item(namespace, name); !ok {
			return fmt.Errorf("%w: %s/%s", ErrNotFound, namespace, name)
		}
		c.workflows.Delete(tx, namespace, name)
		tx.Record(entry(by, "workflow.delete", namespace, "workflow/"+name, nil))
		return nil
	})
}

// entry fills in what an entry is about. The detail is added to what there is.
func entry(by store.Entry, action, namespace, object string, detail map[string]any) store.Entry {
	by.Action, by.Namespace, by.Object, by.Outcome = action, namespace, object, "done"
	if len(detail) == 0 {
		return by
	}
	all := map[string]any{}
	_ = json.Unmarshal(by.Detail, &all) // written by us, or empty
	maps.Copy(all, detail)
	by.Detail, _ = json.Marshal(all) //nolint:errchkjson // it came from JSON, texts and numbers
	return by
}

// load compiles the definitions of a request.
func (c *Catalog) load(namespace string, files []File) (*native.Set, []diag.Diagnostic, error) {
	for i := range files {
		if !validPath(files[i].Path) {
			return nil, nil, fmt.Errorf("%w: %q is not a relative path without dots", ErrFiles, files[i].Path)
		}
	}
	var sources []project.Source
	for i := range files {
		if files[i].Definition {
			sources = append(sources, project.NewSource(files[i].Path, files[i].Content))
		}
	}
	if len(sources) == 0 {
		return nil, nil, fmt.Errorf("%w: there is no definition among them", ErrFiles)
	}
	spread, err := spread(c.cfg.TempDir, files)
	if err != nil {
		return nil, nil, err
	}
	defer spread.close()
	cfg := c.cfg.Definitions
	cfg.Native.Files = spread.bundle
	cfg.Native.There = func(kind, ns, name string) bool {
		_, there := c.objects.Get(cmp.Or(ns, namespace), kind+"/"+name)
		return there
	}
	for _, item := range c.objects.List(namespace) {
		if item.Value.TaskType != nil {
			cfg.Native.TaskTypes = append(cfg.Native.TaskTypes, item.Value.TaskType)
		}
	}
	loaded, problems := project.Load(cfg, sources)
	set, problems := loaded.Set, append(problems, loaded.Refused(nil, nil)...)
	if diag.HasErrors(problems) {
		return set, problems, nil
	}
	for _, w := range set.Workflows {
		if w.Program.Namespace == "" {
			w.Program.Namespace = namespace
		}
		if w.Program.Namespace != namespace {
			return nil, nil, fmt.Errorf("%w: workflow %s is of namespace %s, the request of %s", ErrMixed, w.Program.Name, w.Program.Namespace, namespace)
		}
	}
	for _, o := range set.Objects {
		if o.Namespace == "" {
			o.Namespace = namespace
		}
		if o.Namespace != namespace {
			return nil, nil, fmt.Errorf("%w: %s %s is of namespace %s, the request of %s", ErrMixed, o.Kind, o.Name, o.Namespace, namespace)
		}
	}
	return set, problems, nil
}

// validPath reports whether a path stays where it is put.
func validPath(p string) bool {
	return p != "" && len(p) <= store.MaxText && !path.IsAbs(p) && path.Clean(p) == p &&
		p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\x00\\")
}

// plan works out what an Apply changes.
type plan struct {
	catalog *Catalog
	apply   *Apply
	set     *native.Set
	encoded []store.Program
	out     []Change
}

func (p *plan) encode() error {
	for _, w := range p.set.Workflows {
		data, hash, err := workflow.Encode(w.Program)
		if err != nil {
			return fmt.Errorf("encode workflow %s: %w", w.Program.Name, err)
		}
		p.encoded = append(p.encoded, store.Program{Hash: hash, Data: data})
	}
	return nil
}

// programs are those that are not stored yet.
func (p *plan) programs() []store.Program {
	var out []store.Program
	for i, w := range p.set.Workflows {
		now, ok := p.catalog.Workflow(p.apply.Namespace, w.Program.Name)
		if !ok || now.Value.Hash() != p.encoded[i].Hash {
			out = append(out, p.encoded[i])
		}
	}
	return out
}

// changes works out the changes, and writes them unless tx is nil. It may be
// called again.
func (p *plan) changes(tx *registry.Tx) error {
	p.out = nil
	for i, w := range p.set.Workflows {
		if err := p.workflow(tx, w, p.encoded[i].Hash); err != nil {
			return err
		}
	}
	for _, o := range p.set.Objects {
		p.object(tx, o)
	}
	p.prune(tx)
	return nil
}

func (p *plan) source(file string) SourceText {
	for i := range p.apply.Files {
		if f := &p.apply.Files[i]; f.Path == file {
			return SourceText{Path: f.Path, Text: string(f.Content)}
		}
	}
	return SourceText{Path: file}
}

func (p *plan) workflow(tx *registry.Tx, w *native.Compiled, hash [32]byte) error {
	c, ns, name := p.catalog, p.apply.Namespace, w.Program.Name
	program := hex.EncodeToString(hash[:])
	next := InForce{Version: program[:16], Program: program, Language: w.Program.Language, About: w.Program.About}
	version := Version{
		Workflow: name, Program: program, Source: p.source(w.Pos.File), CreatedBy: p.apply.By.Actor, Reason: p.apply.By.Reason,
	}
	at := c.cfg.Now()
	change := Change{Kind: "Workflow", Namespace: ns, Name: name, Action: Created, Version: next.Version}
	stored, there := c.workflows.Get(ns, name)
	now := stored.at(at)
	if w.EffectiveFrom.After(at) && now.Version != next.Version {
		change.From = w.EffectiveFrom
	}
	old, known := c.versions.Get(ns, versionName(name, next.Version))
	if known {
		version.CreatedBy, version.AppliedBy, version.Reason = old.CreatedBy, old.AppliedBy, old.Reason
		version.applied(p.apply.By.Actor)
	}
	same := now.Version == next.Version || !change.From.IsZero() && now.From(next.Version).Equal(change.From)
	switch {
	case there && same && old.Source == version.Source:
		change.Action = Unchanged
		p.out = append(p.out, change)
		return nil
	case there && same:
		change.Action, change.Differences = Updated, []string{"text of the definition only: what runs is the same"}
	case there:
		change.Action, change.Differences = Updated, p.differs(name, &now, version.Source.Text)
	}
	p.out = append(p.out, change)
	now.Versions = append(slices.DeleteFunc(slices.Clone(now.Versions), func(v string) bool { return v == next.Version }), next.Version)
	now.UpdatedBy = p.apply.By.Actor
	if change.From.IsZero() {
		now.InForce = next
		now.Coming = slices.DeleteFunc(slices.Clone(now.Coming), func(o Coming) bool { return o.Version == next.Version })
	} else if err := now.come(&Coming{InForce: next, From: change.From}); err != nil {
		return fmt.Errorf("%w: %s/%s", err, ns, name)
	}
	if tx == nil {
		return nil
	}
	c.workflows.Put(tx, ns, name, now)
	c.versions.Put(tx, ns, versionName(name, next.Version), version)
	detail := map[string]any{"version": next.Version, "change": change.Action}
	if !change.From.IsZero() {
		detail["effective_from"] = change.From.UTC().Format(time.RFC3339)
	}
	tx.Record(entry(p.apply.By, "workflow.apply", ns, "workflow/"+name, detail))
	return nil
}

// differs shows what a new version changes in the definition.
func (p *plan) differs(name string, now *Workflow, text string) []string {
	before, ok := p.catalog.versions.Get(p.apply.Namespace, versionName(name, now.Version))
	if !ok || before.Source.Text == text {
		return []string{"files of the bundle, or where the definition lies"}
	}
	return differences(before.Source.Text, text)
}

func (p *plan) object(tx *registry.Tx, o *native.Object) {
	c, ns := p.catalog, p.apply.Namespace
	next := Object{Kind: o.Kind, Type: o.Type, Fields: o.Fields, Breaker: o.Breaker, Limit: limitOf(o, ns), Labels: o.Labels, UpdatedBy: p.apply.By.Actor, TaskType: o.TaskType}
	change := Change{Kind: o.Kind, Namespace: ns, Name: o.Name, Action: Created}
	if o.TaskType != nil {
		change.Version = o.TaskType.Version
	}
	if now, there := c.objects.Get(ns, o.Kind+"/"+o.Name); there {
		change.Action = Updated
		if same(&now, &next) {
			change.Action = Unchanged
		}
	}
	p.out = append(p.out, change)
	if tx == nil || change.Action == Unchanged {
		return
	}
	c.objects.Put(tx, ns, o.Kind+"/"+o.Name, next)
	tx.Record(entry(p.apply.By, "definition.apply", ns, strings.ToLower(o.Kind)+"/"+o.Name, nil))
}

// limitOf is what a limit allows, in the namespace of the request.
func limitOf(o *native.Object, namespace string) *gate.Limit {
	if o.Limit == nil {
		return nil
	}
	l := *o.Limit
	l.ID.Namespace = namespace
	return &l
}

// prune removes what carries the label and is not in the set.
func (p *plan) prune(tx *registry.Tx) {
	key, text, ok := strings.Cut(p.apply.Prune, "=")
	if !ok {
		return
	}
	carries := func(labels map[string]string) bool {
		have, labeled := labels[key]
		return labeled && have == text
	}
	c, ns := p.catalog, p.apply.Namespace
	for _, item := range c.Workflows(ns) {
		kept := slices.ContainsFunc(p.set.Workflows, func(w *native.Compiled) bool { return w.Program.Name == item.Name })
		if kept || !carries(item.Value.Labels()) {
			continue
		}
		p.out = append(p.out, Change{Kind: "Workflow", Namespace: ns, Name: item.Name, Action: Deleted, Version: item.Value.Version})
		if tx != nil {
			c.workflows.Delete(tx, ns, item.Name)
			tx.Record(entry(p.apply.By, "workflow.delete", ns, "workflow/"+item.Name, nil))
		}
	}
	for _, item := range c.objects.List(ns) {
		kind, name := item.Value.Kind, strings.TrimPrefix(item.Name, item.Value.Kind+"/")
		kept := slices.ContainsFunc(p.set.Objects, func(o *native.Object) bool { return o.Kind == kind && o.Name == name })
		if kept || !carries(item.Value.Labels) {
			continue
		}
		p.out = append(p.out, Change{Kind: kind, Namespace: ns, Name: name, Action: Deleted})
		if tx != nil {
			c.objects.Delete(tx, ns, item.Name)
			tx.Record(entry(p.apply.By, "definition.delete", ns, strings.ToLower(kind)+"/"+name, nil))
		}
	}
}
