package object

import (
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of a call.
const (
	// DefaultMaxBytes bounds what a call reads, decompressed; MaxMaxBytes is
	// the most that can be asked for, since it is held in memory.
	DefaultMaxBytes = 16 << 20
	MaxMaxBytes     = 256 << 20
	// MaxItems is the most items, or listed objects, that a call returns.
	MaxItems = 1_000_000
	// MaxFields is the most members that the items of a call have together: a
	// short row of a table has as many as the table has columns.
	MaxFields = 2_000_000
	// DefaultMaxObjects is how many objects object.list returns unless it is
	// told otherwise.
	DefaultMaxObjects = 1000
	// MaxTimeout is the longest that can be asked for.
	MaxTimeout = time.Hour
)

const errorsDoc = "Errors: `object.not_found`, `object.denied`, `object.unavailable` (worth a retry; requests to S3 are tried three times by themselves), " +
	"`object.connect`, `object.broken` (the object broke off), `object.too_large`, `object.invalid` (not what the format says), `object.failed`, " +
	"`egress_denied`, `timeout`, `invalid_input`. Their details have bucket and key and, with S3, the status and its code."

func kind(k descriptor.Kind) descriptor.Type { return descriptor.Type{Kind: k} }

func text() descriptor.Type { return kind(descriptor.String) }

func listOf(t descriptor.Type) descriptor.Type {
	return descriptor.Type{Kind: descriptor.List, Elem: &t}
}

func types() []string { return []string{"folder", "s3"} }

// fields are those that every call has, with more between them.
func fields(more ...descriptor.Field) []descriptor.Field {
	all := append([]descriptor.Field{
		{Name: "connection", Doc: "The connection of type `s3` or `folder`.", Type: kind(descriptor.Name), Required: true, Template: true, Example: "lake"},
		{Name: "bucket", Doc: "The bucket.", Type: text(), Required: true, Template: true, Example: "invoices"},
	}, more...)
	return append(all, descriptor.Field{
		Name: "timeout", Doc: "How long the call may take in all, at most 1h.", Type: kind(descriptor.Duration), Default: value.String("5m"), Template: true,
	})
}

func keyField() descriptor.Field {
	return descriptor.Field{
		Name: "key", Doc: "The key of the object.", Type: descriptor.Type{Kind: descriptor.String, Min: descriptor.Bound(1)}, Required: true, Template: true, Example: "2026/07/batch.json",
	}
}

func versionField() descriptor.Field {
	return descriptor.Field{Name: "version", Doc: "The version of the object, in buckets that keep them; the newest if it is left out.", Type: text(), Template: true}
}

func prefixField(doc string) descriptor.Field {
	return descriptor.Field{Name: "prefix", Doc: doc, Type: text(), Template: true, Example: "2026/07/"}
}

func maxBytesField(doc string) descriptor.Field {
	return descriptor.Field{Name: "max_bytes", Doc: doc, Type: descriptor.Type{
		Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxMaxBytes),
	}, Default: value.Int(DefaultMaxBytes), Template: true}
}

func describeGet() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "object.get", Doc: "Reads one object.\n\n" + errorsDoc, Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.get", Doc: "What to read.",
			Fields: fields(
				keyField(), versionField(),
				descriptor.Field{Name: "as", Doc: "What the body is given as.", Type: text(), Default: value.String("text"), Template: true, Enum: []descriptor.EnumValue{
					{Text: "text", Doc: "A text; the object must be UTF-8."},
					{Text: "json", Doc: "The value of a JSON text."},
					{Text: "base64", Doc: "A text in base64, for any object."},
				}},
				maxBytesField("The most bytes that the object may have."),
			),
			Example: "uses: object.get\nwith:\n  connection: lake\n  bucket: invoices\n  key: 2026/07/batch.json\n  as: json\n",
		},
		Output: &descriptor.Object{Name: "object.get output", Doc: "The object.", Fields: []descriptor.Field{
			{Name: "body", Doc: "What is in it.", Type: kind(descriptor.Any), Required: true},
			{Name: "size", Doc: "How many bytes it has.", Type: kind(descriptor.Integer), Required: true},
			{Name: "etag", Doc: "The store's mark of this content.", Type: text(), Required: true},
			{Name: "content_type", Doc: "What the store says it is.", Type: text(), Required: true},
			{Name: "last_modified", Doc: "When it was written.", Type: text(), Required: true},
			{Name: "metadata", Doc: "What its writer says of it, by name; nothing in a folder.", Type: kind(descriptor.Map), Required: true},
		}},
	}
}

func describePut() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "object.put", Doc: "Writes one object, whole or not at all, over what is there.\n\n" + errorsDoc, Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.put", Doc: "What to write.",
			Fields: fields(
				keyField(),
				descriptor.Field{Name: "body", Doc: "What is written: a text as it is, anything else as JSON.", Type: kind(descriptor.Any), Required: true, Template: true, Example: "${{ steps.settle.output }}"},
				descriptor.Field{Name: "base64", Doc: "Whether the body is a text in base64, for bytes of any kind.", Type: kind(descriptor.Boolean), Default: value.False, Template: true},
				descriptor.Field{Name: "content_type", Doc: "What the object is; text, JSON or bytes by what the body is if it is left out. A folder does not keep it.", Type: text(), Template: true, Example: "text/csv"},
			),
			Example: "uses: object.put\nwith:\n  connection: lake\n  bucket: invoices\n  key: 2026/07/totals.json\n  body: ${{ steps.settle.output }}\n",
		},
		Output: &descriptor.Object{Name: "object.put output", Doc: "What was written.", Fields: []descriptor.Field{
			{Name: "etag", Doc: "The store's mark of this content.", Type: text(), Required: true},
			{Name: "size", Doc: "How many bytes were written.", Type: kind(descriptor.Integer), Required: true},
		}},
	}
}

func describeList() *connector.Descriptor {
	listed := &descriptor.Object{Name: "object.list object", Doc: "One object.", Fields: []descriptor.Field{
		{Name: "key", Doc: "Its key.", Type: text(), Required: true},
		{Name: "size", Doc: "How many bytes it has.", Type: kind(descriptor.Integer), Required: true},
		{Name: "etag", Doc: "The store's mark of its content.", Type: text(), Required: true},
		{Name: "last_modified", Doc: "When it was written.", Type: text(), Required: true},
		{Name: "storage_class", Doc: "How the store keeps it.", Type: text(), Required: true},
	}}
	return &connector.Descriptor{
		Name: "object.list", Doc: "Lists the objects whose keys begin with a prefix, in the order of their keys.\n\n" + errorsDoc, Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.list", Doc: "What to list.",
			Fields: fields(
				prefixField("How the keys begin; all objects if it is left out."),
				descriptor.Field{Name: "max_items", Doc: "The most objects to return.", Type: descriptor.Type{
					Kind: descriptor.Integer, Min: descriptor.Bound(1), Max: descriptor.Bound(MaxItems),
				}, Default: value.Int(DefaultMaxObjects), Template: true},
			),
			Example: "uses: object.list\nwith:\n  connection: lake\n  bucket: invoices\n  prefix: 2026/07/\n",
		},
		Output: &descriptor.Object{Name: "object.list output", Doc: "The objects.", Fields: []descriptor.Field{
			{Name: "objects", Doc: "The objects, in the order of their keys.", Type: listOf(descriptor.Type{Kind: descriptor.Struct, Object: listed}), Required: true},
			{Name: "truncated", Doc: "Whether there are more.", Type: kind(descriptor.Boolean), Required: true},
		}},
	}
}

func describeDelete() *connector.Descriptor {
	return &connector.Descriptor{
		Name: "object.delete", Doc: "Deletes one object. It is no error if there is none.\n\n" + errorsDoc, Connections: types(), Idempotent: true,
		Input: &descriptor.Object{
			Name: "object.delete", Doc: "What to delete.", Fields: fields(keyField()),
			Example: "uses: object.delete\nwith:\n  connection: lake\n  bucket: invoices\n  key: 2026/07/batch.json\n",
		},
		Output: &descriptor.Object{Name: "object.delete output", Doc: "What is no longer there.", Fields: []descriptor.Field{
			{Name: "bucket", Doc: "The bucket.", Type: text(), Required: true},
			{Name: "key", Doc: "The key.", Type: text(), Required: true},
		}},
	}
}

// S3Type describes connections of type s3.
func S3Type() connector.ObjectType {
	secret := func(name, doc, example string) descriptor.Field {
		return descriptor.Field{Name: name, Doc: doc, Type: text(), Template: true, Secrets: true, Example: example}
	}
	return connector.ObjectType{
		Name: "s3",
		Object: &descriptor.Object{
			Name: "s3 connection",
			Doc: "Amazon S3, or another store that speaks its protocol. The host and port of the endpoint may be called through it also where they are private. " +
				"Without a key, requests are anonymous: neither the environment nor the credentials of the machine are used.",
			Fields: []descriptor.Field{
				{Name: "endpoint", Doc: "The URL of the store; that of Amazon S3 in the region if it is left out.", Type: text(), Template: true, Secrets: true, Example: "https://minio.example.org:9000"},
				{Name: "region", Doc: "The region, which is part of every signature.", Type: text(), Default: value.String("us-east-1"), Template: true, Example: "eu-central-1"},
				secret("access_key_id", "The ID of the access key.", `"${{ secrets.LAKE_KEY_ID }}"`),
				secret("secret_access_key", "The access key.", `"${{ secrets.LAKE_KEY }}"`),
				secret("session_token", "The token that belongs to a temporary access key.", ""),
				{Name: "path_style", Doc: "Whether the bucket is part of the path instead of the host's name; left out: yes with `endpoint`, else no.", Type: kind(descriptor.Boolean)},
				secret("ca", "Certificates (PEM) of the authorities that the store's certificate must come from, instead of the system's.", ""),
			},
			Example: "kind: Connection\nname: lake\ntype: s3\nregion: eu-central-1\naccess_key_id: ${{ secrets.LAKE_KEY_ID }}\nsecret_access_key: ${{ secrets.LAKE_KEY }}\n",
		},
		Hosts: func(fields value.Value) ([]string, error) {
			endpoint, err := endpointOf(connector.Input{Value: fields})
			if err != nil || endpoint == nil {
				return nil, err
			}
			place, err := egress.PlaceOf(endpoint)
			if err != nil {
				return nil, err
			}
			return []string{place.String()}, nil
		},
	}
}

// FolderType describes connections of type folder.
func FolderType() connector.ObjectType {
	return connector.ObjectType{
		Name: "folder",
		Object: &descriptor.Object{
			Name: "folder connection",
			Doc: "A folder as an object store: each folder in it is a bucket, each file below that an object, with its path as the key. " +
				"It lies in one of the folders that the server or the command allows; no key and no link leads out of it.",
			Fields: []descriptor.Field{
				{Name: "path", Doc: "The folder; a relative path starts at the first folder that is allowed, with `regie run` the one in which it was called.", Type: text(), Required: true, Template: true, Example: "data/stores"},
			},
			Example: "kind: Connection\nname: lake\ntype: folder\npath: data/stores\n",
		},
	}
}
