package object

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

func placeOf(in connector.Input) place {
	return place{bucket: in.Text("bucket"), key: in.Text("key"), version: in.Text("version")}
}

// get reads one object.
func get(ctx context.Context, s store, in connector.Input, _ connector.Call) (connector.Result, error) {
	at := placeOf(in)
	c, text, err := readAll(ctx, s, at, in.Int("max_bytes"))
	if err != nil {
		return connector.Result{}, err
	}
	body, err := decode(at, text, in.Text("as"))
	if err != nil {
		return connector.Result{}, err
	}
	metadata := make([]value.Member, 0, len(c.metadata))
	for _, name := range slices.Sorted(maps.Keys(c.metadata)) {
		metadata = append(metadata, value.M(name, value.String(c.metadata[name])))
	}
	return connector.Result{BytesIn: int64(len(text)), Output: value.Object(
		value.M("body", body),
		value.M("size", value.Int(int64(len(text)))),
		value.M("etag", value.String(c.etag)),
		value.M("content_type", value.String(c.contentType)),
		value.M("last_modified", instant(c.modified)),
		value.M("metadata", value.Object(metadata...)),
	)}, nil
}

func instant(t time.Time) value.Value { return value.String(t.UTC().Format(time.RFC3339)) }

func decode(at place, text []byte, as string) (value.Value, error) {
	switch {
	case as == "base64":
		return value.String(base64.StdEncoding.EncodeToString(text)), nil
	case as == "json":
		v, err := value.Parse(text)
		if err != nil {
			return value.Undefined, errorAt(Invalid, at, "object %s is not sound JSON: %v", at, err)
		}
		return v, nil
	case !utf8.Valid(text):
		return value.Undefined, errorAt(Invalid, at, "object %s is not text in UTF-8; read it with as: base64", at)
	}
	return value.String(string(text)), nil
}

// put writes one object.
func put(ctx context.Context, s store, in connector.Input, _ connector.Call) (connector.Result, error) {
	body, contentType, err := encode(in)
	if err != nil {
		return connector.Result{}, err
	}
	if given := in.Text("content_type"); given != "" {
		contentType = given
	}
	etag, err := s.put(ctx, placeOf(in), body, contentType)
	if err != nil {
		return connector.Result{}, err
	}
	size := int64(len(body))
	return connector.Result{BytesOut: size, Output: value.Object(value.M("etag", value.String(etag)), value.M("size", value.Int(size)))}, nil
}

// encode makes the bytes of an object: a text as it is or as base64, anything
// else as JSON.
func encode(in connector.Input) (body []byte, contentType string, err error) {
	v := in.Get("body")
	text, isText := v.Str()
	switch {
	case !in.Bool("base64") && isText:
		return []byte(text), "text/plain; charset=utf-8", nil
	case !in.Bool("base64"):
		return v.Append(nil), "application/json", nil
	}
	if body, err = base64.StdEncoding.DecodeString(text); err != nil || !isText {
		return nil, "", connector.Errorf(connector.InvalidInput, "body: with base64: true it must be a text in base64")
	}
	return body, "application/octet-stream", nil
}

// list lists objects.
func list(ctx context.Context, s store, in connector.Input, _ connector.Call) (connector.Result, error) {
	limit := int(in.Int("max_items"))
	objects := []value.Value{}
	truncated := false
	err := s.list(ctx, in.Text("bucket"), in.Text("prefix"), func(e entry) bool {
		if truncated = len(objects) == limit; truncated {
			return false
		}
		objects = append(objects, value.Object(
			value.M("key", value.String(e.key)),
			value.M("size", value.Int(e.size)),
			value.M("etag", value.String(e.etag)),
			value.M("last_modified", instant(e.modified)),
			value.M("storage_class", value.String(e.class)),
		))
		return true
	})
	if err != nil {
		return connector.Result{}, err
	}
	return connector.Result{Output: value.Object(value.M("objects", value.List(objects...)), value.M("truncated", value.Bool(truncated)))}, nil
}

// remove deletes one object.
func remove(ctx context.Context, s store, in connector.Input, _ connector.Call) (connector.Result, error) {
	at := placeOf(in)
	if err := s.remove(ctx, at); err != nil {
		return connector.Result{}, err
	}
	return connector.Result{Output: value.Object(value.M("bucket", value.String(at.bucket)), value.M("key", value.String(at.key)))}, nil
}
