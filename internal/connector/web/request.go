package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// newRequest makes the request that the input describes. Errors are
// *connector.Error.
func newRequest(ctx context.Context, in, conn connector.Input, key string) (*http.Request, error) {
	u, err := target(in, conn)
	if err != nil {
		return nil, err
	}
	body, contentType, err := requestBody(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, in.Text("method"), u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, connector.Errorf(connector.InvalidInput, "the request makes no sense")
	}
	if contentType == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions) {
		r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	}
	r.Header.Set("User-Agent", "regie")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if in.Bool("idempotency_key") && !safe(r.Method) && key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if err := login(r, conn); err != nil {
		return nil, err
	}
	return r, setHeaders(r, in.Get("headers"), connector.InvalidInput)
}

// safe methods change nothing, idempotent ones no more by the second request
// than by the first (RFC 9110, section 9.2).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func idempotent(method string) bool {
	return safe(method) || method == http.MethodPut || method == http.MethodDelete
}

func login(r *http.Request, conn connector.Input) error {
	if basic := conn.Object("basic"); basic.Has("user") {
		r.SetBasicAuth(basic.Text("user"), basic.Text("password"))
	}
	if token := conn.Text("bearer"); token != "" {
		if err := checkHeader("Authorization", token); err != nil {
			return connector.Errorf(connector.InvalidConnection, "%v", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return setHeaders(r, conn.Get("headers"), connector.InvalidConnection)
}

// setHeaders adds headers to the request, those of the same name are replaced.
func setHeaders(r *http.Request, headers value.Value, errorName string) error {
	for _, m := range headers.Members() {
		text := scalarText(m.Value)
		if err := checkHeader(m.Key, text); err != nil {
			return connector.Errorf(errorName, "%v", err)
		}
		if strings.EqualFold(m.Key, "Host") {
			r.Host = text
			continue
		}
		r.Header.Set(m.Key, text)
	}
	return nil
}

// ownHeaders are set by the protocol; a step that sets them could make two
// requests out of one.
func ownHeaders() []string {
	return []string{
		"Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	}
}

// checkHeader refuses what would end the header and begin another (row B29).
// Its errors show the name only.
func checkHeader(name, text string) error {
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != "" {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	if slices.Contains(ownHeaders(), http.CanonicalHeaderKey(name)) {
		return fmt.Errorf("the header %s is set by the protocol and cannot be given", name)
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of the header %s contains a line end or control character", name)
		}
	}
	return nil
}

// target returns the URL of the request.
func target(in, conn connector.Input) (*url.URL, error) {
	u, err := address(in, conn)
	if err != nil {
		return nil, err
	}
	added, err := pairs(in.Get("query"), "query")
	if err != nil {
		return nil, err
	}
	if added != "" && u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += added
	return u, nil
}

func address(in, conn connector.Input) (*url.URL, error) {
	if !in.Has("connection") {
		if in.Has("path") {
			return nil, connector.Errorf(connector.InvalidInput, "path needs a connection; use url")
		}
		u, err := url.Parse(strings.TrimSpace(in.Text("url")))
		if err != nil {
			return nil, connector.Errorf(connector.InvalidInput, "url: it cannot be read as a URL")
		}
		if u.User != nil {
			return nil, connector.Errorf(connector.InvalidInput, "url: put user and password into a connection of type http")
		}
		if err := egress.CheckURL(u); err != nil {
			return nil, connector.Errorf(connector.InvalidInput, "url: %v", err)
		}
		u.Fragment = ""
		return u, nil
	}
	base, err := baseURL(conn.Text("url"))
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "url: %v", err)
	}
	rel, err := url.Parse(in.Text("path"))
	if err != nil || rel.IsAbs() || rel.Host != "" || rel.User != nil || rel.Opaque != "" {
		return nil, connector.Errorf(connector.InvalidInput, "path: want a path such as /batches, not a URL")
	}
	if slices.Contains(strings.FieldsFunc(rel.Path, func(r rune) bool { return r == '/' || r == '\\' }), "..") {
		return nil, connector.Errorf(connector.InvalidInput, "path: it must not contain ..")
	}
	u := base
	if rel.Path != "" {
		u = base.JoinPath(rel.EscapedPath())
	}
	u.RawQuery = rel.RawQuery
	return u, nil
}

// pairs encodes an object of scalars and lists of them, in its order.
func pairs(v value.Value, field string) (string, error) {
	var out []string
	for _, m := range v.Members() {
		values := []value.Value{m.Value}
		if m.Value.Kind() == value.KindList {
			values = m.Value.Items()
		}
		for _, item := range values {
			if item.IsNull() {
				continue
			}
			if item.Kind() == value.KindObject || item.Kind() == value.KindList {
				return "", connector.Errorf(connector.InvalidInput, "%s.%s: want a text, number or boolean", field, m.Key)
			}
			out = append(out, url.QueryEscape(m.Key)+"="+url.QueryEscape(scalarText(item)))
		}
	}
	return strings.Join(out, "&"), nil
}

func scalarText(v value.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	return v.String()
}

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	formType = "application/x-www-form-urlencoded"
)

// requestBody returns the body and its type, "" for none.
func requestBody(in connector.Input) (body []byte, contentType string, err error) {
	switch {
	case in.Has("json"):
		return in.Get("json").Append(nil), jsonType, nil
	case in.Has("text"):
		return []byte(in.Text("text")), textType, nil
	case in.Has("form"):
		form, err := pairs(in.Get("form"), "form")
		return []byte(form), formType, err
	}
	given := in.Get("body")
	if given.IsNull() {
		return nil, "", nil
	}
	if s, ok := given.Str(); ok {
		return []byte(s), textType, nil
	}
	return given.Append(nil), jsonType, nil
}
