package command

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	_ "time/tzdata" // zones are there on machines without a database of them

	"golang.org/x/term"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// output is a stream that remembers that it could not be written, so that a
// result which is lost, on a full disk for example, does not pass for one that
// was given. Safe for concurrent use.
type output struct {
	file *os.File

	mu  sync.Mutex
	err error
}

// Write writes to the file.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
	return n, err
}

// failure is why something was not written. A reader that has gone away had
// what it wanted.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	return o.err
}

func world(version string, out *output) cli.World {
	return cli.World{
		Args:       os.Args[1:],
		Build:      cli.Build{Version: version, Commit: commit(), Go: runtime.Version()},
		Stdin:      os.Stdin,
		Stdout:     out,
		Stderr:     os.Stderr,
		Terminal:   terminal,
		Ask:        ask,
		LookupEnv:  os.LookupEnv,
		Environ:    os.Environ,
		Getwd:      os.Getwd,
		Host:       host(),
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
	if o, isOutput := w.(*output); isOutput {
		w = o.file
	}
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, 0, false
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	return columns, rows, err == nil
}

func host() string {
	name, err := os.Hostname()
	if err != nil {
		return "an unknown host"
	}
	return name
}

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 4 << 10

// ask asks on the terminal, which standard input must be. The question goes to
// standard error: standard output has results.
func ask(question string, hidden bool) (string, bool, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", false, nil
	}
	fmt.Fprint(os.Stderr, question)
	if hidden {
		answer, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		return string(answer), true, err
	}
	// By single bytes, so that what follows stays for others to read.
	var answer []byte
	for letter := make([]byte, 1); len(answer) < maxAnswer; {
		n, err := os.Stdin.Read(letter)
		if n > 0 && letter[0] == '\n' || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", true, err
		}
		answer = append(answer, letter[:n]...)
	}
	return strings.TrimSuffix(string(answer), "\r"), true, nil
}

// interrupts tells of Ctrl-C and TERM, and of a terminal that is closed, unless
// the process was told to outlive that (nohup). From then on a reader of the output that
// goes away (regie run … | head) does not end the process either: what was begun
// is carried on to its end.
func interrupts() (<-chan struct{}, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE) // not ignored, which tasks would inherit
	signals := make(chan os.Signal, 2)
	asked := make(chan struct{})
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
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
