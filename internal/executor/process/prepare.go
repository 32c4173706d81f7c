package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/regie-dev/regie/internal/executor"
)

// SpoolName is the name in the attempt's folder of what a supervisor keeps of
// the task's output. It is not written here, but removed with the rest.
const SpoolName = "spool"

// Names in the attempt's folder.
const (
	stateFile      = "state"
	scriptFile     = "script"
	workDir        = "work"
	tmpDir         = "tmp"
	outDir         = "out"
	outputFile     = "out/output"
	checkpointFile = "out/checkpoint"
	heartbeatFile  = "out/heartbeat"
)

// command is what is executed.
type command struct {
	program string
	argv    []string
	environ []string
	dir     string
}

// prepare fills the folder and finds the program. Errors are
// *[executor.StartError]. The folders and files are the user's, if there is
// one.
func prepare(root *os.Root, dir string, task *executor.Task, inherit []executor.EnvVar, user *User) (command, error) {
	environ, err := environment(inherit, user.vars(), task, dir)
	if err != nil {
		return command{}, &executor.StartError{Name: "environment", Err: err}
	}
	if err := fill(root, task); err != nil {
		return command{}, err
	}
	if err := handOver(root, user); err != nil {
		return command{}, &executor.StartError{Name: "run_as", Err: fmt.Errorf("give the task's files to user %q: %w", user.Name, err)}
	}
	c := command{environ: environ, dir: filepath.Join(dir, workDir)}
	notFound := "program_not_found"
	switch {
	case task.Script != "":
		notFound = "interpreter_not_found"
		c.argv = append(interpreter(task), filepath.Join(dir, scriptFile))
	case len(task.Args) > 0:
		c.argv = task.Args
	default:
		return command{}, &executor.StartError{Name: "start", Err: errors.New("task has neither a script nor arguments")}
	}
	for i, arg := range c.argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return command{}, &executor.StartError{Name: "start", Err: fmt.Errorf("argument %d has a NUL character, which no argument can hold; pass it in a file", i)}
		}
	}
	c.program, err = lookUp(c.argv[0], c.dir, variable(environ, "PATH"))
	if err != nil {
		kind := "program"
		if task.Script != "" {
			kind = "interpreter"
		}
		return command{}, &executor.StartError{Name: notFound, Err: fmt.Errorf("%s %q %w", kind, c.argv[0], err)}
	}
	return c, nil
}

// interpreter is what a script is run with: its own first line if that begins
// with #!, else Task.Shell. The line is read here as the kernel reads it (the
// program, then the rest as one argument) instead of executing the script: a
// file that was written a moment ago cannot always be executed (ETXTBSY).
func interpreter(task *executor.Task) []string {
	if line, ok := strings.CutPrefix(task.Script, "#!"); ok {
		line, _, _ = strings.Cut(line, "\n")
		line = strings.Trim(line, " \t\r")
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			return []string{line[:i], strings.TrimLeft(line[i:], " \t")}
		}
		if line != "" {
			return []string{line}
		}
	}
	if len(task.Shell) > 0 {
		return append([]string(nil), task.Shell...)
	}
	return []string{"/bin/sh", "-e"}
}

// lookUp finds a program as a shell does: a name with a slash is a path from
// the working directory dir, any other is searched in searchPath, of which
// relative entries do not count.
func lookUp(name, dir, searchPath string) (string, error) {
	if strings.Contains(name, "/") {
		full := name
		if !filepath.IsAbs(name) {
			full = filepath.Join(dir, name)
		}
		return full, executable(full)
	}
	for _, folder := range filepath.SplitList(searchPath) {
		full := filepath.Join(folder, name)
		if name != "" && filepath.IsAbs(folder) && executable(full) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("not found in PATH %q; install it or write its full path", searchPath)
}

// executable says why a file cannot be executed.
func executable(name string) error {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("not found; install it or name another")
	case err != nil:
		return fmt.Errorf("cannot be used: %w", err)
	case info.IsDir():
		return errors.New("is a directory")
	case info.Mode()&0o111 == 0:
		return errors.New("is not executable; run it with its interpreter, or make it executable")
	}
	return nil
}

// errNotEmpty says that the folder holds files that are not ours.
var errNotEmpty = errors.New("its directory is not empty; every attempt needs a new one")

// fill makes the folders and files of a task.
func fill(root *os.Root, task *executor.Task) error {
	for _, name := range []string{workDir, tmpDir, outDir} {
		err := root.Mkdir(name, 0o700)
		if errors.Is(err, fs.ErrExist) {
			err = errNotEmpty
		}
		if err != nil {
			return &executor.StartError{Name: "start", Err: fmt.Errorf("make directory of the task: %w", err)}
		}
	}
	if task.Script != "" {
		if err := writeFile(root, scriptFile, 0o700, []byte(task.Script)); err != nil {
			return &executor.StartError{Name: "start", Err: fmt.Errorf("write script: %w", err)}
		}
	}
	if len(task.Checkpoint) > 0 {
		if err := writeFile(root, checkpointFile, 0o600, task.Checkpoint); err != nil {
			return &executor.StartError{Name: "start", Err: fmt.Errorf("write checkpoint: %w", err)}
		}
	}
	if len(task.Files) == 0 {
		return nil
	}
	if err := unpack(root, task.Files); err != nil {
		return &executor.StartError{Name: "bundle", Err: err}
	}
	return nil
}

// handOver gives what a task may write, and its script, to a user. The folder
// above stays ours: there the user may only pass.
func handOver(root *os.Root, user *User) error {
	if user == nil {
		return nil
	}
	if err := root.Chmod(".", 0o711); err != nil {
		return err
	}
	for _, name := range []string{scriptFile, workDir, tmpDir, outDir} {
		err := fs.WalkDir(root.FS(), name, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return root.Lchown(path, int(user.UID), int(user.GID))
		})
		if err != nil && (name != scriptFile || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// unpack writes the bundle's files into the working directory.
func unpack(root *os.Root, files []executor.File) error {
	work, err := root.OpenRoot(workDir)
	if err != nil {
		return fmt.Errorf("open working directory: %w", err)
	}
	defer work.Close()
	for _, f := range files {
		if !localPath(f.Path) {
			return fmt.Errorf("bundled file %q: the path must be relative, clean, without .. and NUL", f.Path)
		}
		if folder := path.Dir(f.Path); folder != "." {
			if err := work.MkdirAll(folder, 0o755); err != nil {
				return fmt.Errorf("bundled file %q: make its directory: %w", f.Path, err)
			}
		}
		mode := os.FileMode(0o644)
		if f.Mode&0o111 != 0 {
			mode = 0o755
		}
		err := writeFile(work, f.Path, mode, f.Data)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("bundled file %q is there twice", f.Path)
		}
		if err != nil {
			return fmt.Errorf("write bundled file %q: %w", f.Path, err)
		}
	}
	return nil
}

// localPath reports whether a path of a bundle is one that we write.
func localPath(p string) bool {
	return p != "." && fs.ValidPath(p) && filepath.IsLocal(filepath.FromSlash(p)) && strings.IndexByte(p, 0) < 0
}

// writeFile writes a new file with exactly that mode. While it writes one that
// can be executed, no process is forked: a child that held the file open for
// writing, until its exec, would make executing the file fail (ETXTBSY).
func writeFile(root *os.Root, name string, mode os.FileMode, data []byte) error {
	if mode == 0o755 {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if mode&0o077 != 0 && err == nil { // the umask may have taken bits away
		err = f.Chmod(mode)
	}
	return errors.Join(err, f.Close())
}
