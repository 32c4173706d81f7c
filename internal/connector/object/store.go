package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// Names of errors, beside those of package connector and "egress_denied".
const (
	NotFound    = "object.not_found"   // no such bucket or object
	Denied      = "object.denied"      // the store refuses the caller
	Unavailable = "object.unavailable" // the store is busy or broken; try again
	NoConnect   = "object.connect"     // no connection: name, network, TLS
	Broken      = "object.broken"      // the answer broke off, or is no answer of a store
	TooLarge    = "object.too_large"   // more bytes or items than may be read
	Invalid     = "object.invalid"     // the object is not what the format says
	Failed      = "object.failed"      // the store says no for another reason
)

// store is one object store. Errors are *connector.Error; their details have
// the place. Get, put and delete are harmless to repeat. Safe for concurrent
// use.
type store interface {
	// get opens an object; the caller closes its body.
	get(ctx context.Context, at place) (*content, error)
	// put writes an object, whole or not at all, over what is there.
	put(ctx context.Context, at place, body []byte, contentType string) (etag string, err error)
	// list yields the objects whose keys begin with the prefix, in the order
	// of their keys' bytes, until yield says false.
	list(ctx context.Context, bucket, prefix string, yield func(entry) bool) error
	// remove deletes an object; it is no error if there is none.
	remove(ctx context.Context, at place) error
	// close gives back what the store holds open.
	close()
}

// place is where an object is.
type place struct {
	bucket, key string
	version     string // empty means the newest
}

func (p place) String() string { return p.bucket + "/" + p.key }

// entry is what a list says of an object.
type entry struct {
	key      string
	size     int64
	modified time.Time
	etag     string
	class    string
}

// content is an object that is read.
type content struct {
	entry
	body        io.ReadCloser
	contentType string
	metadata    map[string]string
}

// errorAt makes an error about a place.
func errorAt(name string, at place, format string, args ...any) *connector.Error {
	e := connector.Errorf(name, format, args...)
	e.Details = value.Object(value.M("bucket", value.String(at.bucket)), value.M("key", value.String(at.key)))
	return e
}

var bucketForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)

// checkBucket refuses what no store takes for the name of a bucket, such as a
// path or an ARN.
func checkBucket(name string) error {
	if !bucketForm.MatchString(name) {
		return connector.Errorf(connector.InvalidInput, "bucket: %q is not the name of a bucket", name)
	}
	return nil
}

// errBudget says that a call has read all that it may.
var errBudget = errors.New("more bytes than may be read")

// source reads an object: it stops when the context ends or the budget, which
// counts down, is used up. It remembers its own fault apart from faults of
// what is read.
type source struct {
	ctx    context.Context //nolint:containedctx // a reader has no other way to learn of it
	r      io.Reader
	budget *int64
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	if *s.budget < 0 {
		s.err = errBudget
		return 0, errBudget
	}
	// One byte more than the budget shows that there is more.
	n, err := s.r.Read(p[:min(int64(len(p)), *s.budget+1)])
	*s.budget -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// readError is the error of a body that could not be read.
func readError(ctx context.Context, at place, err error, maxBytes int64) *connector.Error {
	if ended := connector.FromContext(ctx); ended != nil {
		return ended
	}
	if errors.Is(err, errBudget) {
		return errorAt(TooLarge, at, "object %s: more than %d bytes in all; raise max_bytes if that is right", at, maxBytes)
	}
	return errorAt(Broken, at, "read object %s: %v", at, err)
}

// readAll reads an object to its end.
func readAll(ctx context.Context, s store, at place, maxBytes int64) (*content, []byte, error) {
	c, err := s.get(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	defer c.body.Close()
	budget := maxBytes
	body, err := io.ReadAll(&source{ctx: ctx, r: c.body, budget: &budget})
	if err == nil && budget < 0 {
		err = errBudget
	}
	if err != nil {
		return nil, nil, readError(ctx, at, err, maxBytes)
	}
	if c.size >= 0 && int64(len(body)) != c.size {
		return nil, nil, readError(ctx, at, fmt.Errorf("it has %d bytes instead of %d", len(body), c.size), maxBytes)
	}
	return c, body, nil
}
