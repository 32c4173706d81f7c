package main

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // zones are there on machines without a database of them

	"golang.org/x/term"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// version is stamped by the build: -X main.version=v1.2.3.
var version = "dev"

func main() { os.Exit(cli.Main(context.Background(), world())) }

func world() cli.World {
	return cli.World{
		Args:       os.Args[1:],
		Build:      cli.Build{Version: version, Commit: commit(), Go: runtime.Version()},
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Terminal:   terminal,
		LookupEnv:  os.LookupEnv,
		Environ:    os.Environ,
		Getwd:      os.Getwd,
		Pid:        os.Getpid(),
		Clock:      clock.Real{},
		Proxy:      http.ProxyFromEnvironment,
		Random:     rand.Reader,
		Interrupts: interrupts,
	}
}

// commit is the revision of the source as the compiler recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func terminal(w io.Writer) (columns, rows int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, 0, false
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	return columns, rows, err == nil
}

// interrupts tells of Ctrl-C and TERM. From then on a reader of the output that
// goes away (regie run … | head) does not end the process either: what was begun
// is carried on to its end.
func interrupts() (<-chan struct{}, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE) // not ignored, which tasks would inherit
	signals := make(chan os.Signal, 2)
	asked := make(chan struct{})
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			select {
			case <-signals:
				select {
				case asked <- struct{}{}:
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return asked, func() {
		signal.Stop(signals)
		close(done)
	}
}
