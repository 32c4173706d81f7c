package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/regie-dev/regie/internal/api/routes"
)

// nasty are texts that something could stumble over, wherever a text is asked
// for.
var nasty = []string{
	"", "..", "../../etc/passwd", "%2e%2e%2f", `a\..\b`, "CON", "-", "*", "' OR 1=1 --", "a;b=c", "${{ secrets.DB }}", "<img src=x onerror=alert(1)>",
	"line\r\nbreak", "\x01\x1b[2J", "\u202e\u2066\ufeff", "аdmin", "ADMIN ", "user/none", "a@b", "0", "null",
	strings.Repeat("a", 129), strings.Repeat("ä", 5000), strings.Repeat("a/", 3000), strings.Repeat("(", 3000),
}

// numbers are the same where a number is asked for.
var numbers = []int64{-1 << 31, -1, 1001, 1<<31 - 1}

// TestNastyTexts: whatever stands in whichever field, and whoever asks may do
// everything: the answer is no fault of the server.
func TestNastyTexts(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("routes", func(t *testing.T) {
		for _, r := range table.Routes() {
			if r.Method == nil || r.Name == "regie.v1.SystemService/Drain" { // that would end it
				continue
			}
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				s.nastyFields(t, r)
			})
		}
	})
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("logged: %s", line)
		}
	}
}

// nastyFields calls a route with something nasty in each field in turn.
func (s *stage) nastyFields(t *testing.T, r *routes.Route) {
	rule := rules[r.Name]
	base := rule.request
	if base == "" {
		base = rule.harmless
	}
	base = s.texts.Replace(strings.ReplaceAll(base, "@NS@", "here"))
	fields := r.Method.Input().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		for _, value := range valuesOf(f) {
			request := map[string]any{}
			if err := json.Unmarshal([]byte(base), &request); err != nil {
				t.Fatal(err)
			}
			request[string(f.Name())] = value
			text, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.call(t, s.token, r, "connect json", string(text)); slices.Contains([]string{"internal", "unknown", "unavailable", "data_loss"}, got.code) {
				t.Errorf("%.200s: %s (%s)", text, got.code, got.message)
			}
		}
	}
}

// valuesOf are values for a field, as JSON has them.
func valuesOf(f protoreflect.FieldDescriptor) []any {
	var out []any
	switch {
	case f.IsMap():
		for _, text := range nasty {
			out = append(out, map[string]any{text: "1"}, map[string]any{"a": text})
		}
	case f.Kind() == protoreflect.StringKind && f.IsList():
		for _, text := range nasty {
			out = append(out, []any{text, text})
		}
	case f.Kind() == protoreflect.StringKind:
		for _, text := range nasty {
			out = append(out, text)
		}
	case f.Kind() == protoreflect.Int32Kind:
		for _, n := range numbers {
			out = append(out, n)
		}
	case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "regie.v1.Json":
		out = append(out, nil, 1, "text", []any{}, map[string]any{"": nil}, strings.Repeat("x", 1<<20))
	case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "google.protobuf.Timestamp":
		out = append(out, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.999999999Z")
	case f.Kind() == protoreflect.MessageKind && f.Message().FullName() == "google.protobuf.Duration":
		out = append(out, "-1s", "315576000000s", "0.000000001s")
	case f.Kind() == protoreflect.MessageKind:
		inner := f.Message().Fields()
		for i := range inner.Len() {
			for _, v := range valuesOf(inner.Get(i)) {
				one := any(map[string]any{string(inner.Get(i).Name()): v})
				if f.IsList() {
					one = []any{one}
				}
				out = append(out, one)
			}
		}
	}
	return out
}
