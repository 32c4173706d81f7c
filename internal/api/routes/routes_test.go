package routes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/routes"
)

func load(t testing.TB) *routes.Table {
	t.Helper()
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Every service that the generated code has is in the table with every method.
func TestLoadHasEveryMethod(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, r := range load(t).Routes() {
		if r.Method != nil {
			got = append(got, r.Name)
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("regie.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				want = append(want, string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Error(diff)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	table := load(t)
	tests := []struct {
		verb, path string
		want       string // the route and its values, or what is allowed, or nothing
	}{
		{"POST", "/regie.v1.RunService/StartRun", "regie.v1.RunService/StartRun"},
		{"GET", "/regie.v1.RunService/StartRun", "allow POST"},
		{"GET", "/regie.v1.RunService/GetRun", "regie.v1.RunService/GetRun"},
		{"GET", "/regie.v1.RunService/WatchRun", "allow POST"},
		{"GET", "/healthz", "/healthz"},
		{"HEAD", "/healthz", "/healthz"},
		{"POST", "/healthz", "allow GET HEAD"},
		{"GET", "/v1/namespaces/a/runs", "regie.v1.RunService/ListRuns a"},
		{"GET", "/v1/namespaces/a/runs/b", "regie.v1.RunService/GetRun a b"},
		{"POST", "/v1/namespaces/a/runs:act", "regie.v1.RunService/Act a"},
		{"POST", "/v1/namespaces/a/runs/b/actions", "regie.v1.RunService/Act a b"},
		{"POST", "/v1/namespaces/a/workflows/b/schedules/c:pause", "regie.v1.ScheduleService/PauseSchedule a b c"},
		{"GET", "/v1/namespaces/a/workflows/b/schedules/c", "regie.v1.ScheduleService/GetSchedule a b c"},
		{"DELETE", "/v1/namespaces/a/workflows/b", "regie.v1.WorkflowService/DeleteWorkflow a b"},
		{"PUT", "/v1/namespaces/a/workflows/b", "allow DELETE GET"},
		{"OPTIONS", "/v1/login", "allow POST"},
		{"CONNECT", "/v1/login", "allow POST"},

		// An escaped slash does not change the route.
		{"GET", "/v1/namespaces/a%2Fb/runs", "regie.v1.RunService/ListRuns a/b"},
		{"GET", "/v1/namespaces/a/runs/b%2fdata", "regie.v1.RunService/GetRun a b/data"},
		{"GET", "/v1/namespaces/a%20%C3%A9/runs", "regie.v1.RunService/ListRuns a é"},

		// What is written in another way is no route.
		{"GET", "", ""},
		{"GET", "/", ""},
		{"GET", "*", ""},
		{"GET", "//v1//whoami", ""},
		{"GET", "/v1//whoami", ""},
		{"GET", "/v1/whoami/", ""},
		{"GET", "/v1/whoami.", ""},
		{"GET", "/V1/whoami", ""},
		{"GET", "/v1/WhoAmI", ""},
		{"GET", "/v1/./whoami", ""},
		{"GET", "/v1/../healthz", ""},
		{"GET", "/v1/namespaces/../whoami", ""},
		{"GET", "/v1/namespaces/%2e%2e/runs", ""},
		{"GET", "/v1/namespaces/%2E/runs", ""},
		{"GET", "/v1/namespaces/a%00/runs", ""},
		{"GET", "/v1/namespaces/a%0a/runs", ""},
		{"GET", "/v1/namespaces/%ff/runs", ""},
		{"GET", "/v1/namespaces/%zz/runs", ""},
		{"GET", "/v1/namespaces/a;b=c/runs", ""},
		{"GET", "/v1/whoami;a=b", ""},
		{"GET", "/v1\\whoami", ""},
		{"GET", "/%76%31/whoami", ""},
		{"GET", "/%68ealthz", ""},
		{"GET", "/healthz/", ""},
		{"GET", "/healthz/configs", ""},
		{"GET", "/v1/namespaces/a/runs/b/configs", ""},
		{"GET", "/v1/namespaces/a/runs/b:act", ""},
		{"POST", "/v1/namespaces/a/runs:act:act", ""},
		{"POST", "/v1/namespaces/a/runs:", ""},
		{"POST", "/regie.v1.RunService/startRun", ""},
		{"POST", "/regie.v1.RunService/StartRun/", ""},
		{"POST", "/regie.v1.RunService%2FStartRun", ""},
		{"POST", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ""},
	}
	for _, test := range tests {
		t.Run(test.verb+" "+test.path, func(t *testing.T) {
			t.Parallel()
			match, allow := table.Lookup(test.verb, test.path)
			got := strings.Join(append([]string{"allow"}, allow...), " ")
			switch {
			case match.Route != nil:
				got = strings.Join(append([]string{match.Route.Name}, match.Values...), " ")
			case allow == nil:
				got = ""
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	table := load(t)
	start, _ := table.Lookup("POST", "/regie.v1.RunService/StartRun")
	if got := start.Route.Namespace(&regiev1.StartRunRequest{Namespace: "prod"}); got != "prod" {
		t.Errorf("got %q", got)
	}
	users, _ := table.Lookup("GET", "/v1/users")
	if got := users.Route.Namespace(&regiev1.ListUsersRequest{}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestBoundsOfBodies(t *testing.T) {
	t.Parallel()
	table := load(t)
	for procedure, want := range map[string]int{
		"/regie.v1.WorkflowService/Apply":    routes.MaxDefinitions,
		"/regie.v1.WorkflowService/Validate": routes.MaxDefinitions,
		"/regie.v1.RunService/StartRun":      routes.MaxBody,
		"/regie.v1.IdentityService/Login":    routes.MaxPublic,
	} {
		if match, _ := table.Lookup("POST", procedure); match.Route.MaxBody != want {
			t.Errorf("%s: got %d, want %d", procedure, match.Route.MaxBody, want)
		}
	}
}

func TestQueryFields(t *testing.T) {
	t.Parallel()
	match, _ := load(t).Lookup("GET", "/v1/namespaces/a/runs/b/events")
	var got []string
	for _, f := range match.Binding.Query {
		got = append(got, string(f.Name()))
	}
	if diff := cmp.Diff([]string{"after", "limit", "wait"}, got); diff != "" {
		t.Error(diff)
	}
}

// A definition that leaves open who may call what is refused.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	read := &regiev1.Access{Permission: regiev1.Permission_PERMISSION_RUNS_READ, Namespace: "namespace"}
	get := func(path string) *annotations.HttpRule {
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}}
	}
	post := func(path, body string) *annotations.HttpRule {
		return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: path}, Body: body}
	}
	twice := get("/v1/{namespace}/x")
	twice.AdditionalBindings = []*annotations.HttpRule{get("/v1/x/{namespace}")}
	one := func(m method) []method { return []method{m} }
	tests := map[string]struct {
		methods []method
		plain   map[string]regiev1.Permission
		want    string
	}{
		"no rule":                 {one(method{}), nil, "no access rule"},
		"no permission":           {one(method{access: &regiev1.Access{}}), nil, "permission"},
		"unknown permission":      {one(method{access: &regiev1.Access{Permission: 999}}), nil, "permission"},
		"unknown namespace field": {one(method{access: &regiev1.Access{Permission: 3, Namespace: "nope"}}), nil, "no plain string field"},
		"list as namespace":       {one(method{access: &regiev1.Access{Permission: 3, Namespace: "list"}}), nil, "no plain string field"},
		"many without namespace":  {one(method{access: &regiev1.Access{Permission: 3, Many: true}}), nil, "many without"},
		"safe and writes":         {one(method{access: &regiev1.Access{Permission: 3, Write: true}, safe: true}), nil, "no side effects"},
		"writes by GET": {
			one(method{access: &regiev1.Access{Permission: 3, Write: true}, rule: get("/v1/x")}), nil, "called by GET",
		},
		"namespace not in the path": {one(method{access: read, rule: get("/v1/x")}), nil, "not in the path"},
		"body of GET": {
			one(method{access: read, rule: &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/v1/x"}, Body: "*"}}),
			nil, "have no body",
		},
		"no body of POST":         {one(method{access: read, rule: post("/v1/{namespace}/x", "")}), nil, "the others one"},
		"part as body":            {one(method{access: read, rule: post("/v1/{namespace}/x", "list")}), nil, "whole message"},
		"unknown variable":        {one(method{access: read, rule: get("/v1/{namespace}/{nope}")}), nil, "{nope} is no plain"},
		"variable twice":          {one(method{access: read, rule: get("/v1/{namespace}/{namespace}")}), nil, "stands twice"},
		"pattern in variable":     {one(method{access: read, rule: get("/v1/{namespace=**}")}), nil, "is no plain"},
		"upper case":              {one(method{access: read, rule: get("/v1/{namespace}/Runs")}), nil, "lower-case"},
		"outside v1":              {one(method{access: read, rule: get("/x/{namespace}")}), nil, "begin with /v1/"},
		"kind that is not served": {one(method{access: read, rule: &annotations.HttpRule{}}), nil, "needs get, put"},
		"stream of messages":      {one(method{access: read, rule: get("/v1/{namespace}"), stream: true}), nil, "only a stream of"},
		"client stream":           {one(method{access: read, upload: true}), nil, "streams of requests"},
		"two that fit": {
			[]method{{access: read, rule: get("/v1/{namespace}/x")}, {access: read, rule: get("/v1/a/{namespace}")}},
			nil, "also fits",
		},
		"two of one that fit": {one(method{access: read, rule: twice}), nil, "also fits"},
		"plain and bound": {
			one(method{access: &regiev1.Access{Permission: 3}, rule: get("/v1/x")}),
			map[string]regiev1.Permission{"/v1/x": 1}, "is a plain route",
		},
		"plain without permission": {nil, map[string]regiev1.Permission{"/x": 0}, "permission"},
		"plain not canonical":      {nil, map[string]regiev1.Permission{"/x/": 1}, "not canonical"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := routes.New(test.plain, define(t, test.methods))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := routes.New(nil, define(t, one(method{access: read, rule: get("/v1/{namespace}/x")}))); err != nil {
		t.Errorf("a sound definition is refused: %v", err)
	}
}

type method struct {
	access               *regiev1.Access
	rule                 *annotations.HttpRule
	safe, stream, upload bool
}

// define makes a service of the methods, with one message for all.
func define(t *testing.T, methods []method) protoreflect.FileDescriptor {
	t.Helper()
	text := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("M"),
			Field: []*descriptorpb.FieldDescriptorProto{
				{Name: proto.String("namespace"), Number: proto.Int32(1), Type: text, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
				{Name: proto.String("list"), Number: proto.Int32(2), Type: text, Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()},
			},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S")}},
	}
	for i, m := range methods {
		options := &descriptorpb.MethodOptions{}
		if m.access != nil {
			proto.SetExtension(options, regiev1.E_Access, m.access)
		}
		if m.rule != nil {
			proto.SetExtension(options, annotations.E_Http, m.rule)
		}
		if m.safe {
			options.IdempotencyLevel = descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()
		}
		file.Service[0].Method = append(file.Service[0].Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String("M" + string(rune('A'+i))), InputType: proto.String(".test.M"), OutputType: proto.String(".test.M"),
			Options: options, ServerStreaming: &m.stream, ClientStreaming: &m.upload,
		})
	}
	out, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// No path panics, and what is found has one reading only.
func FuzzLookup(f *testing.F) {
	table := load(f)
	f.Add("/v1/namespaces/a%2Fb/runs:act")
	f.Add("/regie.v1.RunService/StartRun")
	f.Add("/v1/../healthz")
	f.Fuzz(func(t *testing.T, path string) {
		for _, verb := range []string{"GET", "POST", "DELETE"} {
			match, allow := table.Lookup(verb, path)
			if match.Route == nil {
				continue
			}
			if allow != nil {
				t.Errorf("%q is found and refused", path)
			}
			for _, s := range strings.Split(path, "/")[1:] {
				if s == "" || s == "." || s == ".." || strings.ContainsAny(s, ";\\") {
					t.Errorf("%q fits %s", path, match.Route.Name)
				}
			}
			if match.Binding != nil && len(match.Values) != len(match.Binding.Variables) {
				t.Errorf("%q: %d values", path, len(match.Values))
			}
		}
	})
}
