package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// TestExamplesAreValid checks the definitions of every folder below examples/
// and every example of the reference page that is a whole document, by the
// language and by the JSON Schema.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	paths := documents(t)
	entries, err := os.ReadDir("../../examples")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			paths = append(paths, filepath.Join("../../examples", e.Name()))
		}
	}
	for _, path := range paths {
		p, err := project.Open(path)
		if errors.Is(err, project.ErrNoDefinition) {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		_, problems := project.Load(local.Definitions(local.Languages()), p.Sources)
		for _, d := range problems {
			if d.Severity == diag.Error {
				t.Errorf("%s", d)
			}
		}
		for _, s := range p.Sources {
			if s.Language == native.Name {
				validate(t, schema, s)
			}
		}
	}
}

// documents writes the documents of the reference page into files.
func documents(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	text := native.Reference(config())
	for i := 0; ; i++ {
		_, rest, found := strings.Cut(text, "```yaml\nkind: ")
		if !found {
			if i < len(config().Connections) {
				t.Errorf("the reference page has only %d documents", i)
			}
			return paths
		}
		doc, after, _ := strings.Cut(rest, "```")
		text = after
		path := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(path, []byte("kind: "+doc), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(native.Schema(config()).Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(native.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(native.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, s project.Source) {
	t.Helper()
	docs, _ := yamldoc.Parse(s.Path, s.Text)
	for _, d := range docs {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.ToValue().Append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", s.Path, err)
		}
	}
}
