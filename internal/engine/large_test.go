package engine_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// shelf keeps the large values of runs, in memory. Lists counts those that were
// put away item by item.
type shelf struct {
	blobs map[string][]byte
	lists int
}

func newShelf() *shelf { return &shelf{blobs: map[string][]byte{}} }

// Reserve implements engine.Values.
func (*shelf) Reserve(int64) (release func()) { return func() {} }

// Keep implements engine.Values: large members by themselves, all else whole.
func (s *shelf) Keep(run string, v value.Value) (value.Value, error) {
	if v.Size() <= engine.MaxInline {
		return v, nil
	}
	members := make([]value.Member, v.Len())
	for i, m := range v.Members() {
		kept, err := s.Keep(run, m.Value)
		if err != nil {
			return v, err
		}
		members[i] = value.M(m.Key, kept)
	}
	if v.Kind() == value.KindObject {
		return value.Object(members...), nil
	}
	return s.put(run, v), nil
}

// KeepList implements engine.Values.
func (s *shelf) KeepList(run string, list value.Value) (value.Value, error) {
	s.lists++
	parts := map[string]value.Value{}
	whole, err := list.Resolve(func(r value.Ref) (value.Value, error) {
		if len(r.Path) == 0 {
			return value.Reference(r), nil
		}
		path := r.Path
		if parts[r.SHA256].IsUndefined() {
			r.Path = nil
			part, err := s.Load(run, r)
			if err != nil {
				return part, err
			}
			parts[r.SHA256] = part
		}
		v := parts[r.SHA256]
		for _, step := range path {
			v = v.Within(step)
		}
		return v, nil
	})
	return s.put(run, whole), err
}

func (s *shelf) put(run string, v value.Value) value.Value {
	text := v.AppendStored(nil)
	sum := sha256.Sum256(text)
	r := value.Ref{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Kind: v.Kind(), Len: v.Len()}
	s.blobs[run+"/"+r.SHA256] = text
	return value.Reference(r)
}

// Load implements engine.Values.
func (s *shelf) Load(run string, r value.Ref) (value.Value, error) {
	if r.Run != "" {
		run = r.Run
	}
	text, ok := s.blobs[run+"/"+r.SHA256]
	if !ok {
		return value.Undefined, fmt.Errorf("read a large value: blob %.8s of run %s: blob not found", r.SHA256, run)
	}
	var v value.Value
	if err := v.UnmarshalJSON(text); err != nil {
		return v, err
	}
	for _, step := range r.Path {
		v = v.Within(step)
	}
	return v.Resolve(func(inner value.Ref) (value.Value, error) { return s.Load(run, inner) })
}

// large makes a large value of the script's run, or with "of RUN" of another one: a
// list of 3000 texts, a text, an object with both and a small member, a text of
// 100 kB, which is not large, or a list of three of them.
func (s *shelf) large(what string) value.Value {
	what, run, other := strings.Cut(what, " of ")
	if !other {
		run = "r"
	}
	items := make([]value.Value, 3000)
	for i := range items {
		items[i] = value.String(strings.Repeat("a", 80) + fmt.Sprint(i))
	}
	medium := value.String(strings.Repeat("c", 100_000))
	v := map[string]value.Value{
		"list": value.List(items...), "text": value.String(strings.Repeat("b", 300_000)), "medium": medium, "three": value.List(medium, medium, medium),
	}[what]
	if what == "object" {
		v = value.Object(value.M("count", value.Int(2)), value.M("rows", value.List(items...)), value.M("text", s.large("text")))
	}
	kept, err := s.Keep(run, v)
	if err != nil {
		panic(err)
	}
	return kept
}
