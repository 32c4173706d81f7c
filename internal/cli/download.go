package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/regie-dev/regie/client"
	"github.com/regie-dev/regie/internal/datadir"
)

// stdoutFile is how a command line names standard output.
const stdoutFile = "-"

// newFile checks, before a server is asked for anything, that a file may be
// written.
func (c *cli) newFile(name string, force, binary bool) error {
	if name == stdoutFile {
		if _, _, terminal := c.Terminal(c.Stdout); terminal && binary {
			return usagef("this is no text: it is not printed on a terminal").withHint("name a file, or send standard output elsewhere")
		}
		if c.output == outputJSON {
			return usagef("standard output cannot have both the file and a JSON document").withHint("name a file")
		}
		return nil
	}
	path, err := c.abs(name)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return failf(exitInternal, "not_writable", "%s cannot be written: %w", name, err)
	case info.IsDir():
		return usagef("%s is a folder", name).withHint("name a file in it")
	case !force:
		return failf(exitInvalid, "exists", "%s is there already", name).withHint("name another file, or overwrite it with --force")
	case !info.Mode().IsRegular():
		return usagef("%s is no ordinary file, which --force would replace", name)
	}
	return nil
}

// writeNew writes a file whole or not at all: beside its place first, and synced
// before it gets its name. Others may not read it. It returns how many bytes it
// has.
func (c *cli) writeNew(name string, force bool, fill func(w io.Writer) error) (written int64, err error) {
	if name == stdoutFile {
		n := counter{w: c.Stdout}
		err := fill(&n)
		return n.bytes, err
	}
	path, err := c.abs(name)
	if err != nil {
		return 0, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return 0, failf(exitInternal, "not_writable", "%s cannot be written: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	n := counter{w: temp}
	if err := fill(&n); err != nil {
		return 0, errors.Join(err, temp.Close())
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return 0, failf(exitInternal, "not_writable", "%s cannot be written: %w", name, err)
	}
	if err := place(temp.Name(), path, force); err != nil {
		return 0, failf(exitInternal, "not_writable", "%s cannot be written: %w", name, err)
	}
	return n.bytes, nil
}

// place gives a file its name, durably. Without replace it fails where a file has
// come meanwhile; file systems without hard links cannot tell, and replace it.
func place(temp, path string, replace bool) error {
	if !replace {
		err := os.Link(temp, path)
		if err == nil {
			return errors.Join(os.Remove(temp), datadir.SyncDir(os.Open, filepath.Dir(path)))
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return errors.Join(os.Rename(temp, path), datadir.SyncDir(os.Open, filepath.Dir(path)))
}

// counter counts what is written.
type counter struct {
	w     io.Writer
	bytes int64
}

// Write implements io.Writer.
func (n *counter) Write(p []byte) (int, error) {
	written, err := n.w.Write(p)
	n.bytes += int64(written)
	if err != nil {
		err = failf(exitInternal, "not_writable", "what the server sends cannot be written: %w", err)
	}
	return written, err
}

// copyBody writes what a server streams, to its end.
func copyBody(w io.Writer, stream *client.Download) error {
	for stream.Receive() {
		if _, err := w.Write(stream.Msg().GetData()); err != nil {
			return errors.Join(err, stream.Close())
		}
	}
	return errors.Join(stream.Err(), stream.Close())
}
