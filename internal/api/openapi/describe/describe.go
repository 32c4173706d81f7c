package describe

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/value"
)

// Version is the version of OpenAPI that documents are written in.
const Version = "3.1.1"

// about is the description of the whole.
const about = `The REST form of Regie's API.

The same methods can be called with gRPC, gRPC-Web and connect on the same port, as ` +
	"`/regie.v1.SERVICE/METHOD`" + `; streams of messages only so.

Names are in snake_case. 64-bit numbers are strings. Fields that have no value are left out if they are objects
or times, and written with their zero value otherwise. Requests are read strictly: unknown fields and parameters,
duplicate keys, and a field of the body that differs from the path are refused.

Every error has the form Error. Every answer bears X-Request-Id, by which the server's log and audit log name the request.`

// Document returns the document for the services in the files, which need their
// comments, and the plain routes of the server. An error is a fault of the
// definition.
func Document(files []protoreflect.FileDescriptor) (string, error) {
	table, err := routes.New(nil, files...)
	if err != nil {
		return "", err
	}
	d := &describer{seen: map[protoreflect.FullName]bool{}}
	paths := map[string]map[string]value.Value{}
	put := func(path, verb string, operation value.Value) {
		if paths[path] == nil {
			paths[path] = map[string]value.Value{}
		}
		paths[path][strings.ToLower(verb)] = operation
	}
	for path, operation := range plain() {
		put(path, http.MethodGet, operation)
	}
	for _, r := range table.Routes() {
		for i := range r.Bindings {
			put(r.Bindings[i].Template, r.Bindings[i].Verb, d.operation(r, i))
		}
	}
	d.reach((*regiev1.Problem)(nil).ProtoReflect().Descriptor(), files)
	schemas, err := d.schemas()
	if err != nil {
		return "", err
	}
	document := value.Object(
		value.M("openapi", value.String(Version)),
		value.M("info", value.Object(
			value.M("title", value.String("Regie")),
			value.M("version", value.String("v1")),
			value.M("description", value.String(about)),
		)),
		value.M("servers", value.List(value.Object(value.M("url", value.String("/"))))),
		value.M("security", value.List(
			value.Object(value.M("token", value.List())), value.Object(value.M("session", value.List())),
		)),
		value.M("tags", tags(files)),
		value.M("paths", pathItems(paths)),
		value.M("components", value.Object(
			value.M("schemas", schemas),
			value.M("responses", value.Object(value.M("Error", errorResponse()))),
			value.M("securitySchemes", securitySchemes()),
		)),
	)
	return document.Indent() + "\n", nil
}

// pathItems puts paths and their operations in order.
func pathItems(paths map[string]map[string]value.Value) value.Value {
	var members []value.Member
	for path, operations := range paths {
		var item []value.Member
		for _, verb := range []string{"get", "put", "post", "delete", "patch"} {
			if operation, ok := operations[verb]; ok {
				item = append(item, value.M(verb, operation))
			}
		}
		members = append(members, value.M(path, value.Object(item...)))
	}
	slices.SortFunc(members, func(a, b value.Member) int { return cmp.Compare(a.Key, b.Key) })
	return value.Object(members...)
}

// tags lists the services.
func tags(files []protoreflect.FileDescriptor) value.Value {
	var out []value.Value
	for _, file := range files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			out = append(out, value.Object(
				value.M("name", value.String(string(service.Name()))),
				value.M("description", value.String(comment(service))),
			))
		}
	}
	return value.List(out...)
}

// operation describes one way to call a method by REST.
func (d *describer) operation(r *routes.Route, binding int) value.Value {
	b := &r.Bindings[binding]
	id := string(r.Method.Parent().Name()) + "_" + string(r.Method.Name())
	if binding > 0 {
		id = fmt.Sprintf("%s_%d", id, binding+1)
	}
	text := comment(r.Method)
	summary, _, _ := strings.Cut(text, ". ")
	members := []value.Member{
		value.M("operationId", value.String(id)),
		value.M("tags", value.List(value.String(string(r.Method.Parent().Name())))),
		value.M("summary", value.String(strings.TrimSuffix(strings.ReplaceAll(summary, "\n", " "), "."))),
		value.M("description", value.String(text)),
		value.M("x-regie-permission", value.String(PermissionName(r.Permission))),
	}
	if r.Permission == regiev1.Permission_PERMISSION_PUBLIC {
		members = append(members, value.M("security", value.List()))
	}
	if parameters := d.parameters(b); len(parameters) > 0 {
		members = append(members, value.M("parameters", value.List(parameters...)))
	}
	if b.Body {
		members = append(members, value.M("requestBody", value.Object(
			value.M("required", value.Bool(true)),
			value.M("content", jsonContent(d.message(r.Method.Input()))),
		)))
	}
	members = append(members, value.M("responses", value.Object(
		value.M("200", d.response(r)),
		value.M("default", ref("responses", "Error")),
	)))
	return value.Object(members...)
}

// parameters describes what stands in the path and the query.
func (d *describer) parameters(b *routes.Binding) []value.Value {
	var out []value.Value
	for _, f := range b.Variables {
		out = append(out, parameter(f, "path", d.field(f, false)))
	}
	for _, f := range b.Query {
		out = append(out, parameter(f, "query", d.field(f, false)))
	}
	return out
}

func parameter(f protoreflect.FieldDescriptor, in string, schema value.Value) value.Value {
	members := []value.Member{
		value.M("name", value.String(f.TextName())),
		value.M("in", value.String(in)),
	}
	if in == "path" {
		members = append(members, value.M("required", value.Bool(true)))
	}
	if text := comment(f); text != "" {
		members = append(members, value.M("description", value.String(text)))
	}
	return value.Object(append(members, value.M("schema", schema))...)
}

// response describes a good answer.
func (d *describer) response(r *routes.Route) value.Value {
	if r.Stream() {
		return value.Object(
			value.M("description", value.String("The content. A connection that is cut means that it is not whole.")),
			value.M("content", value.Object(value.M("*/*", value.Object()))),
		)
	}
	return value.Object(
		value.M("description", value.String("The answer.")),
		value.M("content", jsonContent(d.message(r.Method.Output()))),
	)
}

func jsonContent(schema value.Value) value.Value {
	return value.Object(value.M("application/json", value.Object(value.M("schema", schema))))
}

func errorResponse() value.Value {
	return value.Object(
		value.M("description", value.String("What went wrong. The status is 400 for requests that are wrong, 401 without a good token "+
			"or session, 403 without permission, 404 and 405 for what is not there, 409 for conflicts, 413 and 415 for bodies "+
			"that are too large or of the wrong type, 429 when it is too much, 499 when the client went away, 500 for "+
			"faults of the server, 501 for what it does not have, 503 when it cannot answer now, and 504 when it took too long.")),
		value.M("content", jsonContent(ref("schemas", "Error"))),
	)
}

func securitySchemes() value.Value {
	return value.Object(
		value.M("token", value.Object(
			value.M("type", value.String("http")),
			value.M("scheme", value.String("bearer")),
			value.M("description", value.String("A token of the API.")),
		)),
		value.M("session", value.Object(
			value.M("type", value.String("apiKey")),
			value.M("in", value.String("cookie")),
			value.M("name", value.String("__Host-regie")),
			value.M("description", value.String("The session that a login opens, for browsers. Without TLS, on loopback, its name is regie.")),
		)),
	)
}

// plain describes the routes that are no methods.
func plain() map[string]value.Value {
	route := func(id, summary, media string, permission regiev1.Permission, good ...value.Member) value.Value {
		members := []value.Member{
			value.M("operationId", value.String(id)),
			value.M("summary", value.String(summary)),
			value.M("x-regie-permission", value.String(PermissionName(permission))),
		}
		if permission == regiev1.Permission_PERMISSION_PUBLIC {
			members = append(members, value.M("security", value.List()))
		}
		content := value.M("content", value.Object(value.M(media, value.Object())))
		answers := append([]value.Member{value.M("200", value.Object(value.M("description", value.String("The answer.")), content))}, good...)
		answers = append(answers, value.M("default", ref("responses", "Error")))
		return value.Object(append(members, value.M("responses", value.Object(answers...)))...)
	}
	notReady := value.M("503", value.Object(value.M("description", value.String("It is not, and the text says why."))))
	return map[string]value.Value{
		"/healthz":      route("healthz", "Whether the server lives", "text/plain", regiev1.Permission_PERMISSION_PUBLIC, notReady),
		"/readyz":       route("readyz", "Whether the server takes requests", "text/plain", regiev1.Permission_PERMISSION_PUBLIC, notReady),
		"/metrics":      route("metrics", "Metrics in the form of Prometheus", "text/plain", regiev1.Permission_PERMISSION_METRICS_READ),
		"/openapi.json": route("openapi", "This document", "application/json", regiev1.Permission_PERMISSION_KNOWN),
	}
}

// PermissionName is how a permission is written: runs.read.
func PermissionName(p regiev1.Permission) string {
	name := strings.ToLower(strings.TrimPrefix(p.String(), "PERMISSION_"))
	return strings.Replace(name, "_", ".", 1)
}

// comment returns what the definition says about something.
func comment(d protoreflect.Descriptor) string {
	location := d.ParentFile().SourceLocations().ByDescriptor(d)
	var parts []string
	for _, part := range []string{location.LeadingComments, location.TrailingComments} {
		lines := strings.Split(part, "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		if text := strings.TrimSpace(strings.Join(lines, "\n")); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}
