package object

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// MaxWatched is how many objects a pattern of object.watch may match.
const MaxWatched = 1000

// watch looks once for objects that match a pattern. What it saw goes into the
// next look, which so knows since when an object has not changed.
func watch(ctx context.Context, s store, in connector.Input, call connector.Call) (connector.Result, error) {
	glob, bucket, least := in.Text("glob"), in.Text("bucket"), in.Int("min_size")
	if _, err := path.Match(glob, ""); err != nil {
		return connector.Result{}, connector.Errorf(connector.InvalidInput, "glob: %q is no pattern", glob)
	}
	stable := in.Duration("stable_for")
	before := sightings(in.Get("before").Get("seen"))
	now := call.Now().UTC()
	var files, seen []value.Value
	many := false
	err := s.list(ctx, bucket, literal(glob), func(e entry) bool {
		if ok, _ := path.Match(glob, e.key); !ok {
			return true
		}
		if many = len(seen) == MaxWatched; many {
			return false
		}
		since := now
		if old, known := before[e.key]; known && old.size == e.size && old.etag == e.etag && old.modified == instant(e.modified).Text() && old.since.Before(now) {
			since = old.since
		}
		file := value.Object(
			value.M("key", value.String(e.key)), value.M("size", value.Int(e.size)),
			value.M("etag", value.String(e.etag)), value.M("last_modified", instant(e.modified)))
		seen = append(seen, file.With("since", value.String(since.Format(time.RFC3339Nano))))
		if e.size >= least && now.Sub(since) >= stable {
			files = append(files, file)
		}
		return true
	})
	switch {
	case err != nil:
		return connector.Result{}, err
	case many:
		return connector.Result{}, errorAt(TooLarge, place{bucket: bucket, key: glob}, "more than %d objects match %s; narrow the pattern", MaxWatched, glob)
	}
	return connector.Result{Output: value.Object(
		value.M("found", value.Bool(len(files) > 0)), value.M("files", value.List(files...)), value.M("seen", value.List(seen...)))}, nil
}

// literal is what every key begins with that the pattern matches.
func literal(glob string) string {
	if i := strings.IndexAny(glob, `*?[\`); i >= 0 {
		return glob[:i]
	}
	return glob
}

// sighting is how an object was at the look before.
type sighting struct {
	size           int64
	etag, modified string
	since          time.Time
}

// sightings reads what the look before saw. Whatever is none of it counts as not
// seen.
func sightings(seen value.Value) map[string]sighting {
	out := map[string]sighting{}
	for _, v := range seen.Items() {
		size, _ := v.Get("size").Int()
		since, err := time.Parse(time.RFC3339Nano, v.Get("since").Text())
		if err == nil {
			out[v.Get("key").Text()] = sighting{size: size, etag: v.Get("etag").Text(), modified: v.Get("last_modified").Text(), since: since}
		}
	}
	return out
}

func describeWatch() *connector.Descriptor {
	members := []descriptor.Field{
		{Name: "key", Doc: "Its key.", Type: text(), Required: true},
		{Name: "size", Doc: "How many bytes it has.", Type: kind(descriptor.Integer), Required: true},
		{Name: "etag", Doc: "The store's mark of its content.", Type: text(), Required: true},
		{Name: "last_modified", Doc: "When it was written.", Type: text(), Required: true},
	}
	file := &descriptor.Object{Name: "object.watch file", Doc: "An object that fits.", Fields: members}
	sight := &descriptor.Object{Name: "object.watch sight", Doc: "An object that matches.", Fields: append(slices.Clip(members),
		descriptor.Field{Name: "since", Doc: "Since when it is as it is, as far as was seen.", Type: text(), Required: true})}
	return &connector.Descriptor{
		Name: "object.watch", Connections: types(), Idempotent: true,
		Doc: "Looks once for objects whose keys match a pattern, and says which of them are there whole. `wait: {file: …}` does it again and again.\n\n" + errorsDoc,
		Input: &descriptor.Object{
			Name: "object.watch", Doc: "What to look for.",
			Fields: fields(
				descriptor.Field{Name: "glob", Doc: "Pattern of the key: `*` is any text without `/`, `?` one character.", Type: text(), Required: true, Template: true, Example: "in/*.csv"},
				descriptor.Field{Name: "min_size", Doc: "Bytes that it must have.", Type: descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(0)}, Default: value.Int(0), Template: true},
				descriptor.Field{Name: "stable_for", Doc: "How long it must not have changed, from look to look.", Type: kind(descriptor.Duration), Default: value.String("0s"), Template: true},
				descriptor.Field{Name: "before", Doc: "The output of the look before.", Type: kind(descriptor.Any), Template: true},
			),
			Example: "uses: object.watch\nwith:\n  connection: lake\n  bucket: invoices\n  glob: in/*.csv\n",
		},
		Output: &descriptor.Object{Name: "object.watch output", Doc: "What was seen.", Fields: []descriptor.Field{
			{Name: "found", Doc: "Whether there is an object that fits.", Type: kind(descriptor.Boolean), Required: true},
			{Name: "files", Doc: "Those that fit, in the order of their keys.", Type: listOf(descriptor.Type{Kind: descriptor.Struct, Object: file}), Required: true},
			{Name: "seen", Doc: "All that match, at most 1000; more are an error.", Type: listOf(descriptor.Type{Kind: descriptor.Struct, Object: sight}), Required: true},
		}},
	}
}
