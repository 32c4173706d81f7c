package transport

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
)

// MaxParameters bounds how many parameters a query has.
const MaxParameters = 2000

// query sets the fields of a message that the query names. Each parameter is a
// field, by its name in the definition; those of lists may stand several times.
func query(m protoreflect.Message, binding *routes.Binding, raw string) error {
	if raw == "" {
		return nil
	}
	if strings.Count(raw, "&") >= MaxParameters {
		return problem.Invalid("", "the query has more than "+strconv.Itoa(MaxParameters)+" parameters")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return problem.Invalid("", "the query cannot be read: "+strings.ToValidUTF8(err.Error(), "?"))
	}
	// In order, so that the same query gives the same error.
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := parameter(m, binding, name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// parameter sets the field that one parameter names.
func parameter(m protoreflect.Message, binding *routes.Binding, name string, texts []string) error {
	shown := strings.ToValidUTF8(name[:min(len(name), 100)], "?")
	i := slices.IndexFunc(binding.Query, func(f protoreflect.FieldDescriptor) bool { return f.TextName() == name })
	if i < 0 {
		hint := "it takes no parameters"
		if known := names(binding.Query); known != "" {
			hint = "there are " + known
		}
		return problem.Invalid(shown, "unknown parameter; "+hint)
	}
	field := binding.Query[i]
	if !field.IsList() && len(texts) > 1 {
		return problem.Invalid(shown, "stands more than once")
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return problem.Invalid(shown, "is not UTF-8, or has a NUL character")
		}
		value, ok := parse(m, field, text)
		if !ok {
			return problem.Invalid(shown, "must be "+kindName(field))
		}
		if field.IsList() {
			m.Mutable(field).List().Append(value)
		} else {
			m.Set(field, value)
		}
	}
	return nil
}

func names(fields []protoreflect.FieldDescriptor) string {
	out := make([]string, 0, len(fields))
	for _, f := range fields {
		out = append(out, f.TextName())
	}
	return strings.Join(out, ", ")
}

// parse reads the text of a parameter.
func parse(m protoreflect.Message, field protoreflect.FieldDescriptor, text string) (protoreflect.Value, bool) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), true
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(text == "true"), text == "true" || text == "false"
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err == nil
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err == nil
	case protoreflect.Uint32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err == nil
	case protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err == nil
	case protoreflect.EnumKind:
		value := field.Enum().Values().ByName(protoreflect.Name(text))
		if value == nil {
			return protoreflect.Value{}, false
		}
		return protoreflect.ValueOfEnum(value.Number()), true
	case protoreflect.MessageKind:
		// A Timestamp or Duration, whose JSON form is a string.
		value := m.NewField(field)
		if field.IsList() {
			value = value.List().NewElement()
		}
		err := protojson.Unmarshal([]byte(strconv.Quote(text)), value.Message().Interface())
		return value, err == nil
	default:
		return protoreflect.Value{}, false
	}
}

// kindName says what a parameter must be.
func kindName(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Kind() == protoreflect.EnumKind:
		all := make([]string, 0, field.Enum().Values().Len())
		for i := range field.Enum().Values().Len() {
			all = append(all, string(field.Enum().Values().Get(i).Name()))
		}
		return "one of " + strings.Join(all, ", ")
	case field.Kind() == protoreflect.BoolKind:
		return "true or false"
	case field.Message() == nil:
		return "a number (" + field.Kind().String() + ")"
	case field.Message().Name() == "Duration":
		return "a duration in seconds, such as 1.5s"
	default:
		return "a time, such as 2026-01-31T12:00:00Z"
	}
}
