package object

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

// Formats of object.items.
const (
	formatJSON     = "json"
	formatJSONL    = "jsonl"
	formatCSV      = "csv"
	formatManifest = "manifest"
	formatList     = "list"
)

// errEnough says that the items wanted are there.
var errEnough = errors.New("enough items")

// reading is a call of object.items.
type reading struct {
	ctx      context.Context //nolint:containedctx // it lasts as long as the call
	store    store
	csv      items.CSVOptions
	pointer  string
	limit    int   // items wanted
	strict   bool  // whether more items than the limit are an error
	maxBytes int64 // bytes that may be read in all, decompressed
	budget   int64 // what is left of them
	bytesIn  int64
	keyed    bool
	items    []value.Value
	fields   int // members of the items so far
}

// readItems reads a list of items.
func readItems(ctx context.Context, s store, in connector.Input, _ connector.Call) (connector.Result, error) {
	r, err := newReading(ctx, s, in)
	if err != nil {
		return connector.Result{}, err
	}
	at := placeOf(in)
	format := in.Text("format")
	source := "S3://" + at.String()
	switch {
	case format == formatList:
		source = "S3://" + at.bucket
		err = r.list(at.bucket, in.Text("prefix"), in.Text("transformation") == "load_and_flatten", in.Text("data"))
	case format == formatManifest && in.Text("manifest") == "athena_data":
		err = r.athena(at, in.Text("data"))
	case format == formatManifest:
		err = r.inventory(at)
	default:
		err = r.object(at, format)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return connector.Result{}, err
	}
	return connector.Result{BytesIn: r.bytesIn, Output: value.Object(
		value.M("items", value.List(r.items...)),
		value.M("count", value.Int(int64(len(r.items)))),
		value.M("keyed", value.Bool(r.keyed)),
		value.M("source", value.String(source)),
	)}, nil
}

func newReading(ctx context.Context, s store, in connector.Input) (*reading, error) {
	limit := in.Int("max_items")
	if limit < 0 {
		return nil, connector.Errorf(connector.InvalidInput, "%v", items.ErrMaxItems)
	}
	r := &reading{
		ctx: ctx, store: s, pointer: in.Text("pointer"), maxBytes: in.Int("max_bytes"), budget: in.Int("max_bytes"),
		items: []value.Value{},
	}
	r.strict = limit == 0 || limit > MaxItems
	r.limit = int(limit)
	if r.strict {
		r.limit = MaxItems
	}
	options := in.Object("csv")
	r.csv.Delimiter, _ = items.Delimiter(options.Text("delimiter"))
	if options.Text("header") == "given" {
		r.csv.Headers = options.Texts("headers")
		if len(r.csv.Headers) == 0 {
			return nil, connector.Errorf(connector.InvalidInput, "csv.headers: with header: given the names of the fields are needed")
		}
	}
	return r, checkCombination(in)
}

// checkCombination refuses fields that miss each other.
func checkCombination(in connector.Input) error {
	format, key := in.Text("format"), in.Text("key")
	flatten := in.Text("transformation") == "load_and_flatten"
	switch {
	case format == formatList && key != "":
		return connector.Errorf(connector.InvalidInput, "key: with format: list give a prefix instead")
	case format != formatList && key == "":
		return connector.Errorf(connector.InvalidInput, "key: missing; only format: list goes without it")
	case flatten && format != formatList:
		return connector.Errorf(connector.InvalidInput, "transformation: load_and_flatten goes with format: list only")
	case flatten && in.Text("data") == "":
		return connector.Errorf(connector.InvalidInput, "data: with load_and_flatten, say which format the objects have")
	case in.Text("manifest") == "athena_data" && in.Text("data") != formatCSV && in.Text("data") != formatJSONL:
		return connector.Errorf(connector.InvalidInput, "data: with manifest: athena_data, say csv or jsonl")
	}
	return nil
}

// add appends items until the limit is reached.
func (r *reading) add(at place, more ...value.Value) error {
	for _, item := range more {
		if len(r.items) == r.limit {
			if r.strict {
				return errorAt(TooLarge, at, "object %s: more than %d items", at, r.limit)
			}
			return errEnough
		}
		if item.Kind() == value.KindObject {
			r.fields += item.Len()
		}
		if r.fields > MaxFields {
			return errorAt(TooLarge, at, "object %s: its items have more than %d fields together", at, MaxFields)
		}
		r.items = append(r.items, item)
	}
	if len(r.items) == r.limit && !r.strict {
		return errEnough
	}
	return nil
}

// object adds the items of one object.
func (r *reading) object(at place, format string) error {
	return r.open(at, func(text io.Reader) error {
		switch format {
		case formatJSONL:
			return r.each(at, items.JSONL(text))
		case formatCSV:
			return r.each(at, items.CSV(text, r.csv))
		}
		whole, err := io.ReadAll(text)
		if err != nil {
			return err
		}
		more, keyed, err := items.JSON(whole, r.pointer)
		if err != nil {
			return err
		}
		r.keyed = r.keyed || keyed
		return r.add(at, more...)
	})
}

func (r *reading) each(at place, seq iter.Seq2[value.Value, error]) error {
	for item, err := range seq {
		if err != nil {
			return err
		}
		if err := r.add(at, item); err != nil {
			return err
		}
	}
	return nil
}

// open reads the text of an object, decompressed, and tells whose fault an
// error is.
func (r *reading) open(at place, read func(text io.Reader) error) error {
	c, err := r.store.get(r.ctx, at)
	if err != nil {
		return err
	}
	defer c.body.Close()
	wire := r.maxBytes // of compressed bytes no more are read than of decompressed ones
	raw := &source{ctx: r.ctx, r: c.body, budget: &wire}
	defer func() { r.bytesIn += r.maxBytes - wire }()
	text, err := items.Open(raw)
	plain := &source{ctx: r.ctx, r: text, budget: &r.budget}
	if err == nil {
		err = read(plain)
	}
	var named *connector.Error
	switch {
	case err == nil || errors.Is(err, errEnough) || errors.As(err, &named):
		return err
	case raw.err != nil:
		return readError(r.ctx, at, raw.err, r.maxBytes)
	case errors.Is(plain.err, errBudget):
		return readError(r.ctx, at, plain.err, r.maxBytes)
	}
	return invalid(at, err)
}

// invalid is the error of an object that is not what its format says; what AWS
// has words for is said in them alone.
func invalid(at place, err error) *connector.Error {
	for _, known := range []error{items.ErrNotIterable, items.ErrPointer, items.ErrDuplicateHeaders} {
		if errors.Is(err, known) {
			return errorAt(Invalid, at, "%v", known)
		}
	}
	return errorAt(Invalid, at, "object %s: %v", at, err)
}

// list adds the objects below a prefix, or their items.
func (r *reading) list(bucket, prefix string, flatten bool, format string) error {
	var keys []string
	var fault error
	err := r.store.list(r.ctx, bucket, prefix, func(e entry) bool {
		if !flatten {
			fault = r.add(place{bucket: bucket, key: e.key}, listed(e))
			return fault == nil
		}
		if e.size > 0 || !strings.HasSuffix(e.key, "/") { // such objects stand for folders
			keys = append(keys, e.key)
		}
		if len(keys) > MaxItems {
			fault = errorAt(TooLarge, place{bucket: bucket, key: prefix}, "more than %d objects below %s/%s", MaxItems, bucket, prefix)
		}
		return fault == nil
	})
	if fault != nil {
		return fault
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := r.object(place{bucket: bucket, key: key}, format); err != nil {
			return err
		}
	}
	return nil
}

// listed is an object as an item, in the form of Step Functions.
func listed(e entry) value.Value {
	return value.Object(
		value.M("Etag", value.String(e.etag)),
		value.M("Key", value.String(e.key)),
		value.M("LastModified", value.Int(e.modified.Unix())),
		value.M("Size", value.Int(e.size)),
		value.M("StorageClass", value.String(e.class)),
	)
}

// inventory adds the rows of the files that an S3 inventory names.
func (r *reading) inventory(at place) error {
	var manifest items.Inventory
	err := r.open(at, func(text io.Reader) error {
		whole, err := io.ReadAll(text)
		if err == nil {
			manifest, err = items.ParseInventory(whole, at.bucket)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.csv = items.CSVOptions{Headers: manifest.Headers}
	return r.files(manifest.Files, formatCSV)
}

// athena adds the items of the files that a manifest of Athena names.
func (r *reading) athena(at place, format string) error {
	var files []items.Location
	err := r.open(at, func(text io.Reader) error {
		var err error
		files, err = items.ParseAthena(text)
		return err
	})
	if err != nil {
		return err
	}
	return r.files(files, format)
}

func (r *reading) files(files []items.Location, format string) error {
	for _, f := range files {
		if err := checkBucket(f.Bucket); err != nil {
			return err
		}
		if err := r.object(place{bucket: f.Bucket, key: f.Key}, format); err != nil {
			return err
		}
	}
	return nil
}
