package native

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(testConfig()).Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, v value.Value) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

// TestSchemaAcceptsWhatLoads validates every document of the test data that
// has no errors.
func TestSchemaAcceptsWhatLoads(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if filepath.Ext(f.Name) != ".yaml" {
				continue
			}
			if _, problems := Load(testConfig(), []Source{{Path: f.Name, Text: f.Data}}); diag.HasErrors(problems) {
				continue
			}
			docs, _ := yamldoc.Parse(f.Name, f.Data)
			for _, doc := range docs {
				checked++
				if err := validate(t, schema, doc.ToValue()); err != nil {
					t.Errorf("%s %s: %v", name, doc.Get("name").Text, err)
				}
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d documents were validated", checked)
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, doc := range []string{
		`[]`,
		`{}`,
		`{"kind": "Workflw", "name": "x"}`,
		`{"kind": "Workflow", "name": "x"}`,
		`{"kind": "Workflow", "name": "../x", "steps": [{"run": "x"}]}`,
		`{"kind": "Workflow", "name": "x", "steps": []}`,
		`{"kind": "Workflow", "name": "x", "steps": [{}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"run": "x", "uses": "log"}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"run": "x", "retires": 3}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"run": "x"}], "graph": {"a": {"run": "x"}}}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"steps": [{"parallel": [{"rum": "x"}]}]}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"uses": "log", "with": {"mesage": "x"}}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"uses": "log"}]}`,
		`{"kind": "Workflow", "name": "x", "steps": [{"uses": "http.request", "with": {"method": "PUT"}}]}`,
		`{"kind": "Connection", "name": "x"}`,
		`{"kind": "Connection", "name": "x", "type": "mysql"}`,
		`{"kind": "Connection", "name": "x", "type": "postgres"}`,
		`{"kind": "Connection", "name": "x", "type": "http", "dsn": "x"}`,
		`{"kind": "Limit", "name": "x"}`,
	} {
		if err := validate(t, schema, value.MustParse(doc)); err == nil {
			t.Errorf("accepted %s", doc)
		}
	}
}
