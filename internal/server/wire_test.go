package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/routes"
)

// said is how a call of any route by any protocol ended: the code, "ok" if it
// was answered, and the problem with the message.
type said struct {
	code    string
	problem string // its stable code
	message string
	body    string // what was answered, as the protocol has it
}

// protocols are all ways to call a method.
var protocols = []string{"rest", "connect json", "connect binary", "connect get", "grpc", "grpc-web"}

// speaks reports whether a route can be called so.
func speaks(r *routes.Route, protocol string) bool {
	switch {
	case r.Method == nil:
		return protocol == "rest"
	case protocol == "rest":
		return len(r.Bindings) > 0
	case protocol == "connect get":
		return r.Safe && !r.Stream()
	}
	return true
}

// call calls a route with a request that is given as JSON. Of a stream it reads
// the first message.
func (w *world) call(t *testing.T, token string, r *routes.Route, protocol, request string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if protocol == "rest" {
		return w.callREST(t, token, r, request)
	}
	var message proto.Message
	if kind, err := protoregistry.GlobalTypes.FindMessageByName(r.Method.Input().FullName()); err != nil {
		t.Fatal(err)
	} else {
		message = kind.New().Interface()
	}
	if err := codec.Unmarshal([]byte(request), message); err != nil {
		t.Fatalf("%s: %s: %v", r.Name, request, err)
	}
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	verb, target, kind := http.MethodPost, w.url+r.Procedure(), "application/proto"
	switch protocol {
	case "connect json":
		kind, data = "application/json", []byte(request)
	case "connect get":
		verb, target = http.MethodGet, target+"?connect=v1&encoding=proto&base64=1&message="+base64.RawURLEncoding.EncodeToString(data)
		data = nil
	case "grpc":
		kind = "application/grpc"
	case "grpc-web":
		kind = "application/grpc-web"
	}
	if r.Stream() && strings.HasPrefix(protocol, "connect") {
		kind = strings.Replace(kind, "application/", "application/connect+", 1)
	}
	if r.Stream() || strings.HasPrefix(protocol, "grpc") {
		data = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...)
	}
	q, err := http.NewRequestWithContext(ctx, verb, target, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if verb == http.MethodPost {
		q.Header.Set("Content-Type", kind)
	}
	if protocol == "grpc" {
		q.Header.Set("TE", "trailers")
	}
	answer, err := (&http.Client{Transport: bearer{token, w.transport}}).Do(q)
	if err != nil {
		t.Fatalf("%s by %s: %v", r.Name, protocol, err)
	}
	defer answer.Body.Close()
	if r.Stream() || strings.HasPrefix(protocol, "grpc") {
		return framed(t, answer)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusOK {
		return said{code: "ok", body: string(body)}
	}
	return connectError(t, body)
}

// connectError reads an error of connect's protocol.
func connectError(t *testing.T, body []byte) said {
	t.Helper()
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details []struct {
			Value string `json:"value"`
		} `json:"details"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Code == "" || len(e.Details) != 1 {
		t.Fatalf("no error of connect: %s", body)
	}
	data, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return problemSaid(t, e.Code, e.Message, data, string(body))
}

func problemSaid(t *testing.T, code, message string, data []byte, body string) said {
	t.Helper()
	var p regiev1.Problem
	if err := proto.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return said{code, p.GetCode(), message, strings.ReplaceAll(body+message+p.String(), p.GetRequestId(), "ID")}
}

// framed reads the first frame of an answer, or how it ended.
func framed(t *testing.T, answer *http.Response) said {
	t.Helper()
	if answer.Header.Get("Grpc-Status") != "" { // all of it is in the header
		return grpcSaid(t, answer.Header)
	}
	var head [5]byte
	if _, err := io.ReadFull(answer.Body, head[:]); err == io.EOF {
		return grpcSaid(t, answer.Trailer)
	} else if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(answer.Body, data); err != nil {
		t.Fatal(err)
	}
	switch {
	case head[0]&0x80 != 0: // the trailers of gRPC-Web
		trailer := http.Header{}
		for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			trailer.Set(name, strings.TrimSpace(value))
		}
		return grpcSaid(t, trailer)
	case head[0]&2 != 0: // the end of a stream of connect
		var end struct {
			Error json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal(data, &end); err != nil {
			t.Fatal(err)
		}
		if end.Error != nil {
			return connectError(t, end.Error)
		}
	}
	return said{code: "ok", body: string(data)}
}

func grpcSaid(t *testing.T, trailer http.Header) said {
	t.Helper()
	n, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	if err != nil {
		t.Fatalf("no status in %v", trailer)
	}
	if n == 0 {
		return said{code: "ok"}
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(trailer.Get("Grpc-Status-Details-Bin"), "="))
	if err != nil {
		t.Fatal(err)
	}
	var s status.Status
	if err := proto.Unmarshal(data, &s); err != nil || len(s.GetDetails()) != 1 {
		t.Fatalf("no details in %v: %v", trailer, err)
	}
	return problemSaid(t, connect.Code(n).String(), s.GetMessage(), s.GetDetails()[0].GetValue(), "")
}

// callREST calls a route by its first path.
func (w *world) callREST(t *testing.T, token string, r *routes.Route, request string) said {
	t.Helper()
	verb, path, body := http.MethodGet, r.Name, ""
	if r.Method != nil {
		verb, path, body = restRequest(t, &r.Bindings[0], request)
	}
	a := w.rest(t, token, verb, path, body)
	if a.status == http.StatusOK {
		return said{code: "ok", body: a.body}
	}
	return restError(t, a)
}

// restError reads an error of REST.
func restError(t *testing.T, a answer) said {
	t.Helper()
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Problem struct {
			Code      string `json:"code"`
			RequestID string `json:"request_id"`
		} `json:"problem"`
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code == "" || e.Problem.RequestID == "" {
		t.Fatalf("status %d and no error of REST: %s", a.status, a.body)
	}
	return said{e.Code, e.Problem.Code, e.Message, strings.ReplaceAll(a.body, e.Problem.RequestID, "ID")}
}

// restRequest puts a request that is given as JSON into a path and a body.
func restRequest(t *testing.T, b *routes.Binding, request string) (verb, path, body string) {
	t.Helper()
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(request), &fields); err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	path = b.Template
	for _, v := range b.Variables {
		name := string(v.Name())
		text, _ := fields[name].(string)
		path = strings.Replace(path, "{"+name+"}", url.PathEscape(text), 1)
		delete(fields, name)
	}
	if b.Body {
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return b.Verb, path, string(text)
	}
	query := url.Values{}
	for name, value := range fields {
		query.Set(name, fmt.Sprint(value))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return b.Verb, path, ""
}
