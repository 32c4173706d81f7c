package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// expectation is the set of statuses that count as success.
type expectation map[int]bool

func newExpectation(v value.Value) (expectation, error) {
	items := v.Items()
	if v.Kind() != value.KindList {
		items = []value.Value{v}
	}
	set := expectation{}
	for _, item := range items {
		entry := strings.ToLower(scalarText(item))
		if class, ok := strings.CutSuffix(entry, "xx"); ok && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
			for code := range 100 {
				set[int(class[0]-'0')*100+code] = true
			}
			continue
		}
		code, err := strconv.Atoi(entry)
		if err != nil || code < 100 || code > 599 {
			return nil, connector.Errorf(connector.InvalidInput, "expected_status: %q is neither a status nor a class such as 2xx", entry)
		}
		set[code] = true
	}
	return set, nil
}

// output is the step's output for an answer.
func output(resp *egress.Response, format string) (value.Value, error) {
	body, bodyFormat, err := decode(resp.Body, resp.Header.Get("Content-Type"), format)
	if err != nil {
		return value.Undefined, err
	}
	return value.Object(
		value.M("status", value.Int(int64(resp.Status))),
		value.M("headers", headerValue(resp.Header)),
		value.M("body", body),
		value.M("body_format", value.String(bodyFormat)),
	), nil
}

func headerValue(h http.Header) value.Value {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	members := make([]value.Member, len(names))
	for i, name := range names {
		text := strings.ToValidUTF8(strings.Join(h[name], ", "), "\ufffd")
		members[i] = value.M(strings.ToLower(name), value.String(text))
	}
	return value.Object(members...)
}

// decode reads a body in the format wanted and says which it gave.
func decode(body []byte, contentType, format string) (v value.Value, given string, err error) {
	if format == "auto" {
		format = "text"
		if isJSON(contentType) {
			format = "json"
		}
		if !utf8.Valid(body) {
			format = "base64"
		}
	}
	switch {
	case len(body) == 0:
		return value.Null, "none", nil
	case format == "base64":
		return value.String(base64.StdEncoding.EncodeToString(body)), format, nil
	case format == "json":
		// Some servers put a byte order mark before it, which RFC 8259 lets
		// readers ignore.
		v, err := value.Parse(bytes.TrimPrefix(body, []byte("\ufeff")))
		if err != nil {
			return value.Undefined, "", fmt.Errorf("the body is not sound JSON: %w (response: text gives it as it is)", err)
		}
		return v, format, nil
	}
	return value.String(strings.ToValidUTF8(string(body), "\ufffd")), "text", nil
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == jsonType || strings.HasSuffix(media, "+json"))
}

const excerptLength = 200 // characters of a body in a message

// statusError is the error for an answer with an unexpected status; body may be
// nil if it could not be read.
func statusError(r *http.Request, status int, header http.Header, body []byte, now time.Time) *connector.Error {
	e := connector.Errorf(fmt.Sprintf("http.%d", status), "%s answered %d %s", summary(r), status, http.StatusText(status))
	whole := body
	if len(body) > MaxErrorBody {
		body = body[:MaxErrorBody]
	}
	v, format, err := decode(whole, header.Get("Content-Type"), "auto")
	if err != nil || len(body) < len(whole) {
		v, format = value.String(strings.ToValidUTF8(string(body), "\ufffd")), "text"
	}
	if format == "text" || format == "json" {
		text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "\ufffd")), " ")
		if runes := []rune(text); len(runes) > excerptLength {
			text = string(runes[:excerptLength]) + "…"
		}
		e.Message += ": " + text
	}
	e.Details = value.Object(
		value.M("status", value.Int(int64(status))),
		value.M("headers", headerValue(header)),
		value.M("body", v),
		value.M("body_format", value.String(format)),
	)
	e.RetryAfter = egress.RetryAfter(header, now)
	return e
}

// summary names a request without its query, which may hold secrets.
func summary(r *http.Request) string {
	return r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
}
