package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// KindCached is the kind of objects that say where outputs are which may be used
// again. Their names are numbers: a namespace has [MaxCached] places, which are
// filled again, and objects that are never deleted.
const KindCached = "cached"

// MaxCached is how many outputs a namespace keeps; beyond it, the oldest go.
const MaxCached = 4096

// Cached says where an output is.
type Cached struct {
	Namespace string      `json:"-"`
	Key       string      `json:"key,omitempty"` // empty: the place is free
	Workflow  string      `json:"workflow,omitempty"`
	Run       store.RunID `json:"run,omitempty"`
	Path      string      `json:"path,omitempty"`
	// Act is the activation whose output it is.
	Act engine.ActID `json:"act,omitempty"`
	// Event is the number of the event that has the output, and First that of
	// the first event of its record.
	Event uint64    `json:"event,omitempty"`
	First uint64    `json:"first,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Until is when it expires; zero: when its place is needed.
	Until time.Time `json:"until,omitzero"`
}

// cache is what is known of outputs, by namespace.
type cache map[string]*shelf

// shelf is the places of a namespace.
type shelf struct {
	places []Cached
	byKey  map[string]int
	free   []int // places that were cleared
}

func newCache(stored []store.Object) (cache, error) {
	c := cache{}
	for i := range stored {
		o := &stored[i]
		if o.Kind != KindCached {
			continue
		}
		var place int
		var data Cached
		if _, err := fmt.Sscanf(o.Name, "%05d", &place); err != nil || place < 0 || place >= MaxCached {
			return nil, fmt.Errorf("read %s %s/%s: it has no place", o.Kind, o.Namespace, o.Name)
		}
		if err := json.Unmarshal(o.Data, &data); err != nil {
			return nil, fmt.Errorf("read %s %s/%s: %w", o.Kind, o.Namespace, o.Name, err)
		}
		s := c.of(o.Namespace)
		for len(s.places) <= place {
			s.places = append(s.places, Cached{})
		}
		if s.places[place] = data; data.Key != "" {
			s.byKey[data.Key] = place
		}
	}
	for _, s := range c {
		for place := range s.places {
			if s.places[place].Key == "" {
				s.free = append(s.free, place)
			}
		}
	}
	return c, nil
}

func (c cache) of(namespace string) *shelf {
	s := c[namespace]
	if s == nil {
		s = &shelf{byKey: map[string]int{}}
		c[namespace] = s
	}
	return s
}

// clear empties a place that is filled.
func (s *shelf) clear(place int) {
	delete(s.byKey, s.places[place].Key)
	s.places[place] = Cached{}
	s.free = append(s.free, place)
}

// put fills a place: where the key was, a free one, or that of the oldest.
func (s *shelf) put(data Cached) (place int) {
	place, there := s.byKey[data.Key]
	switch {
	case there:
	case len(s.free) > 0:
		place = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
	case len(s.places) < MaxCached:
		place = len(s.places)
		s.places = append(s.places, Cached{})
	default:
		for i := range s.places {
			if s.places[i].At.Before(s.places[place].At) {
				place = i
			}
		}
		delete(s.byKey, s.places[place].Key)
	}
	s.places[place], s.byKey[data.Key] = data, place
	return place
}

// find returns an output that is good now.
func (s *shelf) find(key string, now time.Time) (Cached, bool) {
	place, ok := s.byKey[key]
	if !ok {
		return Cached{}, false
	}
	found := s.places[place]
	return found, found.Until.IsZero() || now.Before(found.Until)
}

// keepCached notes where an output is, in the batch that has it.
func (r *Reactor) keepCached(l *live, c engine.KeepCached, first uint64) {
	data := Cached{
		Key: c.Key, Workflow: l.row.Workflow, Run: l.id, Path: c.Path, Act: c.Act, Event: c.Event, First: first, At: r.now,
	}
	if c.For > 0 {
		data.Until = r.now.Add(c.For)
	}
	r.keepPlace(l.row.Namespace, r.cache.of(l.row.Namespace).put(data), data)
}

func (r *Reactor) keepPlace(namespace string, place int, data Cached) {
	r.keep(store.ObjectID{Kind: KindCached, Namespace: namespace, Name: fmt.Sprintf("%05d", place)}, data)
}

// Recall asks for an output of an earlier run. The answer is Outside.
type Recall struct {
	Run  store.RunID
	Act  engine.ActID
	Wait uint64
	From Cached
}

func (Recall) effect() {}

// recall looks for an output of a key.
func (r *Reactor) recall(l *live, c *engine.Await) {
	q := Recall{Run: l.id, Act: c.Act, Wait: c.Awaits.ID}
	if s := r.cache[l.row.Namespace]; s != nil {
		if found, good := s.find(c.Awaits.Name, r.now); good {
			q.From = found
			// What it names may be in a batch that is not on disk yet.
			r.building.after(l.id, q)
			return
		}
	}
	r.do(Post{Message: q.answer(value.Undefined)})
}

// answer tells the run what was found; undefined is nothing.
func (q *Recall) answer(v value.Value) Outside {
	return Outside{Run: q.Run, In: engine.Happened{Act: q.Act, Wait: q.Wait, Output: v, Missed: v.IsUndefined()}}
}

// Read reads the output from the run that has it. What was erased, removed or
// cannot be read is not there.
func (q *Recall) Read(ctx context.Context, s store.Reader) (Outside, error) {
	var record store.Record
	for first, err := range s.Events(ctx, q.From.Run, q.From.First) {
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		if err != nil {
			return q.answer(value.Undefined), err
		}
		record = first
		break
	}
	if record.First != q.From.First || len(record.Payload) == 0 {
		return q.answer(value.Undefined), nil
	}
	events, err := engine.DecodeEvents(record.Control, record.Payload)
	at := q.From.Event - q.From.First
	if err != nil || at >= uint64(len(events)) || events[at].Kind != engine.EvEnded || events[at].Act != q.From.Act {
		return q.answer(value.Undefined), err
	}
	return q.answer(events[at].Output), nil
}

// recall answers in the pool.
func (s *Service) recall(q Recall) {
	s.clock.Begin()
	job := func() {
		ctx, cancel := context.WithTimeout(context.Background(), CommitTimeout)
		defer cancel()
		answer, err := q.Read(ctx, s.cfg.Store)
		if err != nil {
			s.log.Warn("an earlier output cannot be read and is made again", "run", q.From.Run, "step", q.From.Path, "error", err)
		}
		s.box.Post(answer)
		s.clock.End()
	}
	if s.cfg.Inline {
		job()
		return
	}
	s.pool.do(job)
}

// LookCache lists the outputs that a namespace keeps.
type LookCache struct {
	Namespace string
	Caller    Caller
}

// ClearCache forgets outputs of a namespace, those of one workflow if it is named.
type ClearCache struct {
	Namespace, Workflow string
	Entries             []store.Entry
	Caller              Caller
}

func (LookCache) message()  {}
func (ClearCache) message() {}

func (r *Reactor) lookCache(m LookCache) {
	var list []Cached
	if s := r.cache[m.Namespace]; s != nil {
		for _, c := range s.places {
			if c.Key != "" && (c.Until.IsZero() || r.now.Before(c.Until)) {
				c.Namespace = m.Namespace
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, func(a, b Cached) int {
		if n := b.At.Compare(a.At); n != 0 {
			return n
		}
		return strings.Compare(a.Key, b.Key)
	})
	r.building.after("", Reply{Caller: m.Caller, Seen: list})
}

func (r *Reactor) clearCache(m ClearCache) {
	cleared := 0
	if s := r.cache[m.Namespace]; s != nil {
		for place := range s.places {
			if c := &s.places[place]; c.Key != "" && (m.Workflow == "" || c.Workflow == m.Workflow) {
				s.clear(place)
				r.keepPlace(m.Namespace, place, Cached{})
				cleared++
			}
		}
	}
	for i := range m.Entries {
		r.building.entries = append(r.building.entries, entry{Entry: m.Entries[i], caller: m.Caller})
	}
	r.building.after("", Reply{Caller: m.Caller, Seen: cleared})
}

// Cache lists the outputs that a namespace keeps for steps of the same key, the
// newest first.
func (s *Service) Cache(ctx context.Context, namespace string) ([]Cached, error) {
	reply, err := s.call(ctx, func(c Caller) Message { return LookCache{Namespace: namespace, Caller: c} })
	list, _ := reply.Seen.([]Cached)
	return list, err
}

// ClearCache forgets outputs of a namespace, those of one workflow if it is named,
// and returns how many there were. The entries are committed with it.
func (s *Service) ClearCache(ctx context.Context, namespace, workflow string, entries []store.Entry) (cleared int, position uint64, err error) {
	reply, err := s.call(ctx, func(c Caller) Message {
		return ClearCache{Namespace: namespace, Workflow: workflow, Entries: entries, Caller: c}
	})
	cleared, _ = reply.Seen.(int)
	return cleared, reply.Position, err
}
