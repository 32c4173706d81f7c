package object_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// backend is a store under test, with the means to look at it from behind.
type backend struct {
	stores     *object.Stores
	connection *connector.Connection
	write      func(key, body string)  // an object of bucket b
	read       func(key string) string // empty if there is none
}

// backends are the stores that every test of the connectors runs on.
func backends() map[string]func(t *testing.T) backend {
	return map[string]func(t *testing.T) backend{
		"s3": func(t *testing.T) backend { return s3Backend(t, newS3Server(t)) },
		"folder": func(t *testing.T) backend {
			t.Helper()
			folder := t.TempDir()
			must(t, os.Mkdir(filepath.Join(folder, "b"), 0o700))
			stores := object.New(object.Config{Dialer: egress.NewDialer(egress.Config{}), Folders: []string{folder}})
			return backend{
				stores: stores, connection: folderConnection("."),
				write: func(key, body string) {
					name := filepath.Join(folder, "b", filepath.FromSlash(key))
					must(t, os.MkdirAll(filepath.Dir(name), 0o700))
					must(t, os.WriteFile(name, []byte(body), 0o600))
				},
				read: func(key string) string {
					body, _ := os.ReadFile(filepath.Join(folder, "b", filepath.FromSlash(key)))
					return string(body)
				},
			}
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func folderConnection(path string) *connector.Connection {
	return &connector.Connection{Name: "files", Type: "folder", Fields: value.Object(value.M("path", value.String(path)))}
}

// s3Connection is a connection as the worker makes it: its hosts are allowed.
func s3Connection(t *testing.T, fields string) *connector.Connection {
	t.Helper()
	c := &connector.Connection{Name: "lake", Type: "s3", Fields: value.MustParse(fields)}
	hosts, err := object.S3Type().Hosts(c.Fields)
	must(t, err)
	c.AllowHosts = hosts
	return c
}

func s3Backend(t *testing.T, server *s3Server) backend {
	t.Helper()
	stores := object.New(object.Config{Dialer: egress.NewDialer(egress.Config{}), Pause: time.Millisecond})
	t.Cleanup(func() { _ = stores.Close() })
	fields := fmt.Sprintf(`{"endpoint": %q, "region": %q, "access_key_id": %q, "secret_access_key": %q}`, server.URL, region, keyID, secretKey)
	return backend{
		stores: stores, connection: s3Connection(t, fields),
		write: func(key, body string) {
			server.mu.Lock()
			defer server.mu.Unlock()
			server.objects["/b/"+key] = []byte(body)
		},
		read: func(key string) string { return server.object("/b/" + key) },
	}
}

// find returns the connector with the name.
func (b backend) find(t *testing.T, name string) connector.Connector {
	t.Helper()
	for _, c := range b.stores.Connectors() {
		if c.Describe().Name == name {
			return c
		}
	}
	t.Fatalf("there is no connector %s", name)
	return nil
}

// call calls a connector; the input lacks connection and bucket, unless it has
// them.
func (b backend) call(t *testing.T, name, input string) (value.Value, error) {
	t.Helper()
	result, err := b.find(t, name).Call(t.Context(), b.request(t, input))
	return result.Output, err
}

func (b backend) request(t *testing.T, input string) connector.Call {
	t.Helper()
	full := value.Object(value.M("connection", value.String(b.connection.Name)), value.M("bucket", value.String("b")))
	for _, m := range value.MustParse(input).Members() {
		full = full.With(m.Key, m.Value)
	}
	call := connectortest.Call(t, full.String())
	call.Connection = b.connection
	return call
}

// fault returns the error of a call as the step would get it.
func fault(t *testing.T, err error) *connector.Error {
	t.Helper()
	var e *connector.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *connector.Error", err)
	}
	return e
}

// wantError checks the name of an error, and words of its message.
func wantError(t *testing.T, err error, name, message string) {
	t.Helper()
	if e := fault(t, err); e.Name != name || !strings.Contains(e.Message, message) {
		t.Errorf("error %s: %s; want %s: %s", e.Name, e.Message, name, message)
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for store, open := range backends() {
		for name, input := range map[string]string{
			"object.get": `{"key": "a.json"}`, "object.put": `{"key": "x/y", "body": {"a": 1}}`, "object.list": `{}`, "object.delete": `{"key": "gone"}`, "object.watch": `{"glob": "*.json"}`,
			"object.items": `{"key": "a.json", "format": "json"}`, "object.results": `{"results": [{"state": "succeeded", "output": 1}]}`,
		} {
			t.Run(store+" "+name, func(t *testing.T) {
				t.Parallel()
				b := open(t)
				b.write("a.json", `[1, 2]`)
				connectortest.Run(t, connectortest.Suite{
					New:  func(t *testing.T) connector.Connector { return b.find(t, name) },
					Call: func(t *testing.T) connector.Call { return b.request(t, input) },
					Bad:  []string{`{"connection": "x", "bucket": "../b", "key": "k", "body": 1, "format": "list", "results": []}`},
				})
			})
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	connectortest.CheckObjectType(t, object.S3Type())
	connectortest.CheckObjectType(t, object.FolderType())
}

// What is put can be read back, listed in the order of keys, and deleted.
func TestObjects(t *testing.T) {
	t.Parallel()
	for store, open := range backends() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			for key, body := range map[string]string{"a/b ü+.txt": `"text"`, "a-b": `{"x": [1]}`, "a/c/d": `""`, "z": `1`} {
				if _, err := b.call(t, "object.put", fmt.Sprintf(`{"key": %q, "body": %s}`, key, body)); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.read("a/b ü+.txt") + b.read("a-b"); got != `text{"x":[1]}` {
				t.Errorf("written: %s", got)
			}
			got, err := b.call(t, "object.get", `{"key": "a-b", "as": "json"}`)
			if size, _ := got.Get("size").Int(); err != nil || !value.Equal(got.Get("body"), value.MustParse(`{"x": [1]}`)) || size != 9 || got.Get("etag").Text() == "" {
				t.Errorf("got %s %v", got, err)
			}
			if got, err = b.call(t, "object.get", `{"key": "a/b ü+.txt", "as": "base64"}`); err != nil || got.Get("body").Text() != "dGV4dA==" {
				t.Errorf("got %s %v", got, err)
			}
			for input, want := range map[string]string{
				`{}`: `["a-b","a/b ü+.txt","a/c/d","z"] false`, `{"prefix": "a/"}`: `["a/b ü+.txt","a/c/d"] false`, `{"prefix": "a/c"}`: `["a/c/d"] false`,
				`{"prefix": "none/of/it"}`: `[] false`, `{"prefix": "../"}`: `[] false`, `{"max_items": 3}`: `["a-b","a/b ü+.txt","a/c/d"] true`,
				`{"max_items": 4}`: `["a-b","a/b ü+.txt","a/c/d","z"] false`,
			} {
				got, err := b.call(t, "object.list", input)
				keys := []value.Value{}
				for _, o := range got.Get("objects").Items() {
					keys = append(keys, o.Get("key"))
				}
				if text := fmt.Sprint(value.List(keys...), " ", got.Get("truncated")); err != nil || text != want {
					t.Errorf("%s: %s %v, want %s", input, text, err, want)
				}
			}
			for range 2 {
				if _, err := b.call(t, "object.delete", `{"key": "a/c/d"}`); err != nil {
					t.Error(err)
				}
			}
			_, err = b.call(t, "object.get", `{"key": "a/c/d"}`)
			wantError(t, err, object.NotFound, "b/a/c/d")
			if e := fault(t, err); e.Details.Get("key").Text() != "a/c/d" || e.Details.Get("bucket").Text() != "b" {
				t.Errorf("details %s", e.Details)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for store, open := range backends() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			if _, err := b.call(t, "object.put", `{"key": "k", "body": "/+8=", "base64": true}`); err != nil || b.read("k") != "\xff\xef" {
				t.Errorf("%q %v", b.read("k"), err)
			}
			for input, want := range map[string][3]string{
				`{"key": "k", "body": 1, "base64": true}`:   {"object.put", connector.InvalidInput, "base64"},
				`{"key": "k", "body": "=", "base64": true}`: {"object.put", connector.InvalidInput, "base64"},
				`{"key": "k"}`:                              {"object.get", object.Invalid, "as: base64"},
				`{"key": "k", "as": "json"}`:                {"object.get", object.Invalid, "not sound JSON"},
				`{"key": "k", "max_bytes": 1}`:              {"object.get", object.TooLarge, "more than 1 bytes"},
				`{"key": "k", "bucket": "none"}`:            {"object.get", object.NotFound, ""},
				`{"key": "k", "bucket": "none", "body": 1}`: {"object.put", object.NotFound, ""},
				`{"bucket": "none", "prefix": "p"}`:         {"object.list", object.NotFound, ""},
				`{"key": "k", "timeout": "2h"}`:             {"object.get", connector.InvalidInput, "timeout"},
			} {
				_, err := b.call(t, want[0], input)
				wantError(t, err, want[1], want[2])
			}
			if got, err := b.call(t, "object.get", `{"key": "k", "max_bytes": 2, "as": "base64"}`); err != nil || got.Get("body").Text() != "/+8=" {
				t.Errorf("%s %v", got, err)
			}
		})
	}
}
