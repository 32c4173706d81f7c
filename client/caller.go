package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Fields that many messages have, and the client knows.
const (
	fieldMinPosition = "min_position"
	fieldPosition    = "position"
	fieldKey         = "idempotency_key"
)

// A caller stands between the services and the network.
type caller struct{ client *Client }

var _ connect.Interceptor = (*caller)(nil)

// sign puts into a header who calls.
func (c *caller) sign(header http.Header) {
	if c.client.cfg.Token != "" && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+c.client.cfg.Token)
	}
	header.Set("User-Agent", c.client.cfg.UserAgent)
}

// WrapUnary implements connect.Interceptor.
func (c *caller) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		c.sign(request.Header())
		repeatable := c.prepare(request)
		for try := 1; ; try++ {
			response, err := next(ctx, request)
			if err == nil {
				c.learn(request.Spec(), response.Any())
				return response, nil
			}
			if !repeatable || connect.CodeOf(err) != connect.CodeUnavailable || try >= c.client.cfg.Retry.Tries {
				return nil, explain(err)
			}
			if c.client.cfg.Retry.wait(ctx, try) != nil {
				return nil, explain(err)
			}
		}
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (c *caller) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		c.sign(conn.RequestHeader())
		return explainedConn{conn}
	}
}

// WrapStreamingHandler implements connect.Interceptor: there are no handlers here.
func (*caller) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// explainedConn explains the errors of a stream.
type explainedConn struct{ connect.StreamingClientConn }

// Receive implements connect.StreamingClientConn.
func (c explainedConn) Receive(message any) error {
	err := c.StreamingClientConn.Receive(message)
	if errors.Is(err, io.EOF) {
		return err //nolint:wrapcheck // connect compares it
	}
	return explain(err)
}

// prepare fills in the fields that the client knows, in a copy of the message,
// and says whether the call may be repeated.
func (c *caller) prepare(request connect.AnyRequest) (repeatable bool) {
	message, ok := request.Any().(proto.Message)
	if !ok {
		return false
	}
	repeatable = reads(request.Spec())
	fields := message.ProtoReflect().Descriptor().Fields()
	var position, key protoreflect.FieldDescriptor
	if f := fields.ByName(fieldMinPosition); f != nil && message.ProtoReflect().Get(f).Uint() == 0 && c.client.Position() > 0 {
		position = f
	}
	if f := fields.ByName(fieldKey); f != nil {
		repeatable = true
		if message.ProtoReflect().Get(f).String() == "" {
			key = f
		}
	}
	if position == nil && key == nil {
		return repeatable
	}
	filled := proto.Clone(message)
	if position != nil {
		filled.ProtoReflect().Set(position, protoreflect.ValueOfUint64(c.client.Position()))
	}
	if key != nil {
		filled.ProtoReflect().Set(key, protoreflect.ValueOfString(newKey()))
	}
	// connect.Request has its message in an exported field, of a type that only
	// reflection can name here. The caller's own message stays as it is.
	reflect.ValueOf(request).Elem().FieldByName("Msg").Set(reflect.ValueOf(filled))
	return repeatable
}

// learn remembers the position of a write.
func (c *caller) learn(spec connect.Spec, answer any) {
	message, ok := answer.(proto.Message)
	if !ok || reads(spec) {
		return
	}
	f := message.ProtoReflect().Descriptor().Fields().ByName(fieldPosition)
	if f != nil && f.Kind() == protoreflect.Uint64Kind {
		c.client.SeenPosition(message.ProtoReflect().Get(f).Uint())
	}
}

// reads says that a method changes nothing.
func reads(spec connect.Spec) bool {
	method, ok := spec.Schema.(protoreflect.MethodDescriptor)
	if !ok {
		return false
	}
	options, ok := method.Options().(*descriptorpb.MethodOptions)
	if !ok || !proto.HasExtension(options, regiev1.E_Access) {
		return false
	}
	access, ok := proto.GetExtension(options, regiev1.E_Access).(*regiev1.Access)
	return ok && !access.GetWrite()
}

// newKey makes an idempotency key that nobody else makes.
func newKey() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // it does not fail
	return hex.EncodeToString(random)
}

// filled returns the configuration with its defaults.
func (r Retry) filled() Retry {
	if r.Tries <= 0 {
		r.Tries = 5
	}
	if r.First <= 0 {
		r.First = 200 * time.Millisecond
	}
	if r.Most <= 0 {
		r.Most = 5 * time.Second
	}
	return r
}

// pause is the wait after a number of tries, from 1: between a half and the whole
// of what doubles with each try.
func (r Retry) pause(tries int) time.Duration {
	whole := r.First
	for range tries - 1 {
		if whole >= r.Most {
			break
		}
		whole *= 2
	}
	whole = min(whole, r.Most)
	random := make([]byte, 1)
	_, _ = rand.Read(random) // it does not fail
	return whole/2 + whole/2*time.Duration(random[0])/256
}

// wait waits before the next try. The error is that of the context.
func (r Retry) wait(ctx context.Context, tries int) error {
	timer := time.NewTimer(r.pause(tries))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
