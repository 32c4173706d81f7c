package cli

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server"
)

// World is everything outside the process that commands touch. All members but
// Ask, Host, Interrupts, Proxy and Zone are needed.
type World struct {
	// Args are the arguments after the program's name.
	Args []string
	// Build says what was built.
	Build Build

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal returns the size of the terminal that w leads to, in characters;
	// false if it leads to none.
	Terminal func(w io.Writer) (columns, rows int, ok bool)

	// Ask asks whoever sits at the terminal; what they type to a hidden question
	// is not shown. False if nobody does, as when standard input is a file. Nil:
	// nobody ever does.
	Ask func(question string, hidden bool) (answer string, ok bool, err error)

	// LookupEnv reads one environment variable, Environ all of them as
	// NAME=value.
	LookupEnv func(name string) (string, bool)
	Environ   func() []string
	// Getwd is the working directory, to which relative paths refer.
	Getwd func() (string, error)
	// Host is the name of the machine.
	Host string

	Clock clock.Clock
	// Zone is the zone in which times are shown; nil is that of the machine.
	Zone *time.Location
	// Proxy names the proxy for an HTTP request; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// Random is a source of unpredictable bytes.
	Random io.Reader
	// Interrupts gives a value each time the user asks the process to end
	// (Ctrl-C, TERM), until stop is called; before and after that, such a
	// request ends the process. Nil: nobody asks.
	Interrupts func() (asked <-chan struct{}, stop func())
	// Inside, if not nil, is what was built into the server: it runs in the process
	// of `regie server`, as [server.Config] has it.
	Inside func(ctx context.Context, reach *server.Inside) error
}

// Build says what was built.
type Build struct {
	Version string // of the release, "dev" outside of one
	Commit  string // revision of the source, "" if unknown
	Go      string // version of the compiler
}

// ID tells builds apart, as far as they say what they are.
func (b Build) ID() string { return b.Version + " " + b.Commit }

// env is the environment variable, "" if it is not set.
func (w *World) env(name string) string {
	text, _ := w.LookupEnv(name)
	return text
}

// abs makes a path of the command line absolute.
func (w *World) abs(path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	dir, err := w.Getwd()
	if err != nil {
		return "", failf(exitInternal, "internal", "the working directory cannot be had: %v", err)
	}
	return filepath.Join(dir, path), nil
}

// prompt is Ask, where nobody is there if it is nil.
func (w *World) prompt(question string, hidden bool) (answer string, ok bool, err error) {
	if w.Ask == nil {
		return "", false, nil
	}
	if answer, ok, err = w.Ask(question, hidden); err != nil {
		return "", ok, failf(exitInternal, "no_terminal", "the terminal cannot be read: %w", err)
	}
	return answer, ok, nil
}

// color reports whether what is written to out may have colours (see
// no-color.org).
func (w *World) color(out io.Writer) bool {
	if w.env("NO_COLOR") != "" || w.env("TERM") == "dumb" {
		return false
	}
	_, _, ok := w.Terminal(out)
	return ok
}

// zone is where times are shown.
func (w *World) zone() *time.Location {
	if w.Zone != nil {
		return w.Zone
	}
	return time.Local
}

// interrupted calls f each time the user asks the process to end, until the
// result is called or ctx ends.
func (w *World) interrupted(ctx context.Context, f func(nth int)) (stop func()) {
	asked, unsubscribe := w.interrupts()
	end := each(ctx, asked, f)
	return func() {
		end()
		unsubscribe()
	}
}

// interrupts is Interrupts, where nobody asks if it is nil.
func (w *World) interrupts() (asked <-chan struct{}, stop func()) {
	if w.Interrupts == nil {
		return nil, func() {}
	}
	return w.Interrupts()
}

// each calls f for each value, counted from 1, until the result is called or
// ctx ends.
func each(ctx context.Context, asked <-chan struct{}, f func(nth int)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for nth := 1; ; nth++ {
			select {
			case <-asked:
				f(nth)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
