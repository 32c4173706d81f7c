package registry_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

type user struct {
	Name string `json:"name"`
}

// disk keeps objects as a store does. After tells what a write returns when it
// has been made.
type disk struct {
	objects map[store.ObjectID]store.Object
	entries []store.Entry
	batch   uint64
	before  error
	after   error
	// during is called once, before a write is done. If it ends ctx, the write
	// has an error and is done with the next one.
	during func()
	late   []store.Object
}

func (d *disk) Write(ctx context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	for _, o := range d.late {
		d.objects[o.ObjectID] = o
	}
	d.late = nil
	if d.during != nil {
		d.during()
		d.during = nil
	}
	if err := ctx.Err(); err != nil {
		d.late = slices.Clone(objects)
		return 0, err
	}
	if d.before != nil {
		return 0, d.before
	}
	for _, o := range objects {
		if have := d.objects[o.ObjectID].Revision; o.Revision != have+1 {
			return 0, &store.RevisionError{ID: o.ObjectID, Have: have, Want: o.Revision}
		}
	}
	d.batch++
	for _, o := range objects {
		o.Batch, o.At = d.batch, time.Unix(int64(d.batch), 0)
		d.objects[o.ObjectID] = o
	}
	d.entries = append(d.entries, entries...)
	return d.batch, d.after
}

func (d *disk) Object(_ context.Context, id store.ObjectID) (store.Object, error) {
	if o, there := d.objects[id]; there && !o.Deleted {
		return o, nil
	}
	return store.Object{}, store.ErrNotFound
}

func (d *disk) Objects(_ context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	var out []store.Object
	for id, o := range d.objects {
		if id.Kind == kind && !o.Deleted && id.Namespace+"/"+id.Name > after.Namespace+"/"+after.Name {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out[:min(len(out), limit)], nil
}

func open(t *testing.T, d *disk) (*registry.Registry, *registry.Table[user]) {
	t.Helper()
	if d.objects == nil {
		d.objects = map[store.ObjectID]store.Object{}
	}
	users := registry.NewTable[user]("user")
	r, err := registry.Open(t.Context(), d, d, users)
	if err != nil {
		t.Fatal(err)
	}
	return r, users
}

func put(t *testing.T, r *registry.Registry, users *registry.Table[user], name, text string) error {
	t.Helper()
	_, err := r.Update(t.Context(), func(tx *registry.Tx) error {
		users.Put(tx, "ns", name, user{Name: text})
		tx.Record(store.Entry{Action: "user.put", Object: "user/" + name})
		return nil
	})
	return err
}

func names(users *registry.Table[user]) string {
	var out []string
	for _, item := range users.All() {
		out = append(out, item.Name+"="+item.Value.Name)
	}
	return strings.Join(out, " ")
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	for _, name := range []string{"eve", "ada", "bob", "ada"} {
		if err := put(t, r, users, name, strings.ToUpper(name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(users); got != "ada=ADA bob=BOB eve=EVE" || len(d.entries) != 4 {
		t.Errorf("%s, %d entries", got, len(d.entries))
	}
	if item, _ := users.Item("ns", "ada"); item.Revision != 2 {
		t.Errorf("revision %d", item.Revision)
	}
	refused := errors.New("refused")
	if _, err := r.Update(t.Context(), func(tx *registry.Tx) error {
		users.Delete(tx, "ns", "ada")
		return refused
	}); !errors.Is(err, refused) || d.batch != 4 {
		t.Errorf("%v, batch %d", err, d.batch)
	}
	if len(users.List("other")) != 0 || len(users.List("ns")) != 3 {
		t.Error("lists of namespaces")
	}
	_, again := open(t, d)
	if names(again) != names(users) {
		t.Errorf("after opening again: %s", names(again))
	}
}

// TestCutShort: whoever goes away while their transaction is written leaves no
// doubt about what is stored to the next one.
func TestCutShort(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	d.during = cancel
	if _, err := r.Update(ctx, func(tx *registry.Tx) error {
		users.Put(tx, "ns", "ada", user{Name: "first"})
		return nil
	}); err != nil {
		t.Errorf("a write that is under way: %v", err)
	}
	if err := put(t, r, users, "bob", "x"); err != nil {
		t.Fatal(err)
	}
	if got := names(users); got != "ada=first bob=x" {
		t.Errorf("in memory %s", got)
	}
	if err := put(t, r, users, "ada", "second"); err != nil {
		t.Fatal(err)
	}
}

// TestDeleted: an object that was deleted, by this process or one before, can be
// written again.
func TestDeleted(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	remove := func(tx *registry.Tx) error {
		users.Delete(tx, "ns", "ada")
		users.Delete(tx, "ns", "nobody")
		return nil
	}
	for range 3 {
		if err := put(t, r, users, "ada", "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Update(t.Context(), remove); err != nil {
			t.Fatal(err)
		}
		if users.Len() != 0 {
			t.Fatalf("left: %s", names(users))
		}
	}
	r, users = open(t, d)
	if err := put(t, r, users, "ada", "again"); err != nil || names(users) != "ada=again" {
		t.Errorf("%v, %s", err, names(users))
	}
}

// TestOutcome: after a write of which nobody knows whether it happened, the
// next transaction sees what is stored.
func TestOutcome(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for name, fault := range map[string]disk{"not written": {before: lost}, "written": {after: lost}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &disk{}
			r, users := open(t, d)
			if err := put(t, r, users, "ada", "old"); err != nil {
				t.Fatal(err)
			}
			d.before, d.after = fault.before, fault.after
			if err := put(t, r, users, "ada", "new"); !errors.Is(err, lost) {
				t.Fatal(err)
			}
			if _, err := r.Update(t.Context(), func(tx *registry.Tx) error { users.Delete(tx, "ns", "ada"); return nil }); !errors.Is(err, lost) {
				t.Fatal(err)
			}
			d.before, d.after = nil, nil
			if err := put(t, r, users, "bob", "b"); err != nil {
				t.Fatal(err)
			}
			want := "ada=old bob=b"
			if name == "written" {
				want = "bob=b"
			}
			if got := names(users); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// Who waits for changes of a table is told once it shows them, also of one of
// which nobody knew at first whether it was made.
func TestChanged(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	told := func(changed <-chan struct{}) bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	changed := users.Changed()
	if _, err := r.Update(t.Context(), func(tx *registry.Tx) error { tx.Record(store.Entry{Action: "other"}); return nil }); err != nil || told(changed) {
		t.Error("told of nothing", err)
	}
	if err := put(t, r, users, "ada", "old"); err != nil || !told(changed) {
		t.Error("not told", err)
	}
	changed = users.Changed()
	d.after = errors.New("lost")
	if err := put(t, r, users, "ada", "new"); err == nil || told(changed) {
		t.Error("told of what nobody knows")
	}
	d.after = nil
	if _, err := r.Update(t.Context(), func(*registry.Tx) error { return nil }); err != nil || !told(changed) || names(users) != "ada=new" {
		t.Errorf("not told: %s, %v", names(users), err)
	}
	changed = users.Changed()
	if _, err := r.Update(t.Context(), func(tx *registry.Tx) error { users.Delete(tx, "ns", "ada"); return nil }); err != nil || !told(changed) {
		t.Error("not told of the end", err)
	}
}

// TestUnknownField: an object of a newer Regie is not read as if it were whole.
func TestUnknownField(t *testing.T) {
	t.Parallel()
	id := store.ObjectID{Kind: "user", Name: "ada"}
	d := &disk{objects: map[store.ObjectID]store.Object{id: {ObjectID: id, Revision: 1, Data: []byte(`{"name":"x","more":1}`)}}}
	if _, err := registry.Open(t.Context(), d, d, registry.NewTable[user]("user")); err == nil || !strings.Contains(err.Error(), "user /ada") {
		t.Errorf("%v", err)
	}
}

// When and where an object was written is known at once, and the same later.
func TestItemsHaveTheirTime(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	if err := put(t, r, users, "ada", "Ada"); err != nil {
		t.Fatal(err)
	}
	if err := put(t, r, users, "bob", "Bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Update(t.Context(), func(tx *registry.Tx) error {
		users.Delete(tx, "ns", "ada")
		users.Put(tx, "ns", "eve", user{Name: "Eve"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, later := open(t, d)
	for name, batch := range map[string]uint64{"bob": 2, "eve": 3} {
		item, _ := users.Item("ns", name)
		again, _ := later.Item("ns", name)
		if item.Position != batch || !item.At.Equal(time.Unix(int64(batch), 0)) || item != again {
			t.Errorf("%s: %v, and after a start %v", name, item, again)
		}
	}
}

// What belongs to a transaction from outside is in the same batch, and can
// refuse it.
func TestAlso(t *testing.T) {
	t.Parallel()
	d := &disk{}
	r, users := open(t, d)
	refused := errors.New("refused")
	ctx := registry.Also(t.Context(), func(tx *registry.Tx) error {
		if slices.Contains(tx.Names(), "eve") {
			return refused
		}
		users.Put(tx, "also", tx.Names()[0], user{Name: "also"})
		return nil
	})
	update := func(name string) (uint64, error) {
		return r.Update(ctx, func(tx *registry.Tx) error {
			users.Put(tx, "ns", name, user{Name: name})
			return nil
		})
	}
	if position, err := update("ada"); err != nil || position != 1 {
		t.Fatal(position, err)
	}
	if _, ok := users.Get("also", "ada"); !ok {
		t.Error("what was added is not there")
	}
	if _, err := update("eve"); !errors.Is(err, refused) || d.batch != 1 {
		t.Errorf("got %v after %d batches, want it refused", err, d.batch)
	}
}
