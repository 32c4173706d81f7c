package object_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/value"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	must(t, err)
	must(t, w.Close())
	return b.String()
}

// wide is a table of short rows.
func wide(columns, rows int) string {
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, "c%d,", i)
	}
	b.WriteString("last\n")
	b.WriteString(strings.Repeat("x\n", rows))
	return b.String()
}

func TestItems(t *testing.T) {
	t.Parallel()
	type test struct {
		input, want, name, message string
		keyed                      bool
		source                     string
	}
	cases := []test{
		{input: `{"key": "list.json", "format": "json"}`, want: `[1, {"a": 2}, null]`, source: "S3://b/list.json"},
		{input: `{"key": "list.json", "format": "json", "max_items": 2}`, want: `[1, {"a": 2}]`},
		{input: `{"key": "list.json", "format": "json", "max_items": 100000000}`, want: `[1, {"a": 2}, null]`},
		{input: `{"key": "object.json", "format": "json"}`, keyed: true, want: `[{"Key": "x", "Value": {"y": [7, 8]}}, {"Key": "n", "Value": 1}]`},
		{input: `{"key": "object.json", "format": "json", "pointer": "/x/y"}`, want: `[7, 8]`},
		{input: `{"key": "object.json", "format": "json", "pointer": "/x/z"}`, name: object.Invalid, message: "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure."},
		{input: `{"key": "object.json", "format": "json", "pointer": "/n"}`, name: object.Invalid, message: "Attempting to map over non-iterable node."},
		{input: `{"key": "rows.csv", "format": "json"}`, name: object.Invalid, message: "object b/rows.csv: "},
		{input: `{"key": "rows.csv", "format": "csv"}`, want: `[{"h1": "1", "h2": "2"}, {"h1": "3", "h2": ""}]`},
		{input: `{"key": "rows.csv.gz", "format": "csv", "max_items": 1}`, want: `[{"h1": "1", "h2": "2"}]`},
		{input: `{"key": "rows.csv", "format": "csv", "csv": {"header": "given", "headers": ["a"]}}`, want: `[{"a": "h1"}, {"a": "1"}, {"a": "3"}]`},
		{input: `{"key": "rows.csv", "format": "csv", "csv": {"header": "given", "headers": ["a", "a"]}}`, name: object.Invalid, message: "CSV headers cannot contain duplicates."},
		{input: `{"key": "rows.csv", "format": "csv", "csv": {"delimiter": "PIPE"}}`, want: `[{"h1,h2": "1,2"}, {"h1,h2": "3"}]`},
		{input: `{"key": "rows.csv", "format": "csv", "csv": {"header": "given"}}`, name: connector.InvalidInput, message: "csv.headers"},
		{input: `{"key": "lines", "format": "jsonl"}`, want: `[{"a": 1}, [2]]`},
		{input: `{"key": "broken", "format": "jsonl"}`, name: object.Invalid, message: "object b/broken: line 2"},
		{input: `{"key": "broken", "format": "jsonl", "max_items": 1}`, want: `[1]`},
		{input: `{"key": "lines", "format": "jsonl", "max_bytes": 12}`, name: object.TooLarge, message: "more than 12 bytes"},
		{input: `{"key": "lines", "format": "jsonl", "max_bytes": 13}`, want: `[{"a": 1}, [2]]`},
		{input: `{"key": "bomb.gz", "format": "jsonl", "max_bytes": 100000}`, name: object.TooLarge, message: "more than 100000 bytes"},
		{input: `{"key": "wide.csv", "format": "csv"}`, name: object.TooLarge, message: "more than 2000000 fields together"},
		{input: `{"key": "half.gz", "format": "jsonl"}`, name: object.Invalid, message: "unexpected EOF"},
		{input: `{"key": "none", "format": "json"}`, name: object.NotFound, message: "b/none"},
		{input: `{"key": "list.json", "format": "json", "max_items": -1}`, name: connector.InvalidInput, message: "field MaxItems must be positive"},
		{input: `{"format": "json"}`, name: connector.InvalidInput, message: "key: missing"},
		{input: `{"key": "k", "format": "list"}`, name: connector.InvalidInput, message: "give a prefix"},
		{input: `{"key": "k", "format": "json", "transformation": "load_and_flatten"}`, name: connector.InvalidInput, message: "format: list only"},
		{input: `{"format": "list", "transformation": "load_and_flatten"}`, name: connector.InvalidInput, message: "which format"},
		{input: `{"key": "k", "format": "manifest", "manifest": "athena_data"}`, name: connector.InvalidInput, message: "csv or jsonl"},
		{input: `{"format": "list", "prefix": "parts/", "transformation": "load_and_flatten", "data": "jsonl"}`, want: `[1, 2, 3, 4]`, source: "S3://b"},
		{input: `{"format": "list", "prefix": "parts/", "transformation": "load_and_flatten", "data": "jsonl", "max_items": 3}`, want: `[1, 2, 3]`},
		{input: `{"format": "list", "prefix": "parts/", "transformation": "load_and_flatten", "data": "jsonl", "max_bytes": 6}`, name: object.TooLarge, message: "more than 6 bytes in all"},
		{input: `{"format": "list", "prefix": "nothing/"}`, want: `[]`},
		{input: `{"key": "inventory.json", "format": "manifest"}`, want: `[{"Bucket": "b", "Key": "k1", "Size": "3"}, {"Bucket": "b", "Key": "k2", "Size": "4"}, {"Bucket": "b", "Key": "k3", "Size": ""}]`},
		{input: `{"key": "list.json", "format": "manifest"}`, name: object.Invalid, message: "only CSV can be read"},
		{input: `{"key": "athena.csv", "format": "manifest", "manifest": "athena_data", "data": "jsonl"}`, want: `[1, 2, 3, 4]`},
		{input: `{"key": "foreign.csv", "format": "manifest", "manifest": "athena_data", "data": "jsonl"}`, name: connector.InvalidInput, message: "is not the name of a bucket"},
	}
	for store, open := range backends() {
		b := open(t)
		for key, body := range map[string]string{
			"list.json": `[1, {"a": 2}, null]`, "object.json": `{"x": {"y": [7, 8]}, "n": 1}`, "rows.csv": "h1,h2\n1,2\n3\n", "rows.csv.gz": gzipped(t, "h1,h2\n1,2\n3\n"),
			"lines": "{\"a\": 1}\n[2]\n", "broken": "1\n{\n", "half.gz": gzipped(t, "1\n2\n")[:14], "wide.csv": wide(1000, 2001), "bomb.gz": gzipped(t, strings.Repeat("1\n", 1_000_000)),
			"parts/1": "1\n2\n", "parts/2.gz": gzipped(t, "3\n4\n"), "inv/1.csv.gz": gzipped(t, "\"b\",\"k1\",\"3\"\n\"b\",\"k2\",\"4\"\n"), "inv/2.csv": "b,k3\n",
			"inventory.json": `{"destinationBucket": "arn:aws:s3:::b", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": [{"key": "inv/1.csv.gz"}, {"key": "inv/2.csv"}]}`,
			"athena.csv":     "s3://b/parts/1\ns3://b/parts/2.gz\n", "foreign.csv": "s3://../x\n",
		} {
			b.write(key, body)
		}
		for _, c := range cases {
			t.Run(store+c.input, func(t *testing.T) {
				t.Parallel()
				got, err := b.call(t, "object.items", c.input)
				if c.name != "" {
					wantError(t, err, c.name, c.message)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				keyed, _ := got.Get("keyed").Bool()
				count, _ := got.Get("count").Int()
				if !value.Equal(got.Get("items"), value.MustParse(c.want)) || keyed != c.keyed || int(count) != got.Get("items").Len() {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if source := got.Get("source").Text(); c.source != "" && source != c.source {
					t.Errorf("source %s", source)
				}
			})
		}
	}
}

// Listed objects have the members, and the types of them, that Step Functions
// gives.
func TestListedItems(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	b := s3Backend(t, server)
	for _, key := range []string{"p/1", "p/2", "p/3", "q"} {
		b.write(key, "abc")
	}
	got, err := b.call(t, "object.items", `{"format": "list", "prefix": "p/"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"Etag": "\"900150983cd24fb0d6963f7d28e17f72\"", "Key": "p/3", "LastModified": %d, "Size": 3, "StorageClass": "STANDARD"}`, written.Unix())
	if got.Get("items").Len() != 3 || !value.Equal(got.Get("items").At(2), value.MustParse(want)) {
		t.Errorf("got %s", got)
	}
	before := server.count()
	if got, err = b.call(t, "object.items", `{"format": "list", "max_items": 1}`); err != nil || got.Get("items").Len() != 1 || server.count() != before+1 {
		t.Errorf("got %s %v in %d requests", got, err, server.count()-before)
	}
}

// All attempts write the same objects, and the manifest names them.
func TestResults(t *testing.T) {
	t.Parallel()
	for store, open := range backends() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			input := `{"prefix": "out", "region": "us-east-1", "account": "111111111111", "machine": "m", "label": "Each", "results": [
				{"index": 0, "state": "succeeded", "input": 1, "output": [2, 3], "error": null, "started_at": "s", "ended_at": "t"},
				{"index": 1, "state": "failed", "input": null, "output": null, "error": {"name": "E", "message": "why", "details": {}}, "started_at": "s", "ended_at": "t"},
				{"index": 2, "state": "canceled", "input": 5}, {"index": 3, "state": "pending", "input": 6, "output": null, "error": null, "started_at": null, "ended_at": null}]}`
			first, err := b.call(t, "object.results", input)
			if err != nil {
				t.Fatal(err)
			}
			arn, key := first.Get("MapRunArn").Text(), first.Get("ResultWriterDetails").Get("Key").Text()
			folder := "out/" + arn[strings.LastIndexByte(arn, ':')+1:]
			if !strings.HasPrefix(arn, "arn:aws:states:us-east-1:111111111111:mapRun:m/Each:") || key != folder+"/manifest.json" || first.Get("ResultWriterDetails").Get("Bucket").Text() != "b" {
				t.Errorf("output %s", first)
			}
			manifest := b.read(key)
			files := value.MustParse(manifest).Get("ResultFiles")
			for _, name := range []string{"FAILED", "PENDING", "SUCCEEDED"} {
				body := b.read(files.Get(name).At(0).Get("Key").Text())
				if size, _ := files.Get(name).At(0).Get("Size").Int(); body == "" || size != int64(len(body)) {
					t.Errorf("%s: %s", name, body)
				}
			}
			again, err := b.call(t, "object.results", input)
			if err != nil || !value.Equal(first, again) || b.read(key) != manifest {
				t.Errorf("another attempt: %s %v", again, err)
			}
			failed := value.MustParse(b.read(folder + "/FAILED_0.json"))
			if f := failed.At(0); f.Get("Error").Text() != "E" || f.Get("Cause").Text() != "why" || f.Get("Input").Text() != "null" || f.Get("StopDate").Text() != "t" {
				t.Errorf("failed: %s", failed)
			}
			if f := failed.At(1); f.Get("Status").Text() != "ABORTED" || f.Get("Name").Text() == failed.At(0).Get("Name").Text() || f.Get("Name").Text() == "" {
				t.Errorf("failed: %s", failed)
			}
			other := b.request(t, input)
			other.IdempotencyKey = "key-2"
			result, err := b.find(t, "object.results").Call(t.Context(), other)
			if err != nil || result.Output.Get("MapRunArn").Text() == arn {
				t.Errorf("another step has the same folder: %s %v", result.Output, err)
			}
			if _, err := b.call(t, "object.results", `{"results": [{"state": "succeeded", "output": [1]}], "transformation": "flatten", "format": "jsonl"}`); err != nil {
				t.Error(err)
			}
			if got := b.read(strings.TrimPrefix(folder, "out/") + "/SUCCEEDED_0.jsonl"); got != "1\n" {
				t.Errorf("lines %q", got)
			}
			_, err = b.call(t, "object.results", `{"results": [{"state": "done"}]}`)
			wantError(t, err, connector.InvalidInput, "state")
		})
	}
}
