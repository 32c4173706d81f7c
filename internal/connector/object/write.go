package object

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

// writeResults writes the results of a map. All attempts of a step write the
// same objects.
func writeResults(ctx context.Context, s store, in connector.Input, call connector.Call) (connector.Result, error) {
	export := items.Export{
		Bucket: in.Text("bucket"), Prefix: in.Text("prefix"), Region: in.Text("region"), Account: in.Text("account"),
		Machine: in.Text("machine"), Label: in.Text("label"), Run: uuid(call.IdempotencyKey), Lines: in.Text("format") == formatJSONL,
		Compact: in.Text("transformation") == "compact", Flatten: in.Text("transformation") == "flatten",
	}
	if export.Machine == "" {
		export.Machine = call.RunID
	}
	contentType := "application/json"
	if export.Lines {
		contentType = "application/jsonl"
	}
	var key string
	var sent int64
	for _, f := range export.Files(results(in.Get("results"), call.IdempotencyKey)) {
		key = f.Key // that of the manifest in the end
		if _, err := s.put(ctx, place{bucket: export.Bucket, key: key}, f.Body, contentType); err != nil {
			return connector.Result{}, err
		}
		sent += int64(len(f.Body))
	}
	return connector.Result{BytesOut: sent, Output: value.Object(
		value.M("MapRunArn", value.String(export.MapRunARN())),
		value.M("ResultWriterDetails", value.Object(value.M("Bucket", value.String(export.Bucket)), value.M("Key", value.String(key)))),
	)}, nil
}

// results reads the results of the input. Executions without a name get one
// that their index and the step's key make.
func results(list value.Value, idempotencyKey string) []items.Result {
	all := make([]items.Result, 0, list.Len())
	for i, v := range list.Items() {
		r := connector.Input{Value: v}
		result := items.Result{
			Name: r.Text("name"), Status: status(r.Text("state")), Input: orNull(r.Get("input")), Output: orNull(r.Get("output")),
			Error: r.Object("error").Text("name"), Cause: r.Object("error").Text("message"), Start: r.Text("started_at"), Stop: r.Text("ended_at"),
		}
		if result.Name == "" {
			index := int64(i)
			if r.Has("index") {
				index = r.Int("index")
			}
			result.Name = uuid(idempotencyKey + "/" + strconv.FormatInt(index, 10))
		}
		all = append(all, result)
	}
	return all
}

// status is a state in the words of Step Functions.
func status(state string) string {
	switch state {
	case "succeeded":
		return "SUCCEEDED"
	case "failed":
		return "FAILED"
	case "canceled":
		return "ABORTED"
	}
	return "PENDING"
}

func orNull(v value.Value) value.Value {
	if v.IsUndefined() {
		return value.Null
	}
	return v
}

// uuid makes a UUID (RFC 9562, version 8) of a text: the same one every time.
func uuid(text string) string {
	b := sha256.Sum256([]byte(text))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
