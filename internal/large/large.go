package large

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds.
const (
	// PartBytes is about how many bytes of JSON a part of a list has.
	PartBytes = engine.PartBytes
	// MaxNested is how deep references may lie in what references stand for.
	MaxNested = 32
	// levels is how deep large members and items are looked for, to be put away by
	// themselves.
	levels = 3
	// memoryFactor is how many bytes of memory a byte of JSON takes while it is
	// read, about.
	memoryFactor = 4
	// DefaultMemory is that of [Config].
	DefaultMemory = 1 << 30
	// maxParts is how many parts that were read last are remembered, of as much
	// memory as is in Memory/partsShare at most.
	maxParts   = 16
	partsShare = 16
	// maxPrepared bounds the memory that is taken before anything is read.
	maxPrepared = 256 << 20
	// tries is how often a blob is read, or written, that cannot be.
	tries = 3
)

// Config configures a store. Blobs is needed.
type Config struct {
	Blobs blob.Store
	// Memory bounds what is read at once, in bytes; 0: [DefaultMemory]. What
	// needs more alone is read alone. A sixteenth of it beside that is for parts
	// that were read last.
	Memory int64
}

// Store keeps large values. Safe for concurrent use.
type Store struct {
	cfg Config

	mu    sync.Mutex
	freed *sync.Cond
	used  int64
	// asked counts those who asked for memory, served those who got it.
	asked, served uint64
	parts         []part // read last, the oldest first
	bytes         int64  // that they take
}

// part is a part of a list that was read.
type part struct {
	run, sum string
	items    value.Value
	bytes    int64 // in memory
}

var _ engine.Values = (*Store)(nil)

// New returns a store.
func New(cfg Config) *Store {
	if cfg.Memory <= 0 {
		cfg.Memory = DefaultMemory
	}
	s := &Store{cfg: cfg}
	s.freed = sync.NewCond(&s.mu)
	return s
}

// Reserve implements [engine.Values].
func (s *Store) Reserve(size int64) (release func()) {
	need := min(size*memoryFactor, s.cfg.Memory)
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.asked // who came first is served first: what needs much is not passed over for good
	s.asked++
	for s.served != turn || s.used+need > s.cfg.Memory {
		s.freed.Wait()
	}
	s.served++
	s.used += need
	s.freed.Broadcast()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.used -= need
		s.freed.Broadcast()
	}
}

// Keep implements [engine.Values].
func (s *Store) Keep(run string, v value.Value) (value.Value, error) { return s.keep(run, v, levels) }

func (s *Store) keep(run string, v value.Value, depth int) (value.Value, error) {
	if v.Size() <= engine.MaxInline {
		return v, nil
	}
	var err error
	if depth > 0 {
		if v, err = s.keepInside(run, v, depth-1); err != nil || v.Size() <= engine.MaxInline {
			return v, err
		}
	}
	switch v.Kind() {
	case value.KindList:
		return s.KeepList(run, v)
	case value.KindObject, value.KindString:
		return s.put(run, v)
	}
	return v, nil // a number of very many digits
}

// keepInside puts members and items away that are large by themselves.
func (s *Store) keepInside(run string, v value.Value, depth int) (value.Value, error) {
	switch v.Kind() {
	case value.KindList:
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			var err error
			if items[i], err = s.keep(run, item, depth); err != nil {
				return v, err
			}
		}
		return value.List(items...), nil
	case value.KindObject:
		members := make([]value.Member, v.Len())
		for i, m := range v.Members() {
			kept, err := s.keep(run, m.Value, depth)
			if err != nil {
				return v, err
			}
			members[i] = value.M(m.Key, kept)
		}
		return value.Object(members...), nil
	}
	return v, nil
}

// KeepList implements [engine.Values]: in parts if it is long.
func (s *Store) KeepList(run string, v value.Value) (value.Value, error) {
	p := Parts{Store: s, Run: run}
	for _, item := range v.Items() {
		if err := p.Add(item); err != nil {
			return v, err
		}
	}
	return p.End()
}

// put puts one value away.
func (s *Store) put(run string, v value.Value) (value.Value, error) {
	return s.write(run, v.AppendStored(nil), value.Ref{Size: sizeOf(v), Kind: v.Kind(), Len: v.Len()})
}

func (s *Store) write(run string, text []byte, r value.Ref) (value.Value, error) {
	var kept blob.Ref
	var err error
	for range tries {
		if kept, err = s.cfg.Blobs.Put(context.Background(), run, bytes.NewReader(text)); err == nil {
			break
		}
	}
	if err != nil {
		return value.Undefined, fmt.Errorf("put a large value away: %w", err)
	}
	r.SHA256, r.Size = kept.SHA256, r.Size+kept.Size
	return value.Reference(r), nil
}

// sizeOf is how many bytes references in a value stand for.
func sizeOf(v value.Value) int64 {
	total := int64(0)
	for _, r := range v.Refs(nil) {
		total += r.Size
	}
	return total
}

// Parts writes a list item by item. Store and Run are needed.
type Parts struct {
	Store *Store
	Run   string

	text  []byte // of the part in hand
	count int
	inner int64 // bytes that references in the part stand for
	parts []value.Value
	all   int
	size  int64
}

// Add adds an item. A reference to what lies inside of something is read.
func (p *Parts) Add(item value.Value) error {
	if item.HasRef() {
		var err error
		if item, err = item.Resolve(func(r value.Ref) (value.Value, error) {
			if len(r.Path) == 0 {
				return value.Reference(r), nil
			}
			return p.Store.inside(p.Run, r, MaxNested)
		}); err != nil {
			return err
		}
	}
	p.text = append(p.text, "[,"[min(p.count, 1)])
	p.text = item.AppendStored(p.text)
	p.count++
	p.inner += sizeOf(item)
	if len(p.text) >= PartBytes {
		return p.flush()
	}
	return nil
}

// flush puts the part in hand away.
func (p *Parts) flush() error {
	v, err := p.Store.write(p.Run, append(p.text, ']'), value.Ref{Size: p.inner, Kind: value.KindList, Len: p.count})
	if err != nil {
		return err
	}
	r, _ := v.Ref()
	p.parts = append(p.parts, v)
	p.all += p.count
	p.size += r.Size
	p.text, p.count, p.inner = p.text[:0], 0, 0
	return nil
}

// End returns the list.
func (p *Parts) End() (value.Value, error) {
	if p.count > 0 || p.all == 0 {
		if p.count == 0 {
			return value.List(), nil
		}
		if err := p.flush(); err != nil {
			return value.Undefined, err
		}
	}
	if len(p.parts) == 1 {
		return p.parts[0], nil
	}
	return p.Store.write(p.Run, value.List(p.parts...).AppendStored(nil),
		value.Ref{Size: p.size, Kind: value.KindList, Len: p.all, Parts: true})
}

// Load implements [engine.Values].
func (s *Store) Load(run string, r value.Ref) (value.Value, error) {
	v, err := s.load(run, r, MaxNested)
	if err != nil {
		return value.Undefined, fmt.Errorf("read a large value: %w", err)
	}
	return v, nil
}

// Whole returns a value of a run with what its references stand for. It waits
// until there is room for it.
func (s *Store) Whole(run string, v value.Value) (value.Value, error) {
	if !v.HasRef() {
		return v, nil
	}
	defer s.Reserve(sizeOf(v))()
	return v.Resolve(func(r value.Ref) (value.Value, error) { return s.Load(run, r) })
}

func (s *Store) load(run string, r value.Ref, nested int) (value.Value, error) {
	if nested == 0 {
		return value.Undefined, fmt.Errorf("references lie in each other more than %d deep", MaxNested)
	}
	if r.Run != "" {
		run = r.Run
	}
	inner := func(r value.Ref) (value.Value, error) { return s.load(run, r, nested-1) }
	if len(r.Path) > 0 && r.Parts {
		return s.item(run, r, inner)
	}
	if r.Parts {
		return s.join(run, r, inner)
	}
	read := func() (value.Value, error) { return s.read(run, r.SHA256, r.Size) }
	if len(r.Path) > 0 && r.Kind == value.KindList { // its other items are asked for as well
		read = func() (value.Value, error) { return s.remembered(run, r.SHA256) }
	}
	v, err := read()
	if err != nil {
		return value.Undefined, err
	}
	return resolve(v, r.Path, inner)
}

// readAll reads to the end, where what is read is compared with its name.
func readAll(r io.Reader, size int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(size, maxPrepared)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// resolve follows a path, and puts in what references stand for.
func resolve(v value.Value, path []string, inner func(value.Ref) (value.Value, error)) (value.Value, error) {
	for _, step := range path {
		v = v.Within(step)
	}
	return v.Resolve(inner)
}

// inside reads what lies inside of something. What is a reference there stays
// one, if it is to what the run has.
func (s *Store) inside(run string, r value.Ref, nested int) (value.Value, error) {
	if r.Run != "" || r.Parts || r.Kind != value.KindList || nested == 0 {
		return s.Load(run, r)
	}
	v, err := s.remembered(run, r.SHA256)
	if err != nil {
		return value.Undefined, fmt.Errorf("read a large value: %w", err)
	}
	for _, step := range r.Path {
		v = v.Within(step)
	}
	return v.Resolve(func(r value.Ref) (value.Value, error) {
		if r.Run == "" && len(r.Path) == 0 {
			return value.Reference(r), nil
		}
		return s.inside(run, r, nested-1)
	})
}

// join makes one list of its parts.
func (s *Store) join(run string, r value.Ref, inner func(value.Ref) (value.Value, error)) (value.Value, error) {
	index, err := s.read(run, r.SHA256, 0)
	if err != nil {
		return value.Undefined, err
	}
	items := make([]value.Value, 0, r.Len)
	for _, p := range index.Items() {
		of, _ := p.Ref()
		list, err := s.read(run, of.SHA256, of.Size)
		if err != nil {
			return value.Undefined, err
		}
		if list, err = list.Resolve(inner); err != nil {
			return value.Undefined, err
		}
		items = append(items, list.Items()...)
	}
	return value.List(items...), nil
}

// item reads what lies in one item of a list in parts.
func (s *Store) item(run string, r value.Ref, inner func(value.Ref) (value.Value, error)) (value.Value, error) {
	i, no := strconv.Atoi(r.Path[0])
	if no != nil {
		i = -1 // a list has no such item
	}
	index, err := s.remembered(run, r.SHA256)
	if err != nil {
		return value.Undefined, err
	}
	for _, p := range index.Items() {
		of, _ := p.Ref()
		if i >= of.Len {
			i -= of.Len
			continue
		}
		list, err := s.remembered(run, of.SHA256)
		if err != nil {
			return value.Undefined, err
		}
		return resolve(list.At(i), r.Path[1:], inner)
	}
	return value.Undefined, nil
}

// remembered reads a part, or the list of the parts, unless it was read lately.
func (s *Store) remembered(run, sum string) (value.Value, error) {
	s.mu.Lock()
	for i, p := range s.parts {
		if p.run == run && p.sum == sum {
			s.parts = append(slices.Delete(s.parts, i, i+1), p)
			s.mu.Unlock()
			return p.items, nil
		}
	}
	s.mu.Unlock()
	v, err := s.read(run, sum, 0)
	if err != nil {
		return value.Undefined, err
	}
	s.remember(part{run: run, sum: sum, items: v, bytes: int64(v.Size())})
	return v, nil
}

// remember keeps a part in mind, and forgets the oldest for it. One that is too
// large for that is not kept.
func (s *Store) remember(p part) {
	room := s.cfg.Memory / partsShare
	if p.bytes > room {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.parts) >= maxParts || s.bytes+p.bytes > room {
		s.bytes -= s.parts[0].bytes
		s.parts = slices.Delete(s.parts, 0, 1)
	}
	s.parts = append(s.parts, p)
	s.bytes += p.bytes
}

// read reads a blob of about so many bytes, 0: of few. What fails for another
// reason than what is stored is tried again.
func (s *Store) read(run, sum string, size int64) (v value.Value, err error) {
	for try := 1; ; try++ {
		v, err = s.readOnce(run, sum, size)
		if err == nil || try == tries || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrDamaged) {
			return v, err
		}
	}
}

func (s *Store) readOnce(run, sum string, size int64) (value.Value, error) {
	r, err := s.cfg.Blobs.Open(run, sum)
	if err != nil {
		return value.Undefined, err
	}
	text, err := readAll(r, size)
	if err := errors.Join(err, r.Close()); err != nil {
		return value.Undefined, err
	}
	var v value.Value
	if err := v.UnmarshalJSON(text); err != nil {
		return value.Undefined, fmt.Errorf("blob %s of run %s: %w: %w", sum, run, blob.ErrDamaged, err)
	}
	return v, nil
}
