package codec

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/regie-dev/regie/internal/value"
)

// Marshal writes a message as compact JSON. It fails when a Json in it has no
// JSON text.
func Marshal(message proto.Message) ([]byte, error) {
	options := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}
	text, err := options.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", message.ProtoReflect().Descriptor().FullName(), err)
	}
	text, fault := plain(text, message.ProtoReflect().Descriptor())
	if fault != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", message.ProtoReflect().Descriptor().FullName(), fault)
	}
	return text, nil
}

// AppendLine appends a line of what is exported of a run: an object with the
// members kind, run (the ID) and value, the message as [Marshal] writes it, and a
// line feed.
func AppendLine(line []byte, kind, run string, message proto.Message) ([]byte, error) {
	text, err := Marshal(message)
	if err != nil {
		return line, err
	}
	line = append(line, `{"kind":`...)
	line = value.AppendString(line, kind)
	line = append(line, `,"run":`...)
	line = value.AppendString(line, run)
	line = append(line, `,"value":`...)
	line = append(line, text...)
	return append(line, "}\n"...), nil
}

// Unmarshal reads JSON into a message, which it resets first. The error is an
// *Error.
func Unmarshal(text []byte, message proto.Message) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return &Error{Message: "there is no JSON value; write {} for an empty message"}
	}
	wrapped, fault := raw(text, message.ProtoReflect().Descriptor())
	if fault != nil {
		return fault
	}
	if err := (protojson.UnmarshalOptions{RecursionLimit: MaxDepth}).Unmarshal(wrapped, message); err != nil {
		return &Error{Message: clean(err)}
	}
	return nil
}

// UnmarshalBinary reads the binary form into a message, which it resets first.
// The error is an *Error.
func UnmarshalBinary(data []byte, message proto.Message) error {
	if err := proto.Unmarshal(data, message); err != nil {
		return &Error{Message: clean(err)}
	}
	if fault := check(message.ProtoReflect(), jsonName()); fault != nil {
		return fault
	}
	return nil
}

// clean returns what an error of protobuf says, without its prefix and without
// the place, which is one in the text that protojson was given.
func clean(err error) string {
	text := strings.TrimLeftFunc(strings.TrimPrefix(err.Error(), "proto:"), unicode.IsSpace)
	if strings.HasPrefix(text, "(line ") || strings.HasPrefix(text, "syntax error (line ") {
		if _, rest, found := strings.Cut(text, "): "); found {
			text = rest
		}
	}
	// "... field pageSize: ...": the name in its other form.
	if before, after, found := strings.Cut(text, " field "); found {
		if name, rest, found := strings.Cut(after, ":"); found {
			text = before + " field " + snake(name) + ":" + rest
		}
	}
	return clip(text)
}

// snake turns lowerCamelCase into snake_case.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// check refuses what the JSON form cannot say, and makes each Json compact.
func check(message protoreflect.Message, special protoreflect.FullName) (fault *Error) {
	if unknown := message.GetUnknown(); len(unknown) > 0 {
		number, _, _ := protowire.ConsumeTag(unknown)
		return &Error{Message: fmt.Sprintf(
			"unknown field %d of %s; the client is newer than the server", number, message.Descriptor().FullName())}
	}
	message.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			v.Map().Range(func(key protoreflect.MapKey, item protoreflect.Value) bool {
				if fault = checkText(key.String()); fault == nil {
					fault = checkValue(field.MapValue(), item, special)
				}
				if fault != nil {
					fault = fault.within(key.String())
				}
				return fault == nil
			})
		case field.IsList():
			for i := 0; i < v.List().Len() && fault == nil; i++ {
				if fault = checkValue(field, v.List().Get(i), special); fault != nil {
					fault = fault.at(i)
				}
			}
		default:
			fault = checkValue(field, v, special)
		}
		if fault != nil {
			fault = fault.within(field.TextName())
		}
		return fault == nil
	})
	return fault
}

// checkValue checks one value of a field.
func checkValue(field protoreflect.FieldDescriptor, v protoreflect.Value, special protoreflect.FullName) *Error {
	switch {
	case field.Kind() == protoreflect.StringKind:
		return checkText(v.String())
	case field.Message() == nil:
		return nil
	case field.Message().FullName() != special:
		return check(v.Message(), special)
	}
	text := field.Message().Fields().ByName(textKey)
	short, fault := compact([]byte(v.Message().Get(text).String()))
	if fault != nil {
		return fault
	}
	v.Message().Set(text, protoreflect.ValueOfString(string(short)))
	return nil
}

func checkText(text string) *Error {
	if strings.ContainsRune(text, 0) {
		return &Error{Message: "NUL character"}
	}
	return nil
}

// JSON is the JSON form for connect. Register it under both names that connect
// has for JSON, "json" and "json; charset=utf-8".
type JSON struct {
	// As is the name of the codec; empty: json.
	As string
}

// Name implements connect.Codec.
func (j JSON) Name() string {
	if j.As == "" {
		return "json"
	}
	return j.As
}

// Marshal implements connect.Codec.
func (JSON) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("write %T as JSON: it is no message of protobuf", message)
	}
	return Marshal(m)
}

// Unmarshal implements connect.Codec. What is wrong stays in the message.
func (JSON) Unmarshal(text []byte, message any) error { return read(text, message, Unmarshal) }

// Binary is the binary form for connect.
type Binary struct{}

// Name implements connect.Codec.
func (Binary) Name() string { return "proto" }

// Marshal implements connect.Codec.
func (Binary) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("write %T: it is no message of protobuf", message)
	}
	return proto.Marshal(m)
}

// Unmarshal implements connect.Codec. What is wrong stays in the message.
func (Binary) Unmarshal(data []byte, message any) error { return read(data, message, UnmarshalBinary) }

// faultNumber is the highest field number there is. No message of ours has it,
// and one that a client sends is refused as unknown.
const faultNumber = protowire.MaxValidNumber

func read(data []byte, message any, unmarshal func([]byte, proto.Message) error) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("read %T: it is no message of protobuf", message)
	}
	err := unmarshal(data, m)
	if err == nil {
		return nil
	}
	fault := &Error{Message: err.Error()}
	errors.As(err, &fault)
	proto.Reset(m)
	mark := protowire.AppendTag(nil, faultNumber, protowire.BytesType)
	mark = protowire.AppendString(mark, fault.Field+"\x00"+fault.Message)
	m.ProtoReflect().SetUnknown(mark)
	return nil
}

// Fault returns the *Error that JSON or Binary left in a message they could not
// read, or nil. The message is otherwise empty then.
func Fault(message proto.Message) error {
	unknown := message.ProtoReflect().GetUnknown()
	number, kind, n := protowire.ConsumeTag(unknown)
	if n < 0 || number != faultNumber || kind != protowire.BytesType {
		return nil
	}
	text, n := protowire.ConsumeString(unknown[n:])
	if n < 0 {
		return nil
	}
	field, what, _ := strings.Cut(text, "\x00")
	return &Error{Field: field, Message: what}
}
