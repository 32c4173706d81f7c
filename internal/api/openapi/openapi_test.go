package openapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/openapi"
	"github.com/regie-dev/regie/internal/api/openapi/describe"
	"github.com/regie-dev/regie/internal/api/openapi/openapitest"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
)

type object = map[string]any

func read(t *testing.T) object {
	t.Helper()
	var root object
	if err := json.Unmarshal(openapi.Document(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// at returns what stands below keys.
func at[T any](t *testing.T, root any, keys ...string) T {
	t.Helper()
	for _, key := range keys {
		o, ok := root.(object)
		if !ok || o[key] == nil {
			t.Fatalf("nothing at %v", keys)
		}
		root = o[key]
	}
	out, ok := root.(T)
	if !ok {
		t.Fatalf("%v is a %T", keys, root)
	}
	return out
}

// The document describes every REST and plain route of the table, with its
// permission, and nothing else.
func TestDocumentHasTheRoutes(t *testing.T) {
	t.Parallel()
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, r := range table.Routes() {
		name := describe.PermissionName(r.Permission)
		if r.Method == nil {
			want["get "+r.Name] = name
		}
		for _, b := range r.Bindings {
			want[strings.ToLower(b.Verb)+" "+b.Template] = name
		}
	}
	got := map[string]string{}
	for path, item := range at[object](t, read(t), "paths") {
		for verb, operation := range item.(object) {
			got[verb+" "+path] = at[string](t, operation, "x-regie-permission")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every operation has what OpenAPI asks for: a name of its own, each variable of
// its path as a parameter, an answer. Every reference leads somewhere.
func TestDocumentIsSound(t *testing.T) {
	t.Parallel()
	root := read(t)
	if version := at[string](t, root, "openapi"); version != describe.Version {
		t.Errorf("got version %s", version)
	}
	ids := map[string]bool{}
	variable := regexp.MustCompile(`\{([^}]*)\}`)
	for path, item := range at[object](t, root, "paths") {
		for verb, operation := range item.(object) {
			where := verb + " " + path
			id := at[string](t, operation, "operationId")
			if ids[id] {
				t.Errorf("%s: operationId %s stands twice", where, id)
			}
			ids[id] = true
			if at[string](t, operation, "summary") == "" {
				t.Errorf("%s: no summary", where)
			}
			at[object](t, operation, "responses", "200")
			at[object](t, operation, "responses", "default")
			var inPath, names []string
			parameters, _ := operation.(object)["parameters"].([]any)
			for _, p := range parameters {
				name, in := at[string](t, p, "name"), at[string](t, p, "in")
				at[object](t, p, "schema")
				if slices.Contains(names, name) {
					t.Errorf("%s: parameter %s stands twice", where, name)
				}
				names = append(names, name)
				if in == "path" {
					inPath = append(inPath, name)
					at[bool](t, p, "required")
				}
			}
			var want []string
			for _, match := range variable.FindAllStringSubmatch(path, -1) {
				want = append(want, match[1])
			}
			if diff := cmp.Diff(want, inPath); diff != "" {
				t.Errorf("%s: variables of the path: %s", where, diff)
			}
		}
	}
	references(t, root, root)
}

// references follows every reference.
func references(t *testing.T, root object, in any) {
	t.Helper()
	switch in := in.(type) {
	case object:
		if target, ok := in["$ref"].(string); ok {
			at[object](t, root, strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
		}
		for _, v := range in {
			references(t, root, v)
		}
	case []any:
		for _, v := range in {
			references(t, root, v)
		}
	}
}

// What the codec writes of a full message of every kind fits its schema.
func TestCodecFitsTheSchemas(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table.Routes() {
		if r.Method == nil || r.Stream() {
			continue
		}
		for _, b := range r.Bindings {
			path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(b.Template, "x")
			full := fill(t, r.Method.Output(), 0)
			for _, message := range []protoreflect.Message{full, full.New()} {
				text, err := codec.Marshal(message.Interface())
				if err != nil {
					t.Fatal(err)
				}
				if err := checker.Check(b.Verb, path, 200, text); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
		}
	}
}

// fill makes a message with a value in every field.
func fill(t *testing.T, desc protoreflect.MessageDescriptor, depth int) protoreflect.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(desc.FullName())
	if err != nil {
		t.Fatal(err)
	}
	m := kind.New()
	switch m := m.Interface().(type) {
	case *regiev1.Json:
		m.Text = `{"any":[1.50,null]}`
		return m.ProtoReflect()
	case *durationpb.Duration:
		m.Seconds, m.Nanos = 90, 500_000_000
		return m.ProtoReflect()
	case *timestamppb.Timestamp:
		m.Seconds, m.Nanos = 1_700_000_000, 5
		return m.ProtoReflect()
	}
	for i := range desc.Fields().Len() {
		f := desc.Fields().Get(i)
		if depth > 3 {
			continue
		}
		one := func(f protoreflect.FieldDescriptor) protoreflect.Value {
			if f.Message() != nil {
				return protoreflect.ValueOfMessage(fill(t, f.Message(), depth+1))
			}
			return scalar(t, f)
		}
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("k").MapKey(), one(f.MapValue()))
		case f.IsList():
			m.Mutable(f).List().Append(one(f))
		default:
			m.Set(f, one(f))
		}
	}
	return m
}

func scalar(t *testing.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	t.Helper()
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("text")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 255})
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-1 << 31)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1<<32 - 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-1 << 63)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1<<64 - 1)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(0.5)
	default:
		t.Fatalf("a field of kind %s needs a value", f.Kind())
		return protoreflect.Value{}
	}
}

func newChecker(t *testing.T) *openapitest.Checker {
	t.Helper()
	checker, err := openapitest.NewChecker()
	if err != nil {
		t.Fatal(err)
	}
	return checker
}

func TestCheck(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	sent, _ := problem.Complete(t.Context(), problem.Invalid("filter", "no such field"), "request-0001")
	failed, err := problem.JSON(sent)
	if err != nil {
		t.Fatal(err)
	}
	for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		if status := problem.Status(code); status < 400 || status > 599 {
			t.Errorf("%s has status %d", code, status)
		}
	}
	tests := []struct {
		verb, path string
		status     int
		body       string
		want       string // in the error; empty: it fits
	}{
		{"GET", "/v1/namespaces/n/runs", 200, `{"runs":[],"next_page_token":"","position":"7"}`, ""},
		{"GET", "/v1/namespaces/n/runs", 200, `{"runs":[],"position":7}`, "got number, want string"},
		{"GET", "/v1/namespaces/n/runs", 200, `{"runz":[]}`, "runz"},
		{"GET", "/v1/namespaces/n/runs", 200, `{"runs":[{"accepted_at":"yesterday"}]}`, "date-time"},
		{"GET", "/v1/namespaces/n/runs", 200, `{"runs":[{"attempts":-1}]}`, "minimum"},
		{"GET", "/v1/namespaces/n/runs", 200, `[]`, "want object"},
		{"GET", "/v1/namespaces/n/runs", 200, `{`, "no JSON"},
		{"GET", "/v1/namespaces/n/runs", 201, `{}`, "no answer with status 201"},
		{"GET", "/v1/namespaces/n/runs", 400, string(failed), ""},
		{"GET", "/v1/namespaces/n/runs", 400, `{"code":"wrong","message":"","problem":{}}`, "code"},
		{"GET", "/v1/namespaces/n/runs", 400, `{"code":"not_found","message":""}`, "problem"},
		{"POST", "/v1/namespaces/n/runs:act", 200, `{"results":[]}`, ""},
		{"GET", "/v1/namespaces/n/runs/r/data", 200, `{"input":[1,{"a":null}],"output":null}`, ""},
		{"GET", "/v1/namespaces/n/runs/r/log/text", 200, "any text", ""},
		{"GET", "/healthz", 200, "ok", ""},
		{"GET", "/nothing", 404, string(failed), ""},
		{"GET", "/nothing", 404, "not found", "no JSON"},
		{"GET", "/nothing", 200, "{}", "no such route"},
		{"PUT", "/v1/users", 405, string(failed), ""},
		{"POST", "/regie.v1.RunService/GetRun", 200, "{}", "not REST"},
	}
	for _, test := range tests {
		err := checker.Check(test.verb, test.path, test.status, []byte(test.body))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s %s %d %s: got error %v, want %q", test.verb, test.path, test.status, test.body, err, test.want)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	openapi.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if w.Header().Get("Content-Type") != "application/json" || w.Body.String() != string(openapi.Document()) {
		t.Errorf("got %v", w.Header())
	}
}

func Example() {
	checker, err := openapitest.NewChecker()
	if err != nil {
		panic(err)
	}
	fmt.Println(checker.Check("GET", "/v1/namespaces/default/runs", 200, []byte(`{"runs":[],"position":"7"}`)))
	// Output: <nil>
}
