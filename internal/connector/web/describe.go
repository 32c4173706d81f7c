package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of a request.
const (
	// DefaultTimeout is how long a request may take in all; MaxTimeout is the
	// most that can be asked for.
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = time.Hour
	// DefaultMaxBytes is the longest body of an answer, after decompression;
	// MaxMaxBytes is the most that can be asked for, since the answer is held
	// in memory.
	DefaultMaxBytes = 10 << 20
	MaxMaxBytes     = 256 << 20
	// MaxErrorBody is how much of the body of an unexpected answer is kept in
	// the error's details.
	MaxErrorBody = 64 << 10
)

func text() descriptor.Type { return descriptor.Type{Kind: descriptor.String} }

// scalar is what can stand in a header, query or form.
func scalar() descriptor.Type {
	return descriptor.Type{Kind: descriptor.OneOf, Options: []descriptor.Type{
		{Kind: descriptor.String}, {Kind: descriptor.Number}, {Kind: descriptor.Boolean},
	}}
}

// scalars is a map of texts, numbers and booleans, of lists of them for names
// that occur several times, and of null for names to leave out.
func scalars() descriptor.Type {
	return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &descriptor.Type{Kind: descriptor.Any}}
}

func headers() descriptor.Type {
	one := scalar()
	return descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: &one}
}

func describe() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "http.request",
		Doc: "Sends one HTTP request and waits for the answer. The step succeeds when the status is one of those " +
			"expected; else its error is `http.` and the status, such as `http.503`.\n\n" +
			"Other errors: `timeout`, `egress_denied` (the address may not be called), `http.connect` (no connection), " +
			"`http.protocol` (the answer is not sound, or broke off), `http.too_large`, `invalid_input`.\n\n" +
			"Public addresses may be called; loopback and private ones only where a connection or the server's " +
			"`egress.allow` names host and port. Redirects are followed up to 10 times, under the same rules; on the way " +
			"to another host all headers are dropped that could carry rights.\n\n" +
			"When the connection breaks after a request was sent whose method is not idempotent (POST, PATCH), its " +
			"outcome is unknown: the attempt counts as lost, not as failed.",
		Connections: []string{"http"},
		Input:       inputObject(),
		Output: &descriptor.Object{Name: "http.request output", Doc: "What the server answered.", Fields: []descriptor.Field{
			{Name: "status", Doc: "The status code.", Type: descriptor.Type{Kind: descriptor.Integer}, Required: true},
			{Name: "headers", Doc: "The headers by their names in small letters; values of a repeated one are joined by a comma.", Type: headers(), Required: true},
			{Name: "body", Doc: "The body as `body_format` says; null if there is none.", Type: descriptor.Type{Kind: descriptor.Any}, Required: true},
			{Name: "body_format", Doc: "How the body is given.", Type: text(), Required: true, Enum: []descriptor.EnumValue{
				{Text: "none", Doc: "There is no body."},
				{Text: "json", Doc: "It was read as JSON."},
				{Text: "text", Doc: "It is a text."},
				{Text: "base64", Doc: "It is a text in base64, since the body is not a text."},
			}},
		}},
	}
}

func inputObject() *descriptor.Object {
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
	enum := make([]descriptor.EnumValue, len(methods))
	for i, m := range methods {
		enum[i] = descriptor.EnumValue{Text: m, Doc: "The method " + m + "."}
	}
	status := descriptor.Type{Kind: descriptor.OneOf, Options: []descriptor.Type{
		{Kind: descriptor.Integer, Min: descriptor.Bound(100), Max: descriptor.Bound(599)}, {Kind: descriptor.String},
	}}
	return &descriptor.Object{
		Name: "http.request",
		Doc:  "What to request.",
		Fields: []descriptor.Field{
			{Name: "url", Doc: "The URL, `http` or `https`, without user and password.", Type: text(), Template: true, Example: "https://api.example.org/v1/rates"},
			{Name: "connection", Doc: "The connection of type `http` whose address, headers and credentials are used.", Type: descriptor.Type{Kind: descriptor.Name}, Template: true, Example: "bank"},
			{Name: "path", Doc: "Path below the connection's URL, with or without a query. It cannot lead out of it.", Type: text(), Template: true, Example: "/batches"},
			{Name: "method", Doc: "The method.", Type: text(), Default: value.String(http.MethodGet), Enum: enum, Template: true},
			{Name: "headers", Doc: "Headers to send.", Type: headers(), Template: true, Secrets: true, Example: "{Accept: application/json}"},
			{Name: "query", Doc: "Parameters that are added to the URL, encoded: texts, numbers and booleans. A list repeats the name, null leaves it out.", Type: scalars(), Template: true, Example: `{date: "${{ run.business_date }}"}`},
			{Name: "body", Doc: "The body: an object or list is sent as JSON, a text as it is.", Type: descriptor.Type{Kind: descriptor.Any}, Template: true, Example: `"${{ steps.settle.output }}"`},
			{Name: "json", Doc: "The body as JSON, whatever it is.", Type: descriptor.Type{Kind: descriptor.Any}, Template: true},
			{Name: "form", Doc: "The body as fields of a form, written as in `query`.", Type: scalars(), Template: true, Example: "{grant_type: client_credentials}"},
			{Name: "text", Doc: "The body as plain text.", Type: text(), Template: true},
			{Name: "expected_status", Doc: "Which answers are a success: a status, a class such as `2xx`, or a list of them.", Type: descriptor.Type{
				Kind: descriptor.OneOf, Options: append([]descriptor.Type{{Kind: descriptor.List, Elem: &status}}, status.Options...),
			}, Default: value.String("2xx"), Example: "[2xx, 404]"},
			{Name: "response", Doc: "How the body of the answer is given.", Type: text(), Default: value.String("auto"), Enum: []descriptor.EnumValue{
				{Text: "auto", Doc: "JSON where the answer says that it is JSON, else as text, else in base64."},
				{Text: "json", Doc: "As JSON, whatever the answer says."},
				{Text: "text", Doc: "As text."},
				{Text: "base64", Doc: "In base64, byte for byte."},
			}},
			{Name: "timeout", Doc: "How long the request may take in all, at most 1h.", Type: descriptor.Type{Kind: descriptor.Duration}, Default: value.String("30s"), Template: true},
			{Name: "max_bytes", Doc: "The longest body that is read, after decompression.", Type: descriptor.Type{
				Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxMaxBytes),
			}, Default: value.Int(DefaultMaxBytes), Template: true},
			{Name: "follow_redirects", Doc: "Whether redirects are followed.", Type: descriptor.Type{Kind: descriptor.Boolean}, Default: value.True},
			{Name: "idempotency_key", Doc: "Whether requests that change something carry the header `Idempotency-Key`, " +
				"which is the same for all attempts of the step, so that a server that knows it acts once.", Type: descriptor.Type{Kind: descriptor.Boolean}, Default: value.True},
		},
		OneOfGroups: []descriptor.Group{
			{Fields: []string{"url", "connection"}, Needed: true, What: "where the request goes"},
			{Fields: []string{"url", "path"}, What: "where the request goes"},
			{Fields: []string{"body", "json", "form", "text"}, What: "the body"},
		},
		Example: "uses: http.request\nwith:\n  connection: bank\n  method: POST\n  path: /batches\n  body: ${{ steps.settle.output }}\n",
	}
}

// ConnectionType describes connections of type http.
func ConnectionType() connector.ObjectType {
	return connector.ObjectType{
		Name: "http",
		Object: &descriptor.Object{
			Name: "http connection",
			Doc:  "A web server and how to log in to it. Its host and port may be called through it also where they are private.",
			Fields: []descriptor.Field{
				{Name: "url", Doc: "The URL under which the paths of requests lie.", Type: text(), Required: true, Template: true, Secrets: true, Example: "https://bank.example.org/api/v2"},
				{Name: "headers", Doc: "Headers of every request; those of the step win.", Type: headers(), Template: true, Secrets: true, Example: `{X-Api-Key: "${{ secrets.BANK_KEY }}"}`},
				{Name: "basic", Doc: "Log in with user and password.", Template: true, Secrets: true, Type: descriptor.Type{Kind: descriptor.Struct, Object: &descriptor.Object{
					Name: "http connection basic", Doc: "User and password.", Fields: []descriptor.Field{
						{Name: "user", Doc: "The user.", Type: text(), Required: true, Template: true, Secrets: true},
						{Name: "password", Doc: "The password.", Type: text(), Required: true, Template: true, Secrets: true},
					},
				}}},
				{Name: "bearer", Doc: "Log in with a token.", Type: text(), Template: true, Secrets: true, Example: `"${{ secrets.BANK_TOKEN }}"`},
				{Name: "ca", Doc: "Certificates (PEM) of the authorities that the server's certificate must come from, instead of the system's.", Type: text(), Template: true, Secrets: true},
			},
			OneOfGroups: []descriptor.Group{{Fields: []string{"basic", "bearer"}, What: "how to log in"}},
			Example:     "kind: Connection\nname: bank\ntype: http\nurl: https://bank.example.org/api/v2\nbearer: ${{ secrets.BANK_TOKEN }}\n",
		},
		Hosts: func(fields value.Value) ([]string, error) {
			base, err := baseURL(connector.Input{Value: fields}.Text("url"))
			if err != nil {
				return nil, err
			}
			place, err := egress.PlaceOf(base)
			if err != nil {
				return nil, err
			}
			return []string{place.String()}, nil
		},
	}
}

// baseURL checks a connection's URL.
func baseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, &egress.URLError{Reason: "the URL cannot be read"} // the parser's message quotes it
	}
	if err := egress.CheckURL(u); err != nil {
		return nil, err
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &egress.URLError{Reason: "the URL of a connection has no user, query or fragment; use basic, or query of the step"}
	}
	return u, nil
}
