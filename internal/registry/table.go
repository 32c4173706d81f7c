package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// Item is an object with where it stands.
type Item[T any] struct {
	Namespace string // empty: it belongs to the installation
	Name      string
	// Value must not be changed: put a changed copy.
	Value    T
	Revision uint64
	// At is when it was written, in the batch Position.
	At       time.Time
	Position uint64
}

// Table holds the objects of one kind. T is stored as JSON; unknown fields are
// an error, so that an older Regie does not lose what a newer one wrote. Its
// methods but Put and Delete are safe for concurrent use.
type Table[T any] struct {
	name     string
	registry *Registry
	items    map[place]*Item[T]
	places   []place // sorted
	// gone are the revisions of deleted objects that somebody tried to write
	// again; most are never, and are not kept.
	gone map[place]uint64
	// changed, if somebody asked for it, is closed by the next change.
	changed chan struct{}
}

type place struct{ namespace, name string }

func comparePlaces(a, b place) int {
	if c := strings.Compare(a.namespace, b.namespace); c != 0 {
		return c
	}
	return strings.Compare(a.name, b.name)
}

// NewTable returns an empty table for objects of the kind, see [Open].
func NewTable[T any](kind string) *Table[T] {
	return &Table[T]{name: kind, items: map[place]*Item[T]{}, gone: map[place]uint64{}}
}

// Get finds an object.
func (t *Table[T]) Get(namespace, name string) (T, bool) {
	item, ok := t.Item(namespace, name)
	return item.Value, ok
}

// Item finds an object with where it stands.
func (t *Table[T]) Item(namespace, name string) (Item[T], bool) {
	t.registry.mu.RLock()
	defer t.registry.mu.RUnlock()
	if item := t.items[place{namespace, name}]; item != nil {
		return *item, true
	}
	return Item[T]{}, false
}

// Len is how many objects there are.
func (t *Table[T]) Len() int {
	t.registry.mu.RLock()
	defer t.registry.mu.RUnlock()
	return len(t.places)
}

// List returns the objects of a namespace in the order of names.
func (t *Table[T]) List(namespace string) []Item[T] {
	t.registry.mu.RLock()
	defer t.registry.mu.RUnlock()
	from, _ := slices.BinarySearchFunc(t.places, place{namespace, ""}, comparePlaces)
	var out []Item[T]
	for _, p := range t.places[from:] {
		if p.namespace != namespace {
			break
		}
		out = append(out, *t.items[p])
	}
	return out
}

// All returns all objects in the order of namespaces and names.
func (t *Table[T]) All() []Item[T] {
	t.registry.mu.RLock()
	defer t.registry.mu.RUnlock()
	out := make([]Item[T], 0, len(t.places))
	for _, p := range t.places {
		out = append(out, *t.items[p])
	}
	return out
}

// Changed returns a channel that is closed when an object is written or deleted,
// as soon as the table shows it: also when that turns out later, because nobody
// knew the outcome of the transaction.
func (t *Table[T]) Changed() <-chan struct{} {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// Put writes an object in a transaction of the table's registry.
func (t *Table[T]) Put(tx *Tx, namespace, name string, v T) {
	data, err := json.Marshal(v)
	if err != nil {
		tx.err = fmt.Errorf("encode %s %s/%s: %w", t.name, namespace, name, err)
		return
	}
	tx.write(store.Object{ObjectID: t.id(namespace, name), Revision: t.next(namespace, name), Data: data})
}

// Delete removes an object; one that is not there stays so.
func (t *Table[T]) Delete(tx *Tx, namespace, name string) {
	if _, there := t.Item(namespace, name); there {
		tx.write(store.Object{ObjectID: t.id(namespace, name), Revision: t.next(namespace, name), Deleted: true})
	}
}

func (t *Table[T]) id(namespace, name string) store.ObjectID {
	return store.ObjectID{Kind: t.name, Namespace: namespace, Name: name}
}

// next is the revision of the next write.
func (t *Table[T]) next(namespace, name string) uint64 {
	t.registry.mu.RLock()
	defer t.registry.mu.RUnlock()
	p := place{namespace, name}
	if item := t.items[p]; item != nil {
		return item.Revision + 1
	}
	return t.gone[p] + 1
}

func (t *Table[T]) kind() string     { return t.name }
func (t *Table[T]) join(r *Registry) { t.registry = r }

// missed is called within a transaction, while nobody else writes.
func (t *Table[T]) missed(id store.ObjectID, revision uint64) bool {
	t.registry.mu.Lock()
	defer t.registry.mu.Unlock()
	p := place{id.Namespace, id.Name}
	if t.items[p] != nil || t.gone[p] == revision {
		return false
	}
	t.gone[p] = revision
	return true
}

// set is called with the registry locked, or before anybody else has it.
func (t *Table[T]) set(o *store.Object) error {
	p := place{o.Namespace, o.Name}
	at, there := slices.BinarySearchFunc(t.places, p, comparePlaces)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
	if o.Deleted {
		if there {
			t.places = slices.Delete(t.places, at, at+1)
			delete(t.items, p)
		}
		return nil
	}
	item := &Item[T]{Namespace: o.Namespace, Name: o.Name, Revision: o.Revision, At: o.At, Position: o.Batch}
	decoder := json.NewDecoder(strings.NewReader(string(o.Data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&item.Value); err != nil {
		return fmt.Errorf("decode %s %s/%s: %w", t.name, o.Namespace, o.Name, err)
	}
	if !there {
		t.places = slices.Insert(t.places, at, p)
		delete(t.gone, p)
	}
	t.items[p] = item
	return nil
}
