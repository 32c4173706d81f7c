package routes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Bounds of what a request may carry, in bytes after decompression.
const (
	// MaxBody is the bound of most requests.
	MaxBody = 16 << 20
	// MaxDefinitions is that of requests with files of definitions and bundles.
	MaxDefinitions = 64 << 20
	// MaxPublic is that of what strangers may send.
	MaxPublic = 64 << 10
)

// A Route is something that can be called.
type Route struct {
	// Name is unique and stays: regie.v1.RunService/GetRun, or the path of a plain
	// route.
	Name string
	// Method describes a method of the API; nil for a plain route.
	Method protoreflect.MethodDescriptor
	// Bindings are the ways to call a method by REST; none for some streams.
	Bindings []Binding
	// Permission is what the caller needs. It is never PERMISSION_UNSPECIFIED.
	Permission regiev1.Permission
	// NamespaceField is the string field of the request that names the namespace
	// in which the permission is needed; nil if it is needed for the installation.
	NamespaceField protoreflect.FieldDescriptor
	// Many says that the namespace may be "-": all in which the caller has the
	// permission.
	Many bool
	// Write says that the method changes something.
	Write bool
	// Safe says that a method may be called by GET also in connect's protocol.
	Safe bool
	// MaxBody bounds a request, in bytes after decompression.
	MaxBody int
}

// Procedure is the path of a method for connect and gRPC, such as
// /regie.v1.RunService/GetRun. It is empty for a plain route.
func (r *Route) Procedure() string {
	if r.Method == nil {
		return ""
	}
	return "/" + r.Name
}

// Stream says that the method answers with a stream.
func (r *Route) Stream() bool { return r.Method != nil && r.Method.IsStreamingServer() }

// Namespace returns the namespace that a request is about; empty for a route of
// the installation.
func (r *Route) Namespace(request proto.Message) string {
	if r.NamespaceField == nil {
		return ""
	}
	return request.ProtoReflect().Get(r.NamespaceField).String()
}

// A Match is a route that fits a request.
type Match struct {
	Route *Route
	// Binding is the REST path that fits; nil for procedures and plain routes.
	Binding *Binding
	// Values are the decoded variables of the path, in the order of
	// Binding.Variables.
	Values []string
}

// Table holds every route. It is immutable.
type Table struct {
	routes     []*Route
	procedures map[string]*Route
	plain      map[string]*Route
	// bindings by their number of segments.
	bindings map[int][]bound
}

type bound struct {
	*Binding

	route *Route
}

// plain lists the routes that are no methods. All are called by GET or HEAD.
func plain() map[string]regiev1.Permission {
	return map[string]regiev1.Permission{
		"/healthz":      regiev1.Permission_PERMISSION_PUBLIC,
		"/readyz":       regiev1.Permission_PERMISSION_PUBLIC,
		"/metrics":      regiev1.Permission_PERMISSION_METRICS_READ,
		"/openapi.json": regiev1.Permission_PERMISSION_KNOWN,
	}
}

// Load returns the table of the server: all services of the API and the plain
// routes. An error is a fault of the definition.
func Load() (*Table, error) {
	return New(plain(),
		regiev1.File_regie_v1_runs_proto, regiev1.File_regie_v1_workflows_proto, regiev1.File_regie_v1_alerts_proto,
		regiev1.File_regie_v1_identities_proto, regiev1.File_regie_v1_system_proto, regiev1.File_regie_v1_tasks_proto, regiev1.File_regie_v1_limits_proto, regiev1.File_regie_v1_people_proto,
	)
}

// New makes a table of the plain routes, by path, and all services in the files.
func New(plain map[string]regiev1.Permission, files ...protoreflect.FileDescriptor) (*Table, error) {
	t := &Table{procedures: map[string]*Route{}, plain: map[string]*Route{}, bindings: map[int][]bound{}}
	for path, permission := range plain {
		if _, ok := split(path); !ok {
			return nil, fmt.Errorf("plain route %q: the path is not canonical", path)
		}
		r := &Route{Name: path, Permission: permission}
		if err := checkPermission(permission); err != nil {
			return nil, fmt.Errorf("plain route %q: %w", path, err)
		}
		t.plain[path] = r
		t.routes = append(t.routes, r)
	}
	for _, file := range files {
		services := file.Services()
		for i := range services.Len() {
			if err := t.addService(services.Get(i)); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(t.routes, func(a, b *Route) int { return strings.Compare(a.Name, b.Name) })
	return t, nil
}

func (t *Table) addService(service protoreflect.ServiceDescriptor) error {
	methods := service.Methods()
	for i := range methods.Len() {
		r, err := methodRoute(methods.Get(i))
		if err == nil {
			err = t.add(r)
		}
		if err != nil {
			return fmt.Errorf("method %s: %w", methods.Get(i).FullName(), err)
		}
	}
	return nil
}

// methodRoute makes the route of a method.
func methodRoute(method protoreflect.MethodDescriptor) (*Route, error) {
	if method.IsStreamingClient() {
		return nil, fmt.Errorf("streams of requests are not served")
	}
	options, _ := method.Options().(*descriptorpb.MethodOptions)
	access, _ := proto.GetExtension(options, regiev1.E_Access).(*regiev1.Access)
	if access == nil {
		return nil, fmt.Errorf("it has no access rule; add option (access)")
	}
	r := &Route{
		Name:       string(method.Parent().FullName()) + "/" + string(method.Name()),
		Method:     method,
		Permission: access.GetPermission(),
		Many:       access.GetMany(),
		Write:      access.GetWrite(),
		Safe:       options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
		MaxBody:    maxBody(method, access.GetPermission()),
	}
	if err := checkPermission(r.Permission); err != nil {
		return nil, err
	}
	if name := access.GetNamespace(); name != "" {
		r.NamespaceField = method.Input().Fields().ByName(protoreflect.Name(name))
		if f := r.NamespaceField; f == nil || f.Kind() != protoreflect.StringKind || f.IsList() || f.HasPresence() {
			return nil, fmt.Errorf("its access rule names %q, which is no plain string field of %s", name, method.Input().FullName())
		}
	} else if r.Many {
		return nil, fmt.Errorf("its access rule says many without naming the field of the namespace")
	}
	if r.Write && r.Safe {
		return nil, fmt.Errorf("it writes and declares to have no side effects")
	}
	var err error
	r.Bindings, err = bindings(r, options)
	return r, err
}

// maxBody returns the bound of a method's requests.
func maxBody(method protoreflect.MethodDescriptor, permission regiev1.Permission) int {
	if permission == regiev1.Permission_PERMISSION_PUBLIC {
		return MaxPublic
	}
	fields := method.Input().Fields()
	files := (*regiev1.SourceFile)(nil).ProtoReflect().Descriptor().FullName()
	for i := range fields.Len() {
		if m := fields.Get(i).Message(); m != nil && m.FullName() == files {
			return MaxDefinitions
		}
	}
	return MaxBody
}

func checkPermission(p regiev1.Permission) error {
	if p == regiev1.Permission_PERMISSION_UNSPECIFIED || p.Descriptor().Values().ByNumber(p.Number()) == nil {
		return fmt.Errorf("its permission %s is none", p)
	}
	return nil
}

// add puts the route of a method into the table.
func (t *Table) add(r *Route) error {
	if t.procedures[r.Procedure()] != nil {
		return fmt.Errorf("it is there twice")
	}
	t.procedures[r.Procedure()] = r
	t.routes = append(t.routes, r)
	for i := range r.Bindings {
		b := &r.Bindings[i]
		for _, other := range t.bindings[len(b.segments)] {
			if b.Verb == other.Verb && b.overlaps(other.Binding) {
				return fmt.Errorf("%s %s also fits %s of %s", b.Verb, b.Template, other.Template, other.route.Name)
			}
		}
		if t.plain[b.Template] != nil {
			return fmt.Errorf("%s is a plain route", b.Template)
		}
		t.bindings[len(b.segments)] = append(t.bindings[len(b.segments)], bound{b, r})
	}
	return nil
}

// Routes returns every route, ordered by name.
func (t *Table) Routes() []*Route { return slices.Clone(t.routes) }

// Lookup finds the route for an HTTP method and a path as it was sent, with its
// percent signs. A nil Route means that there is none; allow then lists the
// methods, sorted, that the path has, and is empty if there is no such path.
func (t *Table) Lookup(verb, path string) (match Match, allow []string) {
	if r := t.procedures[path]; r != nil {
		return choose(r, verb, r.verbs())
	}
	if r := t.plain[path]; r != nil {
		return choose(r, verb, r.verbs())
	}
	segments, ok := split(path)
	if !ok {
		return Match{}, nil
	}
	for _, b := range t.bindings[len(segments)] {
		values, ok := b.match(segments)
		if !ok {
			continue
		}
		if b.Verb == verb {
			return Match{Route: b.route, Binding: b.Binding, Values: values}, nil
		}
		allow = append(allow, b.Verb)
	}
	slices.Sort(allow)
	return Match{}, slices.Compact(allow)
}

// verbs lists the HTTP methods of a procedure or plain route.
func (r *Route) verbs() []string {
	switch {
	case r.Method == nil:
		return []string{http.MethodGet, http.MethodHead}
	case r.Safe && !r.Stream():
		return []string{http.MethodGet, http.MethodPost}
	default:
		return []string{http.MethodPost}
	}
}

func choose(r *Route, verb string, verbs []string) (match Match, allow []string) {
	if slices.Contains(verbs, verb) {
		return Match{Route: r}, nil
	}
	return Match{}, verbs
}
