package routes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A Binding is one way to call a method by REST.
type Binding struct {
	// Verb is the HTTP method.
	Verb string
	// Template is the path as the definition has it, such as
	// /v1/namespaces/{namespace}/runs:act.
	Template string
	// Variables are the string fields of the request that the path holds, in order.
	Variables []protoreflect.FieldDescriptor
	// Body says that the request body is the message. Without it there must be no
	// body, and the fields in Query are parameters.
	Body bool
	// Query are the fields that may stand behind the question mark: all that are
	// not in the path and whose value is a string, number, boolean, enum, Timestamp
	// or Duration, or a list of these. Empty with a body.
	Query []protoreflect.FieldDescriptor

	segments []segment
}

// A segment is what stands between two slashes: a literal or a variable, the
// last one perhaps with an action after a colon.
type segment struct {
	literal  string // empty for a variable
	action   string // with the colon
	variable bool
}

// bindings reads the REST paths of a method.
func bindings(r *Route, options *descriptorpb.MethodOptions) ([]Binding, error) {
	rule, _ := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil, nil
	}
	var out []Binding
	for _, rule := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		b, err := newBinding(r, rule)
		if err != nil {
			return nil, fmt.Errorf("its REST path: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}

func newBinding(r *Route, rule *annotations.HttpRule) (Binding, error) {
	b := Binding{Body: rule.GetBody() == "*"}
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		b.Verb, b.Template = http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		b.Verb, b.Template = http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		b.Verb, b.Template = http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		b.Verb, b.Template = http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		b.Verb, b.Template = http.MethodPatch, p.Patch
	default:
		return b, fmt.Errorf("it needs get, put, post, delete or patch")
	}
	if rule.GetResponseBody() != "" || (rule.GetBody() != "" && !b.Body) {
		return b, fmt.Errorf("%s: the body can only be the whole message", b.Template)
	}
	if bodiless := b.Verb == http.MethodGet || b.Verb == http.MethodDelete; bodiless == b.Body {
		return b, fmt.Errorf("%s %s: GET and DELETE have no body, the others one", b.Verb, b.Template)
	}
	if r.Write && b.Verb == http.MethodGet {
		return b, fmt.Errorf("%s: a method that writes is called by GET", b.Template)
	}
	if err := b.parse(r.Method.Input()); err != nil {
		return b, fmt.Errorf("%s: %w", b.Template, err)
	}
	if f := r.NamespaceField; f != nil && !slices.Contains(b.Variables, f) {
		return b, fmt.Errorf("%s: the namespace of the access rule, %s, is not in the path", b.Template, f.Name())
	}
	if r.Stream() && r.Method.Output().FullName() != "google.api.HttpBody" {
		return b, fmt.Errorf("%s: only a stream of google.api.HttpBody can be read by REST", b.Template)
	}
	if !b.Body {
		b.Query = queryFields(r.Method.Input(), b.Variables)
	}
	return b, nil
}

// parse reads the template.
func (b *Binding) parse(input protoreflect.MessageDescriptor) error {
	parts := strings.Split(strings.TrimPrefix(b.Template, "/"), "/")
	if !strings.HasPrefix(b.Template, "/v1/") {
		return fmt.Errorf("paths begin with /v1/")
	}
	for i, part := range parts {
		var s segment
		if i == len(parts)-1 {
			if before, action, found := strings.Cut(part, ":"); found {
				part, s.action = before, ":"+action
			}
		}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name, ok = strings.CutSuffix(name, "}")
			field := input.Fields().ByName(protoreflect.Name(name))
			if !ok || field == nil || field.Kind() != protoreflect.StringKind || field.IsList() || field.HasPresence() ||
				slices.Contains(b.Variables, field) {
				return fmt.Errorf("{%s} is no plain string field of %s, or stands twice", name, input.FullName())
			}
			s.variable = true
			b.Variables = append(b.Variables, field)
		} else {
			s.literal = part
		}
		if !s.variable && !isWord(s.literal) || s.action != "" && !isWord(s.action[1:]) {
			return fmt.Errorf("%q must be of lower-case letters and digits", parts[i])
		}
		b.segments = append(b.segments, s)
	}
	return nil
}

// isWord says that text needs no escape and has one way to be written.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// queryFields returns the fields that can be query parameters.
func queryFields(input protoreflect.MessageDescriptor, not []protoreflect.FieldDescriptor) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	for i := range input.Fields().Len() {
		f := input.Fields().Get(i)
		if f.IsMap() || slices.Contains(not, f) || f.Kind() == protoreflect.GroupKind {
			continue
		}
		if m := f.Message(); m != nil && m.FullName() != "google.protobuf.Timestamp" && m.FullName() != "google.protobuf.Duration" {
			continue
		}
		out = append(out, f)
	}
	return out
}

// overlaps says that one path can fit both bindings.
func (b *Binding) overlaps(other *Binding) bool {
	if len(b.segments) != len(other.segments) {
		return false
	}
	for i, s := range b.segments {
		o := other.segments[i]
		if s.action != o.action || (!s.variable && !o.variable && s.literal != o.literal) {
			return false
		}
	}
	return true
}

// match returns the decoded variables if the segments of a path fit.
func (b *Binding) match(segments []string) (values []string, ok bool) {
	for i, s := range b.segments {
		text := segments[i]
		if i == len(segments)-1 {
			before, action, found := strings.Cut(text, ":")
			if found {
				action = ":" + action
			}
			if action != s.action {
				return nil, false
			}
			text = before
		}
		if !s.variable {
			if text != s.literal {
				return nil, false
			}
			continue
		}
		value, ok := decode(text)
		if !ok {
			return nil, false
		}
		values = append(values, value)
	}
	return values, true
}

// decode returns what a segment says. Names of other folders, text that is not
// UTF-8 and control characters are no value.
func decode(text string) (string, bool) {
	value, err := url.PathUnescape(text)
	if err != nil || value == "" || value == "." || value == ".." ||
		strings.ContainsFunc(value, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsControl(r) }) {
		return "", false
	}
	return value, true
}

// split cuts a path into its segments. It takes only paths that have one
// reading: from the root, without empty segments, dots, parameters (;) and
// backslashes.
func split(path string) ([]string, bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok || strings.ContainsAny(rest, ";\\") {
		return nil, false
	}
	segments := strings.Split(rest, "/")
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return nil, false
		}
	}
	return segments, true
}
