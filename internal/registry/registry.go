package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/regie-dev/regie/internal/store"
)

// Committer writes objects and entries in one batch and returns its sequence
// once it is durable. Errors: those that say that nothing was written, and
// others, after which nobody knows.
type Committer interface {
	Write(ctx context.Context, objects []store.Object, entries []store.Entry) (uint64, error)
}

// Reader is what a registry reads from the store.
type Reader interface {
	Object(ctx context.Context, id store.ObjectID) (store.Object, error)
	Objects(ctx context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error)
}

// readPage is how many objects are read at once.
const readPage = 500

// Registry changes objects. Safe for concurrent use.
type Registry struct {
	store  Reader
	commit Committer
	tables map[string]AnyTable

	writing sync.Mutex   // one transaction at a time
	mu      sync.RWMutex // guards what the tables hold
	// stale are objects of a transaction whose outcome nobody knows: they are
	// read again before the next one. Guarded by writing.
	stale []store.ObjectID
}

// AnyTable is a [Table] of any type.
type AnyTable interface {
	kind() string
	join(r *Registry)
	// set takes in what is stored.
	set(o *store.Object) error
	// missed takes in the revision of an object that is not there any more, and
	// says whether that is news.
	missed(id store.ObjectID, revision uint64) bool
}

// Open reads the tables. Each belongs to this registry from then on.
func Open(ctx context.Context, s Reader, c Committer, tables ...AnyTable) (*Registry, error) {
	r := &Registry{store: s, commit: c, tables: make(map[string]AnyTable, len(tables))}
	for _, t := range tables {
		if r.tables[t.kind()] != nil {
			return nil, fmt.Errorf("open registry: two tables of kind %s", t.kind())
		}
		r.tables[t.kind()] = t
		t.join(r)
		if err := r.load(ctx, t); err != nil {
			return nil, fmt.Errorf("read objects of kind %s: %w", t.kind(), err)
		}
	}
	return r, nil
}

func (r *Registry) load(ctx context.Context, t AnyTable) error {
	after := store.ObjectID{Kind: t.kind()}
	for {
		page, err := r.store.Objects(ctx, t.kind(), after, readPage)
		if err != nil {
			return err
		}
		for i := range page {
			if err := t.set(&page[i]); err != nil {
				return err
			}
			after = page[i].ObjectID
		}
		if len(page) < readPage {
			return nil
		}
	}
}

// Tx is a transaction.
type Tx struct {
	objects []store.Object
	entries []store.Entry
	index   map[store.ObjectID]int
	err     error
}

// alsoKey is where a context has what belongs to its transactions.
type alsoKey struct{}

// Also lets transactions under the context do something more at their end, in
// the same batch: whoever calls a service that changes objects adds its own. An
// error of it is that of the transaction. It may be called again for the same
// transaction.
func Also(ctx context.Context, also func(tx *Tx) error) context.Context {
	return context.WithValue(ctx, alsoKey{}, also)
}

// Names are the names of the objects written so far, in order.
func (tx *Tx) Names() []string {
	names := make([]string, len(tx.objects))
	for i := range tx.objects {
		names[i] = tx.objects[i].Name
	}
	return names
}

// Record adds entries to the audit log, in order.
func (tx *Tx) Record(entries ...store.Entry) { tx.entries = append(tx.entries, entries...) }

func (tx *Tx) write(o store.Object) {
	if i, again := tx.index[o.ObjectID]; again {
		tx.objects[i] = o
		return
	}
	if tx.index == nil {
		tx.index = map[store.ObjectID]int{}
	}
	tx.index[o.ObjectID] = len(tx.objects)
	tx.objects = append(tx.objects, o)
}

// Update runs a transaction and returns its position, the batch in which it is,
// once it is durable. An error of change is returned as it is and nothing
// happens. A change that puts and records nothing commits nothing and has
// position 0. What change reads from tables is what was before it: its own
// writes are not seen. The end of ctx does not cut the commit short: the next
// transaction would read what this one is about to change.
func (r *Registry) Update(ctx context.Context, change func(tx *Tx) error) (uint64, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.refresh(ctx); err != nil {
		return 0, err
	}
	for again := 0; ; again++ {
		tx := &Tx{}
		if err := change(tx); err != nil {
			return 0, err
		}
		if also, ok := ctx.Value(alsoKey{}).(func(*Tx) error); ok {
			if err := also(tx); err != nil {
				return 0, err
			}
		}
		if tx.err != nil {
			return 0, tx.err
		}
		if len(tx.objects) == 0 && len(tx.entries) == 0 {
			return 0, nil
		}
		position, err := r.commit.Write(context.WithoutCancel(ctx), tx.objects, tx.entries)
		if err == nil {
			r.date(ctx, tx.objects, position)
			return position, r.apply(tx.objects)
		}
		// An object that was deleted once goes on counting its revisions, which
		// only the store remembers.
		var revision *store.RevisionError
		if errors.As(err, &revision) && again < len(tx.objects) && r.tables[revision.ID.Kind].missed(revision.ID, revision.Have) {
			continue
		}
		for i := range tx.objects {
			r.stale = append(r.stale, tx.objects[i].ObjectID)
		}
		return 0, err
	}
}

// Record adds entries to the audit log, beside whatever transaction runs, and
// returns once they are durable.
func (r *Registry) Record(ctx context.Context, entries ...store.Entry) (uint64, error) {
	return r.commit.Write(ctx, nil, entries)
}

// date says of objects when they were written, which the batch has for all of
// them. It is for showing: if it cannot be read, they have none until the next
// start.
func (r *Registry) date(ctx context.Context, objects []store.Object, position uint64) {
	there := slices.IndexFunc(objects, func(o store.Object) bool { return !o.Deleted })
	if there < 0 {
		return
	}
	written, _ := r.store.Object(context.WithoutCancel(ctx), objects[there].ObjectID)
	for i := range objects {
		objects[i].Batch, objects[i].At = position, written.At
	}
}

func (r *Registry) apply(objects []store.Object) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range objects {
		if err := r.tables[objects[i].Kind].set(&objects[i]); err != nil {
			return err
		}
	}
	return nil
}

// refresh reads the objects again of which nobody knows what is stored.
func (r *Registry) refresh(ctx context.Context) error {
	for len(r.stale) > 0 {
		id := r.stale[len(r.stale)-1]
		o, err := r.store.Object(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			o, err = store.Object{ObjectID: id, Deleted: true}, nil
		}
		if err != nil {
			return fmt.Errorf("read %s %s/%s again: %w", id.Kind, id.Namespace, id.Name, err)
		}
		if err := r.apply([]store.Object{o}); err != nil {
			return err
		}
		r.stale = r.stale[:len(r.stale)-1]
	}
	return nil
}
