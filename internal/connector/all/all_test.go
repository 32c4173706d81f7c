package all_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
	"go.uber.org/goleak"
)

// Lists are in order, without repetitions, and name only what exists.
func TestLists(t *testing.T) {
	t.Parallel()
	var names, connections, channels []string
	for _, o := range all.ConnectionTypes() {
		connections = append(connections, o.Name)
		connectortest.CheckObjectType(t, o)
	}
	for _, o := range all.ChannelTypes() {
		channels = append(channels, o.Name)
		connectortest.CheckObjectType(t, o)
		for _, name := range o.Connections {
			if !slices.Contains(connections, name) {
				t.Errorf("channel %s takes connections of type %s, which does not exist", o.Name, name)
			}
		}
	}
	for _, d := range all.Describe() {
		names = append(names, d.Name)
		for _, name := range d.Connections {
			if !slices.Contains(connections, name) {
				t.Errorf("%s takes connections of type %s, which does not exist", d.Name, name)
			}
		}
	}
	want := []string{
		"http.request", "json.transform", "log", "notify.send", "object.delete", "object.get", "object.items", "object.list", "object.put", "object.results", "object.watch",
		"sql.execute", "sql.query",
	}
	if !slices.Equal(names, want) {
		t.Errorf("connectors %v, want %v", names, want)
	}
	for _, list := range [][]string{names, connections, channels} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%v is not in order, or repeats a name", list)
		}
	}
}

// Pages and schemas come from the descriptors.
func TestDocuments(t *testing.T) {
	t.Parallel()
	objects := map[string]*descriptor.Object{}
	add := func(o *descriptor.Object) {
		if objects[o.Name] != nil && objects[o.Name] != o {
			t.Errorf("two objects are called %s", o.Name)
		}
		objects[o.Name] = o
	}
	for _, d := range all.Describe() {
		add(d.Input)
		add(d.Output)
	}
	for _, o := range append(all.ConnectionTypes(), all.ChannelTypes()...) {
		add(o.Object)
	}
	for name, o := range objects {
		page := descriptor.Markdown(o)
		schema := descriptor.Schema(o, "https://example.org/schema")
		for i := range o.Fields {
			if !strings.Contains(page, o.Fields[i].Name) || !strings.Contains(schema.String(), `"`+o.Fields[i].Name+`"`) {
				t.Errorf("%s: the field %s is not in the page or the schema", name, o.Fields[i].Name)
			}
		}
	}
}

// Names of errors that two packages write alike are the same.
func TestErrorNames(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		egress.NameTimeout: connector.Timeout, egress.NameCanceled: connector.Canceled, egress.NameInvalidURL: connector.InvalidInput,
	} {
		if a != b {
			t.Errorf("%s and %s", a, b)
		}
	}
}

// What Deps says reaches the connectors, and closing leaves nothing behind.
func TestDeps(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	defer server.Close()
	place, err := egress.ParseHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	connectors := all.Connectors(all.Deps{
		Egress: egress.Config{Policy: egress.Policy{Allow: []egress.HostPort{place}}}, SQLiteFolders: []string{folder}, ObjectFolders: []string{folder},
	})
	for name, c := range connectors {
		switch name {
		case "http.request":
			if _, err := c.Call(t.Context(), connectortest.Call(t, fmt.Sprintf(`{"url": %q}`, server.URL))); err != nil {
				t.Error(err)
			}
		case "object.list":
			call := connectortest.Call(t, `{"connection": "files", "bucket": "b"}`)
			call.Connection = &connector.Connection{Name: "files", Type: "folder", Fields: value.MustParse(`{"path": "."}`)}
			if _, err := c.Call(t.Context(), call); err != nil {
				t.Error(err)
			}
		case "sql.execute":
			call := connectortest.Call(t, `{"connection": "db", "statement": "create table t (id integer)"}`)
			call.Connection = &connector.Connection{Name: "db", Type: "sqlite", Fields: value.MustParse(`{"path": "a.db"}`)}
			if _, err := c.Call(t.Context(), call); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "a.db")); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := all.Close(connectors); err != nil {
			t.Error(err)
		}
	}
}
