package value

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Ref stands for a value that is kept elsewhere, since it is large: as the blob
// of its SHA-256, of the run that the reference is in.
type Ref struct {
	// SHA256 names the blob, in 64 lower-case hexadecimal digits.
	SHA256 string `json:"sha256"`
	// Size is how many bytes the value has as JSON, about: what is in it by
	// reference counts whole.
	Size int64 `json:"size"`
	// Kind is what the value is: a string, a list or an object. Len is what
	// [Value.Len] is of it.
	Kind Kind `json:"kind"`
	Len  int  `json:"len,omitempty"`
	// Parts says that the blob has the list in parts, and not as it is.
	Parts bool `json:"parts,omitempty"`
	// Run is the run that has the blob, if that is another.
	Run string `json:"run,omitempty"`
	// Path leads to what is meant inside the value: members' names, and indexes as
	// digits. Kind and Len are then not of it.
	Path []string `json:"path,omitempty"`
}

// refKey is the key of a reference as it is stored. [Parse] takes no NUL, and
// objects that were computed are stored with another one.
const refKey = "\x00ref"

// Reference returns the value that r stands for.
func Reference(r Ref) Value { return Value{kind: KindRef, ptr: &r, refs: true} }

// Ref returns the reference, and whether v is one.
func (v Value) Ref() (Ref, bool) {
	if v.kind != KindRef {
		return Ref{}, false
	}
	return *v.ptr.(*Ref), true
}

// HasRef reports whether v is a reference or holds one, however deep. It takes
// no time.
func (v Value) HasRef() bool { return v.refs }

// Within is the member, or the item with the index as digits, of v; of a
// reference one to that.
func (v Value) Within(step string) Value {
	switch v.kind {
	case KindRef:
		r := *v.ptr.(*Ref)
		r.Path = append(append(make([]string, 0, len(r.Path)+1), r.Path...), step)
		return Reference(r)
	case KindList:
		i, err := strconv.Atoi(step)
		if err != nil {
			return Undefined
		}
		return v.At(i)
	}
	return v.Get(step)
}

// Refs appends the references in v to refs, in order.
func (v Value) Refs(refs []Ref) []Ref {
	switch {
	case !v.refs:
	case v.kind == KindRef:
		refs = append(refs, *v.ptr.(*Ref))
	case v.kind == KindList:
		for _, item := range v.Items() {
			refs = item.Refs(refs)
		}
	case v.kind == KindObject:
		for _, m := range v.Members() {
			refs = m.Value.Refs(refs)
		}
	}
	return refs
}

// Resolve returns v with what load gives in place of each reference. It counts
// no depth: what is put in was taken out of values within [MaxDepth].
func (v Value) Resolve(load func(Ref) (Value, error)) (Value, error) {
	switch {
	case !v.refs:
		return v, nil
	case v.kind == KindRef:
		return load(*v.ptr.(*Ref))
	case v.kind == KindList:
		items := make([]Value, v.Len())
		for i, item := range v.Items() {
			var err error
			if items[i], err = item.Resolve(load); err != nil {
				return Undefined, err
			}
		}
		return List(items...), nil
	}
	o := &object{members: make([]Member, 0, v.Len())}
	refs := false
	for _, m := range v.Members() {
		resolved, err := m.Value.Resolve(load)
		if err != nil {
			return Undefined, err
		}
		refs = refs || resolved.refs
		o.put(Member{m.Key, nullFor(resolved)})
	}
	return Value{kind: KindObject, ptr: o, refs: refs}, nil
}

// nullFor keeps a member whose reference leads to nothing.
func nullFor(v Value) Value {
	if v.kind == KindUndefined {
		return Null
	}
	return v
}

// String describes the reference.
func (r *Ref) String() string {
	text := fmt.Sprintf("a large %s of %d bytes", r.Kind, r.Size)
	if len(r.Path) > 0 {
		text = strings.Join(r.Path, ".") + " of " + text
	}
	return text
}

// append writes the reference: as data that says what it is, or as it is stored.
func (r *Ref) append(b []byte, stored bool) []byte {
	if stored {
		b = append(AppendString(append(b, '{'), refKey), ':')
		text, err := json.Marshal(r)
		if err != nil {
			panic(err) // it has texts and numbers
		}
		return append(append(b, text...), '}')
	}
	return r.Value().Append(b)
}

// Value is data that says what the reference stands for:
// {"$large":{"sha256":…,"bytes":…,"type":…,"length":…}}.
func (r *Ref) Value() Value {
	return Object(M("$large", Object(
		M("sha256", String(r.SHA256)), M("bytes", Int(r.Size)), M("type", String(r.Kind.String())), M("length", Int(int64(r.Len))))))
}

// AppendStored appends v as it is stored: as [Value.Append] does, with references
// such that UnmarshalJSON knows them. Of objects with one member, whose key
// begins with NUL, the key gets another NUL, and of those with more, whose first
// key does, a space precedes it: no value that anybody can compute is stored as a
// reference is, nor begins as one.
func (v Value) AppendStored(b []byte) []byte { return v.append(b, true) }

// storedKey is the key of a lone member as it is stored.
func storedKey(key string) string {
	if strings.HasPrefix(key, "\x00") {
		return "\x00" + key
	}
	return key
}

// readStored undoes storedKey, or makes a reference of the object of one member.
func readStored(key string, v Value) (Value, error) {
	switch {
	case strings.HasPrefix(key, "\x00\x00"):
		return Object(Member{key[1:], v}), nil
	case key != refKey:
		return Object(Member{key, v}), nil
	}
	var r Ref
	if err := json.Unmarshal(v.Append(nil), &r); err != nil || len(r.SHA256) != 64 || r.Size < 0 || r.Len < 0 {
		return Undefined, fmt.Errorf("a reference that is none: %s", v)
	}
	switch r.Kind {
	case KindString, KindList, KindObject:
		return Reference(r), nil
	}
	return Undefined, fmt.Errorf("a reference to what cannot be large: %s", v)
}
