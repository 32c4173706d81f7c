package simstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/store"
)

// Object reads an object.
func (s *Store) Object(ctx context.Context, id store.ObjectID) (store.Object, error) {
	o, _, err := s.object(ctx, id)
	if err == nil && (o.Revision == 0 || o.Deleted) {
		err = fmt.Errorf("%w: %s %s/%s", store.ErrNotFound, id.Kind, id.Namespace, id.Name)
	}
	return o.Object, err
}

// object reads an object, deleted or not, and the leaf of its batch; the zero
// object if there is none.
func (s *Store) object(ctx context.Context, id store.ObjectID) (o object, leaf store.Leaf, err error) {
	if err := s.lock(ctx); err != nil {
		return object{}, store.Leaf{}, err
	}
	defer s.unlock()
	o, there := s.disk.objects[id]
	if !there {
		return object{}, store.Leaf{}, nil
	}
	o.Data = none(slices.Clone(o.Data))
	if leaf, err = s.disk.leaf(o.Batch); err != nil {
		return object{}, store.Leaf{}, err
	}
	return o, leaf, nil
}

// Objects lists the objects of a kind.
func (s *Store) Objects(ctx context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	after.Kind = kind
	var out []store.Object
	for _, id := range s.disk.objectIDs(kind) {
		if o := s.disk.objects[id].Object; !o.Deleted && compareObjects(id, after) > 0 && len(out) < store.LimitOf(limit) {
			o.Data = none(slices.Clone(o.Data))
			out = append(out, o)
		}
	}
	return out, nil
}

// objectIDs are the IDs of all objects of a kind, or of all kinds, in order.
func (d *Disk) objectIDs(kind string) []store.ObjectID {
	ids := slices.SortedFunc(maps.Keys(d.objects), compareObjects)
	return slices.DeleteFunc(ids, func(id store.ObjectID) bool { return kind != "" && id.Kind != kind })
}

func compareObjects(a, b store.ObjectID) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// Entries lists the entries that match.
func (s *Store) Entries(ctx context.Context, q store.EntryQuery) ([]store.Entry, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	var out []store.Entry
	for _, e := range s.disk.entries {
		if q.Matches(&e.Entry) && e.ID.Compare(q.After) > 0 && (q.Before == store.EntryID{} || e.ID.Compare(q.Before) < 0) {
			e.Detail = none(slices.Clone(e.Detail))
			out = append(out, e.Entry)
		}
	}
	if !q.OldestFirst {
		slices.Reverse(out)
	}
	return out[:min(store.LimitOf(q.Limit), len(out))], nil
}

// RecordEvidence finds a record in the log.
func (s *Store) RecordEvidence(ctx context.Context, run store.RunID, first uint64) (store.Record, store.Evidence, error) {
	if err := s.lock(ctx); err != nil {
		return store.Record{}, store.Evidence{}, err
	}
	defer s.unlock()
	for i := range s.disk.records[run] {
		r := &s.disk.records[run][i]
		if r.First != first {
			continue
		}
		leaf, err := s.disk.leaf(r.Batch)
		if err == nil {
			err = s.disk.check(r)
		}
		if err != nil {
			return store.Record{}, store.Evidence{}, err
		}
		e, err := leaf.RecordEvidence(&r.Record, r.position, r.commitment, r.salt)
		return r.copied(), e, err
	}
	return store.Record{}, store.Evidence{}, fmt.Errorf("%w: run %s, record from event %d", store.ErrNotFound, run, first)
}

// ObjectEvidence finds an object in the log.
func (s *Store) ObjectEvidence(ctx context.Context, id store.ObjectID) (store.Object, store.Evidence, error) {
	o, leaf, err := s.object(ctx, id)
	if err == nil && o.Revision == 0 {
		err = fmt.Errorf("%w: %s %s/%s", store.ErrNotFound, id.Kind, id.Namespace, id.Name)
	}
	if err != nil {
		return store.Object{}, store.Evidence{}, err
	}
	e, err := leaf.ObjectEvidence(&o.Object, o.salt)
	return o.Object, e, err
}

// EntryEvidence finds an entry in the log.
func (s *Store) EntryEvidence(ctx context.Context, id store.EntryID) (store.Entry, store.Evidence, error) {
	if err := s.lock(ctx); err != nil {
		return store.Entry{}, store.Evidence{}, err
	}
	defer s.unlock()
	has := s.disk.entry(id)
	if has == nil {
		return store.Entry{}, store.Evidence{}, fmt.Errorf("%w: entry %s", store.ErrNotFound, id)
	}
	leaf, err := s.disk.leaf(id.Batch)
	if err != nil {
		return store.Entry{}, store.Evidence{}, err
	}
	out := has.Entry
	out.Detail = none(slices.Clone(out.Detail))
	e, err := leaf.EntryEvidence(&out, has.salt)
	return out, e, err
}

// leaf is the leaf of a batch that must be there.
func (d *Disk) leaf(sequence uint64) (store.Leaf, error) {
	if sequence == 0 || sequence > d.last() {
		return store.Leaf{}, fmt.Errorf("%w: there is no batch %d", store.ErrCorrupt, sequence)
	}
	return d.batches[sequence-1].leaf, nil
}
