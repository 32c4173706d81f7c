package connector

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
)

// Prepare checks a call before anything is done: that ctx has not ended, that
// the input matches the descriptor, that connection and channel are there and
// of a type that the connector takes. It returns the input with the defaults
// filled in. Errors are *[Error].
func Prepare(ctx context.Context, d *Descriptor, call Call) (Input, error) {
	if err := FromContext(ctx); err != nil {
		return Input{}, err
	}
	in, err := NewInput(call.Input, d.Input, "")
	if err != nil {
		err.Name = InvalidInput
		return Input{}, err
	}
	if err := checkConnection(d.Connections, call.Connection, in.Text("connection")); err != nil {
		return Input{}, err
	}
	if d.Channel && call.Channel == nil {
		return Input{}, Errorf(InvalidConnection, "there is no channel %q", in.Text("channel"))
	}
	return in, nil
}

func checkConnection(types []string, c *Connection, name string) error {
	switch {
	case len(types) == 0 || c == nil && name == "":
		return nil
	case c == nil:
		return Errorf(InvalidConnection, "there is no connection %q", name)
	case !slices.Contains(types, c.Type):
		return Errorf(InvalidConnection, "connection %s has type %s; want %s", c.Name, c.Type, strings.Join(types, " or "))
	}
	return nil
}

// Input is an object that matches its descriptor, with its defaults.
type Input struct{ Value value.Value }

// NewInput checks v against o and fills in the defaults. The error, named
// [InvalidConnection], lists all faults after the words in what; it shows keys
// of v and no texts, since they may be secret.
func NewInput(v value.Value, o *descriptor.Object, what string) (Input, *Error) {
	if v.IsNull() {
		v = value.Object()
	}
	if v.Kind() != value.KindObject {
		return Input{}, Errorf(InvalidConnection, "%swant fields and their values, not a %s", what, v.Kind())
	}
	faults := descriptor.CheckValue(v, o)
	if len(faults) == 0 {
		return Input{descriptor.Fill(v, o)}, nil
	}
	texts := make([]string, len(faults))
	details := make([]value.Value, len(faults))
	for i, f := range faults {
		texts[i] = f.Message
		details[i] = value.Object(value.M("path", value.String(f.Path)), value.M("code", value.String(f.Code)),
			value.M("message", value.String(f.Message)))
	}
	err := Errorf(InvalidConnection, "%s%s", what, strings.Join(texts, "; "))
	err.Details = value.Object(value.M("faults", value.List(details...)))
	return Input{}, err
}

// Connect returns the fields of a connection, checked and with defaults.
// Errors are named [InvalidConnection].
func (c *Connection) Connect(t ObjectType) (Input, error) {
	in, err := NewInput(c.Fields, t.Object, "connection "+c.Name+": ")
	if err != nil {
		return Input{}, err
	}
	return in, nil
}

// Has reports whether the field is present.
func (in Input) Has(field string) bool { return !in.Value.Get(field).IsUndefined() }

// Get returns a field, undefined if it is absent.
func (in Input) Get(field string) value.Value { return in.Value.Get(field) }

// Text returns a text, "" if it is absent.
func (in Input) Text(field string) string {
	s, _ := in.Value.Get(field).Str()
	return s
}

// Bool returns a boolean, false if it is absent.
func (in Input) Bool(field string) bool {
	b, _ := in.Value.Get(field).Bool()
	return b
}

// Int returns an integer, 0 if it is absent.
func (in Input) Int(field string) int64 {
	n, _ := in.Value.Get(field).Int()
	return n
}

// Duration returns a duration, 0 if it is absent.
func (in Input) Duration(field string) time.Duration {
	d, err := duration.Parse(in.Text(field))
	if err != nil {
		return 0
	}
	return d
}

// Object returns an object within; empty if it is absent.
func (in Input) Object(field string) Input { return Input{in.Value.Get(field)} }

// Texts returns a list of texts, or one text as such a list.
func (in Input) Texts(field string) []string {
	v := in.Value.Get(field)
	if s, ok := v.Str(); ok {
		return []string{s}
	}
	texts := make([]string, 0, v.Len())
	for _, item := range v.Items() {
		if s, ok := item.Str(); ok {
			texts = append(texts, s)
		}
	}
	return texts
}
