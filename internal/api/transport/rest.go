package transport

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
)

// serveREST makes a message of path, query and body, lets connect's handler
// answer it, and writes the answer as JSON, or a stream of google.api.HttpBody as
// it is.
func (h *Handler) serveREST(w *writer, r *http.Request, x *exchange, match routes.Match) {
	message, status, err := restMessage(w, r, match)
	if err != nil {
		h.fail(w, r, x, status, err)
		return
	}
	inner, err := innerRequest(r, match.Route, message)
	if err != nil {
		h.fail(w, r, x, 0, err)
		return
	}
	x.rest = &sink{writer: w}
	answer := &discard{header: http.Header{}}
	h.service(match.Route).ServeHTTP(answer, inner)
	if !x.rest.streaming {
		forward(w.Header(), answer.header)
	}
	switch {
	case x.sent != nil && x.rest.streaming:
		x.cut = true
		panic(http.ErrAbortHandler) // what was sent so far must not pass for all
	case x.sent != nil:
		h.fail(w, r, x, 0, x.sent)
	case !x.entered:
		h.fail(w, r, x, 0, errors.New("connect refused a request that was translated from REST"))
	case match.Route.Stream():
		x.rest.begin(nil)
	default:
		text, err := codec.Marshal(x.rest.message)
		if err != nil {
			h.fail(w, r, x, 0, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the client is gone
	}
}

// restMessage makes the request's message. A status of 0 stands for that of the
// error's code.
func restMessage(w *writer, r *http.Request, match routes.Match) (message proto.Message, status int, err error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(match.Route.Method.Input().FullName())
	if err != nil {
		return nil, 0, err
	}
	m := kind.New()
	if match.Binding.Body {
		if status, err := restBody(w, r, match.Route, m.Interface()); err != nil {
			return nil, status, err
		}
	} else if err := noBody(r); err != nil {
		return nil, 0, err
	}
	for i, field := range match.Binding.Variables {
		value := match.Values[i]
		if sent := m.Get(field).String(); sent != "" && sent != value {
			return nil, 0, problem.Invalid(field.TextName(), "differs from the one in the path")
		}
		m.Set(field, protoreflect.ValueOfString(value))
	}
	if err := query(m, match.Binding, r.URL.RawQuery); err != nil {
		return nil, 0, err
	}
	return m.Interface(), 0, nil
}

// restBody reads the body into the message.
func restBody(w *writer, r *http.Request, route *routes.Route, message proto.Message) (status int, err error) {
	if name, ok := mediaType(r.Header); !ok || name != "application/json" {
		return http.StatusUnsupportedMediaType, unsupported("send JSON, with Content-Type: application/json")
	}
	if r.ContentLength > int64(route.MaxBody) {
		return http.StatusRequestEntityTooLarge, tooLarge(route.MaxBody)
	}
	var reader io.Reader = w.limit(r, route, 0)
	switch encoding := strings.Join(r.Header.Values("Content-Encoding"), ","); encoding {
	case "", "identity":
	case "gzip":
		unzip, err := gzip.NewReader(reader)
		if err != nil {
			return 0, malformed(err)
		}
		reader = io.LimitReader(unzip, int64(route.MaxBody)+1)
	default:
		return http.StatusUnsupportedMediaType, unsupported("compress with gzip or not at all")
	}
	text, err := io.ReadAll(reader)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), len(text) > route.MaxBody:
		return http.StatusRequestEntityTooLarge, tooLarge(route.MaxBody)
	case err != nil:
		return 0, malformed(err)
	}
	return 0, codec.Unmarshal(text, message)
}

// noBody refuses a body where the path and the query say everything, also one of
// unknown length: to find it empty would mean to wait for it.
func noBody(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	return problem.Invalid("", r.Method+" takes no body here; put what it says into the query")
}

// innerRequest is the request as connect's handler reads it.
func innerRequest(r *http.Request, route *routes.Route, message proto.Message) (*http.Request, error) {
	data, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	inner := r.Clone(r.Context())
	inner.Method = http.MethodPost
	inner.URL.Path, inner.URL.RawPath, inner.URL.RawQuery = route.Procedure(), "", ""
	for key := range inner.Header {
		if ofProtocol(key) {
			delete(inner.Header, key)
		}
	}
	inner.Header.Set("Content-Type", "application/proto")
	if route.Stream() {
		inner.Header.Set("Content-Type", "application/connect+proto")
		envelope := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data)))
		data = append(envelope, data...)
	}
	inner.Body = io.NopCloser(bytes.NewReader(data))
	inner.ContentLength = int64(len(data))
	return inner, nil
}

// ofProtocol says that a header is about the protocol, and so not for the handler
// or client on the other side of the translation.
func ofProtocol(key string) bool {
	for _, prefix := range []string{"Connect-", "Grpc-", "Trailer-", "Content-", "Accept-", "Trailer:"} {
		if strings.HasPrefix(key, prefix) && key != "Content-Disposition" {
			return true
		}
	}
	return key == "Te" || key == "Trailer" || key == "Date"
}

// forward copies the headers that a handler set.
func forward(to, from http.Header) {
	for key, values := range from {
		if !ofProtocol(key) {
			to[key] = values
		}
	}
}

// A sink takes the answer of a REST request.
type sink struct {
	writer *writer
	// message is the answer of a method that is no stream.
	message proto.Message
	// streaming says that the answer has begun.
	streaming bool
}

// begin writes the headers of a stream, once. It is offered for download and
// never shown, whatever it contains, for tasks wrote it.
func (s *sink) begin(first *httpbody.HttpBody) {
	if s.streaming {
		return
	}
	s.streaming = true
	header := s.writer.Header()
	header.Set("Content-Type", "application/octet-stream")
	if kind := first.GetContentType(); kind != "" {
		header.Set("Content-Type", kind)
	}
	if header.Get("Content-Disposition") == "" {
		header.Set("Content-Disposition", "attachment")
	}
	s.writer.WriteHeader(http.StatusOK)
}

// send writes one message of a stream. The header is what the handler has set.
func (s *sink) send(header http.Header, message any) error {
	part, _ := message.(*httpbody.HttpBody)
	if part == nil {
		return nil // only headers: they are sent with the first part
	}
	if !s.streaming {
		forward(s.writer.Header(), header)
		s.begin(part)
	}
	if _, err := s.writer.Write(part.GetData()); err != nil {
		return connect.NewError(connect.CodeCanceled, err)
	}
	s.writer.Flush()
	return nil
}

// discard is where connect writes the answer that a sink already has.
type discard struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d *discard) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (*discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (*discard) WriteHeader(int) {}

// Flush implements http.Flusher.
func (*discard) Flush() {}
