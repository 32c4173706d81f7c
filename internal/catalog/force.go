package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxComing bounds the versions of a workflow that are to come in force.
const MaxComing = 20

// Errors about versions in force.
var (
	// ErrNotInForce: no version of the workflow is in force yet.
	ErrNotInForce = errors.New("no version of the workflow is in force yet")
	// ErrComing: there are too many versions to come.
	ErrComing = fmt.Errorf("more than %d versions of a workflow are to come in force", MaxComing)
)

// InForce is what new runs of a workflow use.
type InForce struct {
	// Version names the version: 16 hexadecimal digits of Program. It is empty if
	// none is in force yet.
	Version  string `json:"version"`
	Program  string `json:"program"` // SHA-256 of the program, hexadecimal
	Language string `json:"language"`
	// About is what people read: folder, owner, label.NAME and the like.
	About map[string]string `json:"about,omitempty"`
}

// Coming is a version that comes in force at an instant.
type Coming struct {
	InForce

	From time.Time `json:"from"`
}

// Hash is the hash of the program.
func (f *InForce) Hash() [32]byte { return hashOf(f.Program) }

// Labels are the labels of the workflow.
func (f *InForce) Labels() map[string]string { return Labels(f.About) }

// at is the workflow as it is at an instant: what is in force then, and what
// comes later. Nothing has to happen at the instant itself.
func (w *Workflow) at(now time.Time) Workflow {
	out := *w
	i := len(w.Coming)
	for i > 0 && w.Coming[i-1].From.After(now) {
		i--
	}
	if i > 0 {
		out.InForce = w.Coming[i-1].InForce
	}
	out.Coming = w.Coming[i:]
	return out
}

// come plans a version. Another one of the same instant makes way for it.
func (w *Workflow) come(next *Coming) error {
	w.Coming = slices.DeleteFunc(slices.Clone(w.Coming), func(c Coming) bool { return c.Version == next.Version || c.From.Equal(next.From) })
	w.Coming = append(w.Coming, *next)
	slices.SortFunc(w.Coming, func(a, b Coming) int { return a.From.Compare(b.From) })
	if len(w.Coming) > MaxComing {
		return ErrComing
	}
	return nil
}

// now is an item of the table as it is at this instant.
func (c *Catalog) now(item registry.Item[Workflow]) registry.Item[Workflow] {
	item.Value = item.Value.at(c.cfg.Now())
	return item
}

// NextChange is the next instant at which a version comes in force by itself,
// zero if there is none.
func (c *Catalog) NextChange() time.Time {
	var next time.Time
	now := c.cfg.Now()
	for _, item := range c.workflows.All() {
		for i := range item.Value.Coming {
			if from := item.Value.Coming[i].From; from.After(now) && (next.IsZero() || from.Before(next)) {
				next = from
			}
		}
	}
	return next
}

// Program returns the program that a run uses: that of a version, or, if it is
// empty, of the one in force at the instant. Errors: ErrNotFound, ErrNotInForce.
func (c *Catalog) Program(ctx context.Context, namespace, name, version string, at time.Time) (*runtime.Prepared, error) {
	w, ok := c.workflows.Get(namespace, name)
	if !ok {
		return nil, fmt.Errorf("%w: %s/%s", ErrNotFound, namespace, name)
	}
	w = w.at(at)
	hash := w.Hash()
	switch {
	case version != "":
		v, err := c.Version(namespace, name, version)
		if err != nil {
			return nil, err
		}
		hash = v.Value.Hash()
	case w.Version == "" && len(w.Coming) > 0:
		return nil, fmt.Errorf("%w: %s/%s comes in force at %s", ErrNotInForce, namespace, name, w.Coming[0].From.UTC().Format(time.RFC3339))
	}
	prepared, err := c.cfg.Machines.Prepared(ctx, c.cfg.Store, hash)
	if err != nil {
		return nil, fmt.Errorf("prepare workflow %s/%s: %w", namespace, name, err)
	}
	return prepared, nil
}

// Activate puts a version in force at once; what was to come is taken back. It
// answers the version that was in force before. Errors: ErrNotFound.
func (c *Catalog) Activate(ctx context.Context, namespace, name, version string, by store.Entry) (before string, position uint64, err error) {
	v, err := c.Version(namespace, name, version)
	if err != nil {
		return "", 0, err
	}
	machine, err := c.cfg.Machines.Stored(ctx, c.cfg.Store, v.Value.Hash())
	if err != nil {
		return "", 0, fmt.Errorf("read version %s of %s/%s: %w", version, namespace, name, err)
	}
	p := machine.Program()
	position, err = c.registry.Update(ctx, func(tx *registry.Tx) error {
		w, ok := c.workflows.Get(namespace, name)
		if !ok {
			return fmt.Errorf("%w: %s/%s", ErrNotFound, namespace, name)
		}
		w = w.at(c.cfg.Now())
		before = w.Version
		w.InForce = InForce{Version: version, Program: v.Value.Program, Language: p.Language, About: p.About}
		w.Coming, w.UpdatedBy = nil, by.Actor
		c.workflows.Put(tx, namespace, name, w)
		applied, _ := c.versions.Get(namespace, versionName(name, version)) // as it is now
		applied.applied(by.Actor)
		c.versions.Put(tx, namespace, versionName(name, version), applied)
		tx.Record(entry(by, "workflow.activate", namespace, "workflow/"+name, map[string]any{"version": version, "before": before}))
		return nil
	})
	return before, position, err
}
