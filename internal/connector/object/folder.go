package object

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/datadir"
)

// partial begins the names of files that are being written; keys cannot use
// it.
const partial = ".regie-part-"

// folderStore is the store of a connection of type folder: each folder in it
// is a bucket, each file below that an object.
type folderStore struct{ root *os.Root }

var _ store = (*folderStore)(nil)

func (s *Stores) newFolder(c *connector.Connection) (*folderStore, error) {
	in, err := c.Connect(FolderType())
	if err != nil {
		return nil, err
	}
	root, err := openAllowed(in.Text("path"), s.config.Folders)
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: path: %v", c.Name, err)
	}
	return &folderStore{root: root}, nil
}

// openAllowed opens a folder that is, symbolic links resolved, one of the
// folders or lies below one.
func openAllowed(name string, folders []string) (*os.Root, error) {
	if len(folders) == 0 {
		return nil, errors.New("no folder is allowed for object stores here")
	}
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return nil, errors.New("want the path of a folder")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folders[0], name)
	}
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("it does not exist")
	}
	if err != nil {
		return nil, errors.New("it cannot be reached")
	}
	for _, folder := range folders {
		above, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue
		}
		within, err := filepath.Rel(above, real)
		if err != nil || !filepath.IsLocal(within) {
			continue
		}
		return openWithin(above, within)
	}
	return nil, errors.New("it does not lie in a folder that is allowed for object stores: " + strings.Join(folders, ", "))
}

// openWithin opens a folder such that no link changed meanwhile leads out.
func openWithin(above, within string) (*os.Root, error) {
	outer, err := os.OpenRoot(above)
	if err != nil {
		return nil, errors.New("it cannot be opened")
	}
	defer outer.Close()
	root, err := outer.OpenRoot(within)
	if err != nil {
		return nil, errors.New("it cannot be opened as a folder")
	}
	return root, nil
}

func (f *folderStore) close() { _ = f.root.Close() }

// name is the path of an object's file within the root.
func (f *folderStore) name(at place) (string, error) {
	switch {
	case at.version != "":
		return "", errorAt(connector.InvalidInput, at, "version: a folder keeps no versions")
	case !fs.ValidPath(at.key) || at.key == "." || !filepath.IsLocal(filepath.FromSlash(at.key)):
		return "", errorAt(connector.InvalidInput, at, "key: %q cannot be a file: want names with / between them, none of them empty, . or ..", at.key)
	case strings.HasPrefix(path.Base(at.key), partial):
		return "", errorAt(connector.InvalidInput, at, "key: names that begin with %s are for files that are being written", partial)
	}
	return path.Join(at.bucket, at.key), nil
}

// bucket fails unless the bucket is there.
func (f *folderStore) bucket(at place) error {
	info, err := f.root.Stat(at.bucket)
	if err == nil && info.IsDir() {
		return nil
	}
	return errorAt(NotFound, at, "there is no bucket %s: no folder of this name in that of the connection", at.bucket)
}

func (f *folderStore) get(_ context.Context, at place) (*content, error) {
	name, err := f.name(at)
	if err != nil {
		return nil, err
	}
	if err := f.bucket(at); err != nil {
		return nil, err
	}
	// Before it is opened: opening a pipe would wait.
	info, err := f.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, f.fault("get", at, err)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, f.fault("get", at, err)
	}
	if info, err = file.Stat(); err != nil {
		_ = file.Close()
		return nil, f.fault("get", at, err)
	}
	return &content{body: file, contentType: mime.TypeByExtension(path.Ext(at.key)), entry: entryOf(at.key, info)}, nil
}

// entryOf describes a file. Its tag changes with its size and time, since a
// hash would need all of it to be read.
func entryOf(key string, info fs.FileInfo) entry {
	return entry{
		key: key, size: info.Size(), modified: info.ModTime(), class: "STANDARD",
		etag: fmt.Sprintf("\"%x-%x\"", info.Size(), info.ModTime().UnixNano()),
	}
}

// put writes a file beside the one meant, then renames it.
func (f *folderStore) put(ctx context.Context, at place, body []byte, _ string) (string, error) {
	name, err := f.name(at)
	if err != nil {
		return "", err
	}
	if err := f.bucket(at); err != nil {
		return "", err
	}
	if ended := connector.FromContext(ctx); ended != nil {
		return "", ended
	}
	if err := f.root.MkdirAll(path.Dir(name), 0o777); err != nil {
		return "", f.fault("put", at, err)
	}
	unique := make([]byte, 8)
	_, _ = rand.Read(unique) // never fails
	part := path.Join(path.Dir(name), partial+hex.EncodeToString(unique))
	info, err := f.write(part, body)
	if err == nil {
		err = f.root.Rename(part, name)
	}
	for dir := path.Dir(name); err == nil && dir != "."; dir = path.Dir(dir) {
		err = datadir.SyncDir(f.root.Open, dir) // of folders too that were made for it
	}
	if err != nil {
		_ = f.root.Remove(part)
		return "", f.fault("put", at, err)
	}
	return entryOf(at.key, info).etag, nil
}

// write makes a file and waits until it is on the disk.
func (f *folderStore) write(name string, body []byte) (fs.FileInfo, error) {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(body)
	if err == nil {
		err = file.Sync()
	}
	info, statErr := file.Stat()
	return info, errors.Join(err, statErr, file.Close())
}

func (f *folderStore) list(ctx context.Context, bucket, prefix string, yield func(entry) bool) error {
	at := place{bucket: bucket, key: prefix}
	if err := f.bucket(at); err != nil {
		return err
	}
	// What the prefix says before its last slash is a folder; without such a
	// folder nothing has the prefix.
	start := bucket
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		if !fs.ValidPath(prefix[:i]) {
			return nil
		}
		start = path.Join(bucket, prefix[:i])
	}
	var found []entry
	err := fs.WalkDir(f.root.FS(), start, func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // never there, or deleted meanwhile
		}
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), partial) {
			return err
		}
		key := strings.TrimPrefix(name, bucket+"/")
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			found = append(found, entryOf(key, info))
		}
		return err
	})
	if ended := connector.FromContext(ctx); ended != nil {
		return ended
	}
	if err != nil {
		return f.fault("list", at, err)
	}
	// Folders are walked by name, where "a/b" comes before "a-b".
	slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	for _, e := range found {
		if !yield(e) {
			break
		}
	}
	return nil
}

func (f *folderStore) remove(_ context.Context, at place) error {
	name, err := f.name(at)
	if err != nil {
		return err
	}
	if err := f.bucket(at); err != nil {
		return err
	}
	info, err := f.root.Lstat(name)
	if err == nil && info.IsDir() {
		return nil // a folder is no object
	}
	if err == nil {
		err = f.root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fault("delete", at, err)
	}
	return nil
}

// fault turns an error of a file into the step's error.
func (f *folderStore) fault(verb string, at place, err error) *connector.Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errorAt(NotFound, at, "%s object %s: there is no such object", verb, at)
	case errors.Is(err, fs.ErrPermission):
		return errorAt(Denied, at, "%s object %s: %v", verb, at, err)
	}
	return errorAt(Failed, at, "%s object %s: %v", verb, at, err)
}
