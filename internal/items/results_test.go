package items_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

func results() []items.Result {
	return []items.Result{
		{Name: "n0", Status: "SUCCEEDED", Input: value.Int(1), Output: value.MustParse(`[1, {"a": 2}]`), Start: "2026-01-02T03:04:05Z", Stop: "2026-01-02T03:04:06Z"},
		{Name: "n1", Status: "TIMED_OUT", Input: value.String("x"), Error: "States.Timeout", Cause: "late", Start: "2026-01-02T03:04:05Z", Stop: "2026-01-02T03:04:06Z"},
		{Name: "n2", Status: "SUCCEEDED", Input: value.Int(2), Output: value.MustParse(`{"b": 3}`)},
		{Status: "PENDING", Input: value.Int(3)},
	}
}

// The records carry what AWS Step Functions writes of a child execution.
func TestRecords(t *testing.T) {
	t.Parallel()
	e := items.Export{Bucket: "out", Prefix: "a/b/", Region: "us-east-1", Account: "111111111111", Machine: "orders", Label: "Map", Run: "u-1"}
	files := e.Files(results())
	want := map[string]string{
		"a/b/u-1/FAILED_0.json": `[{"ExecutionArn": "arn:aws:states:us-east-1:111111111111:execution:orders/Map:n1", "Input": "\"x\"", "InputDetails": {"Included": true},
			"Name": "n1", "Cause": "late", "Error": "States.Timeout", "RedriveCount": 0, "RedriveStatus": "NOT_REDRIVABLE",
			"RedriveStatusReason": "Execution is TIMED_OUT and cannot be redriven", "StartDate": "2026-01-02T03:04:05Z",
			"StateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:orders/Map", "Status": "TIMED_OUT", "StopDate": "2026-01-02T03:04:06Z"}]`,
		"a/b/u-1/PENDING_0.json": `[{"Input": "3", "InputDetails": {"Included": true}, "Status": "PENDING"}]`,
	}
	if len(files) != 4 {
		t.Fatalf("%d files", len(files))
	}
	for _, f := range files {
		if text, ok := want[f.Key]; ok && !value.Equal(value.MustParse(string(f.Body)), value.MustParse(text)) {
			t.Errorf("%s: %s", f.Key, f.Body)
		}
	}
	succeeded := value.MustParse(string(files[2].Body))
	if files[2].Key != "a/b/u-1/SUCCEEDED_0.json" || succeeded.Len() != 2 || succeeded.At(0).Get("Output").Text() != `[1,{"a":2}]` {
		t.Errorf("%s: %s", files[2].Key, succeeded)
	}
	manifest := value.MustParse(string(files[3].Body))
	if files[3].Key != "a/b/u-1/manifest.json" || manifest.Get("DestinationBucket").Text() != "out" ||
		manifest.Get("MapRunArn").Text() != "arn:aws:states:us-east-1:111111111111:mapRun:orders/Map:u-1" {
		t.Errorf("%s: %s", files[3].Key, manifest)
	}
	for i, name := range []string{"FAILED", "PENDING", "SUCCEEDED"} {
		entry := manifest.Get("ResultFiles").Get(name).At(0)
		size, _ := entry.Get("Size").Int()
		if entry.Get("Key").Text() != files[i].Key || size != int64(len(files[i].Body)) {
			t.Errorf("%s: %s", name, entry)
		}
	}
}

// What succeeded can be written as outputs alone; what failed stays whole.
func TestTransformations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		export items.Export
		want   string
	}{
		"compact":        {items.Export{Compact: true}, `[[1,{"a":2}],{"b":3}]`},
		"flatten":        {items.Export{Flatten: true}, `[1,{"a":2},{"b":3}]`},
		"compact, lines": {items.Export{Compact: true, Lines: true}, "[1,{\"a\":2}]\n{\"b\":3}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.export.Run = "u"
			extension := ".json"
			if c.export.Lines {
				extension = ".jsonl"
			}
			for _, f := range c.export.Files(results()) {
				switch f.Key {
				case "u/SUCCEEDED_0" + extension:
					if string(f.Body) != c.want {
						t.Errorf("got %s", f.Body)
					}
				case "u/FAILED_0" + extension:
					if !strings.Contains(string(f.Body), `"Error":"States.Timeout"`) {
						t.Errorf("got %s", f.Body)
					}
				}
			}
		})
	}
}

// Without results there is a manifest that names no files; outputs that are
// empty lists still leave a file.
func TestNoResults(t *testing.T) {
	t.Parallel()
	files := items.Export{Bucket: "b", Machine: "orders", Label: "Map", Run: "u"}.Files(nil)
	want := `{"DestinationBucket":"b","MapRunArn":"arn:aws:states:::mapRun:orders/Map:u","ResultFiles":{"FAILED":[],"PENDING":[],"SUCCEEDED":[]}}`
	if len(files) != 1 || files[0].Key != "u/manifest.json" || string(files[0].Body) != want {
		t.Errorf("%s", files)
	}
	files = items.Export{Run: "u", Flatten: true}.Files([]items.Result{{Status: "SUCCEEDED", Output: value.List()}})
	if len(files) != 2 || string(files[0].Body) != "[]" {
		t.Errorf("%s", files)
	}
}
