package codec

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// textKey is the one field of message regie.v1.Json.
const textKey = "text"

// jsonName is the full name of message regie.v1.Json.
func jsonName() protoreflect.FullName {
	return (*regiev1.Json)(nil).ProtoReflect().Descriptor().FullName()
}

// raw replaces, in the JSON text of a message, each value that stands where the
// definition has a Json by what protojson reads: {"text": "the value"}.
func raw(src []byte, desc protoreflect.MessageDescriptor) ([]byte, *Error) {
	w := walker{scanner: scanner{src: src, out: make([]byte, 0, len(src)+len(src)/8)}, special: jsonName()}
	w.place = w.wrap
	if err := w.message(desc, 0); err != nil {
		return nil, err
	}
	return w.out, w.end()
}

// plain is the reverse: it puts the value in the place of {"text": "the value"}.
func plain(src []byte, desc protoreflect.MessageDescriptor) ([]byte, *Error) {
	w := walker{scanner: scanner{src: src, out: make([]byte, 0, len(src))}, special: jsonName()}
	w.place = w.unwrap
	if err := w.message(desc, 0); err != nil {
		return nil, err
	}
	return w.out, w.end()
}

// A walker reads the JSON text of a message, guided by its descriptor.
type walker struct {
	scanner

	special protoreflect.FullName
	// place copies one value that stands for a Json.
	place func(depth int) *Error
}

// wrap reads any value and writes it as the text of a Json.
func (w *walker) wrap(depth int) *Error {
	start := len(w.out)
	if err := w.value(depth); err != nil {
		return err
	}
	quoted, err := json.Marshal(string(w.out[start:]))
	if err != nil {
		return w.fail("%v", err)
	}
	w.out = append(append(append(w.out[:start], `{"`+textKey+`":`...), quoted...), '}')
	return nil
}

// unwrap reads a Json that protojson wrote and writes its text.
func (w *walker) unwrap(depth int) *Error {
	start := len(w.out)
	if err := w.value(depth); err != nil {
		return err
	}
	var wrapped struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(w.out[start:], &wrapped); err != nil {
		return w.fail("%v", err)
	}
	text, err := compact([]byte(wrapped.Text))
	if err != nil {
		return err
	}
	w.out = append(w.out[:start], text...)
	return nil
}

// message copies the value of a message.
func (w *walker) message(desc protoreflect.MessageDescriptor, depth int) *Error {
	if desc.FullName() == w.special {
		return w.place(depth)
	}
	// What is no object is for protojson to judge; well-known types have forms of
	// their own and hold no Json.
	if w.next() != '{' || strings.HasPrefix(string(desc.FullName()), "google.protobuf.") {
		return w.value(depth)
	}
	fields := desc.Fields()
	return w.object(depth, func(key string) *Error {
		field := fields.ByJSONName(key)
		if field == nil {
			field = fields.ByTextName(key)
		}
		if field == nil {
			return &Error{Message: "unknown field"}
		}
		return w.field(field, depth+1)
	})
}

// field copies the value of a field: a message, several of them, or others.
func (w *walker) field(field protoreflect.FieldDescriptor, depth int) *Error {
	switch {
	case field.IsMap() && field.MapValue().Message() != nil && w.next() == '{':
		return w.object(depth, func(string) *Error { return w.message(field.MapValue().Message(), depth+1) })
	case field.IsMap() || field.Message() == nil:
		return w.value(depth)
	case field.IsList() && w.next() == '[':
		return w.list(depth, func(int) *Error { return w.message(field.Message(), depth+1) })
	case field.IsList():
		return w.value(depth)
	default:
		return w.message(field.Message(), depth)
	}
}
