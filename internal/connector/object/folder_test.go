package object_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/egress"
)

// world is a folder with a store within and something outside.
func world(t *testing.T) (string, backend) {
	t.Helper()
	top := t.TempDir()
	for _, folder := range []string{"stores/lake/b/sub", "outside"} {
		must(t, os.MkdirAll(filepath.Join(top, filepath.FromSlash(folder)), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(top, "outside", "secret"), []byte("secret"), 0o600))
	must(t, os.WriteFile(filepath.Join(top, "stores", "secret"), []byte("secret"), 0o600))
	stores := object.New(object.Config{Dialer: egress.NewDialer(egress.Config{}), Folders: []string{filepath.Join(top, "stores")}})
	return top, backend{stores: stores, connection: folderConnection("lake")}
}

// No key and no link leads out of the store's folder.
func TestFolderBounds(t *testing.T) {
	t.Parallel()
	top, b := world(t)
	bucket := filepath.Join(top, "stores", "lake", "b")
	must(t, os.Symlink(filepath.Join(top, "outside"), filepath.Join(bucket, "out")))
	must(t, os.Symlink("../../../outside/secret", filepath.Join(bucket, "file")))
	must(t, os.Symlink(filepath.Join(top, "outside"), filepath.Join(top, "stores", "lake", "linked")))
	for _, key := range []string{"../secret", "sub/../../secret", "/etc/passwd", "sub//x", "sub/", ".", "./x", "a/.regie-part-1"} {
		for _, call := range []string{"object.get", "object.put", "object.delete"} {
			input := `{"key": "` + key + `"}`
			if call == "object.put" {
				input = `{"key": "` + key + `", "body": "x"}`
			}
			_, err := b.call(t, call, input)
			wantError(t, err, connector.InvalidInput, "key: ")
		}
	}
	for _, key := range []string{"out/secret", "file"} {
		if got, err := b.call(t, "object.get", `{"key": "`+key+`"}`); err == nil {
			t.Errorf("%s: read %s", key, got)
		}
	}
	if _, err := b.call(t, "object.put", `{"key": "out/new", "body": "x"}`); err == nil {
		t.Error("written through a link")
	}
	if _, err := b.call(t, "object.put", `{"key": "file", "body": "mine"}`); err != nil {
		t.Errorf("a link is replaced, not followed: %v", err)
	}
	for _, name := range []string{"new", "secret"} {
		body, err := os.ReadFile(filepath.Join(top, "outside", name))
		if name == "secret" && string(body) != "secret" || name == "new" && err == nil {
			t.Errorf("outside %s is %q", name, body)
		}
	}
	_, err := b.call(t, "object.list", `{"bucket": "linked"}`)
	wantError(t, err, object.NotFound, "no bucket linked")
	got, err := b.call(t, "object.list", `{}`)
	if err != nil || got.Get("objects").Len() != 1 || got.Get("objects").At(0).Get("key").Text() != "file" {
		t.Errorf("list %s %v", got, err)
	}
}

// What is no regular file is no object; a key cannot be a folder and a file.
func TestFolderKinds(t *testing.T) {
	t.Parallel()
	top, b := world(t)
	bucket := filepath.Join(top, "stores", "lake", "b")
	must(t, os.WriteFile(filepath.Join(bucket, ".regie-part-left"), []byte("half"), 0o600))
	_, err := b.call(t, "object.get", `{"key": "sub"}`)
	wantError(t, err, object.NotFound, "no such object")
	if _, err := b.call(t, "object.delete", `{"key": "sub"}`); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(bucket, "sub")); err != nil {
		t.Error(err)
	}
	if _, err := b.call(t, "object.put", `{"key": "x", "body": "1"}`); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"x/y", "sub"} {
		_, err := b.call(t, "object.put", `{"key": "`+key+`", "body": "1"}`)
		wantError(t, err, object.Failed, "put object b/"+key)
	}
	_, err = b.call(t, "object.get", `{"key": "x", "version": "1"}`)
	wantError(t, err, connector.InvalidInput, "version")
	got, err := b.call(t, "object.list", `{}`)
	if err != nil || got.Get("objects").Len() != 1 {
		t.Errorf("list %s %v", got, err)
	}
	left, err := filepath.Glob(filepath.Join(bucket, ".regie-part-*"))
	if err != nil || len(left) != 1 {
		t.Errorf("a failed put left %v", left)
	}
}

// The folder of a connection lies where the server allows it.
func TestFolderPaths(t *testing.T) {
	t.Parallel()
	top, b := world(t)
	must(t, os.Symlink(filepath.Join(top, "outside"), filepath.Join(top, "stores", "link")))
	must(t, os.Symlink(filepath.Join(top, "stores", "lake"), filepath.Join(top, "way in")))
	for path, message := range map[string]string{
		"../outside": "does not lie in a folder", filepath.Join(top, "outside"): "does not lie in a folder", "link": "does not lie in a folder",
		"none": "does not exist", "secret": "cannot be opened as a folder", "": "want the path", "a\x00b": "want the path",
	} {
		b.connection = folderConnection(path)
		_, err := b.call(t, "object.list", `{}`)
		wantError(t, err, connector.InvalidConnection, message)
	}
	for _, path := range []string{"lake", filepath.Join(top, "stores", "lake"), filepath.Join(top, "way in")} {
		b.connection = folderConnection(path)
		if _, err := b.call(t, "object.list", `{}`); err != nil {
			t.Error(err)
		}
	}
	b.stores = object.New(object.Config{Dialer: egress.NewDialer(egress.Config{})})
	_, err := b.call(t, "object.list", `{}`)
	wantError(t, err, connector.InvalidConnection, "no folder is allowed")
}
