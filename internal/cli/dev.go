package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/local"
)

const (
	// devQuiet is how long files must be left alone before a run starts: editors
	// write a file in several steps.
	devQuiet = 150 * time.Millisecond
	// devFolders bounds the folders that are watched.
	devFolders = 2_000
)

func (c *cli) devCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "dev FILE|DIR",
		Short: "Run a workflow again on every change",
		Long: `Runs a workflow like ` + "`regie run`" + `, then waits for a change of its definition, of
bundled files, or of files that flags name, and runs it again; a run that goes on
is canceled first. While a definition is not valid it shows what is wrong. Ctrl-C
ends it.`,
		Example: "  regie dev eod.yaml --input @input.json --mocks mocks.yaml --time virtual",
		GroupID: groupWrite,
		Args:    arguments(1, 1, "FILE or DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.output == outputJSON {
				return usagef("dev is for people: --output json is not possible")
			}
			if err := f.check(); err != nil {
				return err
			}
			return c.dev(cmd.Context(), &f, args[0])
		},
	}
	f.define(cmd)
	return cmd
}

// dev runs the workflow again and again until the user ends it.
func (c *cli) dev(ctx context.Context, f *runFlags, path string) error {
	w, err := c.newChanges(f, path)
	if err != nil {
		return err
	}
	defer w.close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	over := make(chan struct{}) // closed when the user ends it
	stop := c.interrupted(ctx, func(nth int) {
		if nth == 1 {
			close(over)
		} else {
			end()
		}
	})
	defer stop()
	for {
		c.clear()
		w.learn()
		changed := make(chan struct{})
		watching, enough := context.WithCancel(ctx)
		go func() {
			if w.wait(watching) {
				close(changed)
			}
		}()
		c.devRun(ctx, f, path, changed, over)
		select {
		case <-over:
		default:
			printf(c.Stdout, "\n%s\n", view.Painter(c.color(c.Stdout))(view.StyleFaint, "Waits for a change; Ctrl-C ends."))
		}
		select {
		case <-changed:
			enough()
		case <-over:
			enough()
			return nil
		case <-ctx.Done():
			enough()
			return nil
		}
	}
}

// devRun runs the workflow once; a change or the end of it all cancels the run.
func (c *cli) devRun(ctx context.Context, f *runFlags, path string, changed, over <-chan struct{}) {
	once := *c
	once.quiet = true
	once.Interrupts = func() (<-chan struct{}, func()) {
		asked, done := make(chan struct{}), make(chan struct{})
		go func() {
			select {
			case <-changed:
			case <-over:
			case <-done:
				return
			}
			select {
			case asked <- struct{}{}:
			case <-done:
			}
		}()
		return asked, func() { close(done) }
	}
	err := once.run(ctx, f, path)
	var end ended
	if err != nil && !errors.As(err, &end) {
		c.report(asFailure(err))
	}
}

// clear clears the screen and what has scrolled off it, on a terminal.
func (c *cli) clear() {
	if _, _, ok := c.Terminal(c.Stdout); ok && c.env("TERM") != "dumb" {
		printf(c.Stdout, "\x1b[H\x1b[2J\x1b[3J")
	}
}

// changes watches the files on which a run depends.
type changes struct {
	c       *cli
	watcher *fsnotify.Watcher
	root    string // the folder of the definitions, absolute
	folder  bool   // all definitions of it count, else one file
	path    string
	how     dialectFlags
	named   []string // files that flags name, absolute
	files   map[string]bool
}

func (c *cli) newChanges(f *runFlags, path string) (*changes, error) {
	abs, err := c.abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, openFailure(path, abs, err)
	}
	w := &changes{c: c, root: abs, folder: info.IsDir(), path: path}
	if !w.folder {
		w.root = filepath.Dir(abs)
	}
	w.how = f.dialectFlags
	mocks, _ := mockFile(f.mocks)
	for _, name := range []string{mocks, f.resources, f.vars, f.secrets, inputFile(f.input)} {
		if name == "" {
			continue
		}
		if name, err = c.abs(name); err != nil {
			return nil, err
		}
		w.named = append(w.named, name)
	}
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		return nil, failf(exitInternal, "internal", "watch files: %w", err)
	}
	return w, nil
}

// inputFile is the file that --input names, "" if it is JSON.
func inputFile(input string) string {
	name, isFile := strings.CutPrefix(input, "@")
	if !isFile || name == "-" {
		return ""
	}
	return name
}

func (w *changes) close() { _ = w.watcher.Close() }

// learn finds out which files count now, and watches their folders: a file that
// is replaced is seen in its folder.
func (w *changes) learn() {
	w.files = map[string]bool{}
	folders := map[string]bool{}
	add := func(file string) {
		w.files[file] = true
		folders[filepath.Dir(file)] = true
	}
	for _, name := range w.named {
		add(name)
	}
	if d, err := w.c.load(local.Languages(), &w.how, w.path); err == nil {
		for shown := range d.texts {
			if abs, err := w.c.abs(shown); err == nil {
				add(abs)
			}
		}
		for _, program := range d.set.Workflows {
			if program.Program == nil {
				continue
			}
			beside := program.Pos.File
			if program.Program.Language == asl.Name {
				beside = d.resourcesOf(beside)
			}
			for _, file := range program.Program.Files {
				add(filepath.Join(filepath.Dir(w.definition(beside)), filepath.FromSlash(file.Path)))
			}
		}
	}
	folders[w.root] = true
	if w.folder {
		w.below(folders)
	}
	for _, old := range w.watcher.WatchList() {
		if !folders[old] {
			_ = w.watcher.Remove(old)
		}
	}
	for folder := range folders {
		_ = w.watcher.Add(folder) // what cannot be watched shows no changes
	}
}

func (w *changes) definition(shown string) string {
	abs, err := w.c.abs(shown)
	if err != nil {
		return shown
	}
	return abs
}

// below adds the folders in which a new definition may appear.
func (w *changes) below(folders map[string]bool) {
	_ = filepath.WalkDir(w.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read shows no changes
		}
		if !entry.IsDir() {
			return nil
		}
		if path != w.root && (entry.Name()[0] == '.' || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if folders[path] = true; len(folders) >= devFolders {
			return fs.SkipAll
		}
		return nil
	})
}

// counts reports whether a change of the file is a reason to run again.
func (w *changes) counts(file string) bool {
	if w.files[file] {
		return true
	}
	name := filepath.Base(file)
	return w.folder && name[0] != '.' && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && strings.HasPrefix(file, w.root)
}

// wait returns true some time after the last of a number of changes, false when
// ctx ends.
func (w *changes) wait(ctx context.Context) bool {
	var quiet <-chan time.Time
	for {
		select {
		case event, open := <-w.watcher.Events:
			if !open {
				return false
			}
			if event.Op != fsnotify.Chmod && w.counts(event.Name) {
				quiet = time.After(devQuiet)
			}
		case err := <-w.watcher.Errors:
			w.c.warn("changes may have been missed: " + err.Error())
			quiet = time.After(devQuiet)
		case <-quiet:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
