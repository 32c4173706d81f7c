package object_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

// recorded is a case of the suite that was recorded from AWS Step Functions.
type recorded struct {
	ID         string
	Kind       string
	Definition json.RawMessage
	Input      value.Value
	Setup      []struct {
		Op     string
		Params struct{ Key, Body string }
	}
	Expect struct {
		Status, Error, Cause string
		Output               value.Value
	}
}

// The recorded readers of Step Functions, of which each item goes through a
// Pass state, read the same here.
func TestConformance(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("REGIE_CONFORMANCE")
	if folder == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	text, err := os.ReadFile(filepath.Join(folder, "asl", "scenarios.jsonl"))
	must(t, err)
	tried := 0
	for line := range strings.Lines(string(text)) {
		var c recorded
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.Kind != "execution" {
			continue
		}
		definition := value.MustParse(string(c.Definition))
		config := definition.Get("States").Get("MapState").Get("ItemReader").Get("ReaderConfig")
		if config.IsUndefined() {
			continue
		}
		tried++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			b := s3Backend(t, newS3Server(t))
			var key string
			for _, s := range c.Setup {
				if s.Op == "put_object" {
					key = s.Params.Key
					b.write(key, s.Params.Body)
				}
			}
			got, err := b.call(t, "object.items", readerInput(config, c.Input, key).String())
			if c.Expect.Status == "SUCCEEDED" {
				if err != nil || !value.Equal(got.Get("items"), c.Expect.Output) {
					t.Errorf("got %s %v\nwant %s", got, err, c.Expect.Output)
				}
				return
			}
			name := object.Invalid
			if c.Expect.Cause == items.ErrMaxItems.Error() {
				name = connector.InvalidInput
			}
			if e := fault(t, err); e.Name != name || e.Message != c.Expect.Cause {
				t.Errorf("error %s: %q, want %s: %q", e.Name, e.Message, name, c.Expect.Cause)
			}
		})
	}
	if tried < 13 {
		t.Errorf("%d cases", tried)
	}
}

// readerInput is what a ReaderConfig means for object.items.
func readerInput(config, input value.Value, key string) value.Value {
	in := value.Object(value.M("key", value.String(key)), value.M("format", value.String(strings.ToLower(config.Get("InputType").Text()))))
	if location := config.Get("CSVHeaderLocation").Text(); location != "" {
		in = in.With("csv", value.Object(
			value.M("header", value.String(strings.ToLower(location))), value.M("headers", config.Get("CSVHeaders")),
		))
	}
	if n, ok := config.Get("MaxItems").Int(); ok {
		in = in.With("max_items", value.Int(n))
	}
	if path := config.Get("MaxItemsPath").Text(); path != "" {
		in = in.With("max_items", input.Get(strings.TrimPrefix(path, "$.")))
	}
	if strings.HasPrefix(config.Get("MaxItems").Text(), "{%") {
		in = in.With("max_items", value.Int(2)) // the one expression that is recorded
	}
	return in
}
