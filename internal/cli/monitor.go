package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/tasklog"
)

// maxShownLine is the longest line of a log that is shown while a run goes on;
// the rest of it is in the log.
const maxShownLine = 4 << 10

// monitor shows a run while it goes on: as a tree on a terminal, else as lines.
// Safe for concurrent use.
type monitor struct {
	canvas

	now   func() time.Time
	zone  *time.Location
	logs  bool        // also what steps print
	plain *view.Plain // in place of a screen

	mu    sync.Mutex
	tree  *view.Tree // nil until the run is known
	early map[dispatch.Ref]time.Time
	lines map[lineKey]*strings.Builder
	above strings.Builder // to be printed above the tree
}

// lineKey is a stream of an attempt, whose last line may be unfinished.
type lineKey struct {
	ref    dispatch.Ref
	stream executor.Stream
}

// newMonitor makes a monitor that writes to out; now is the time of the run.
func (c *cli) newMonitor(out io.Writer, now func() time.Time, logs bool) *monitor {
	m := &monitor{
		canvas: c.newCanvas(out), now: now, zone: c.zone(), logs: logs,
		early: map[dispatch.Ref]time.Time{}, lines: map[lineKey]*strings.Builder{},
	}
	if m.screen == nil {
		m.plain = view.NewPlain(m.zone)
	}
	return m
}

// begin shows another run from now on.
func (m *monitor) begin(tree *view.Tree) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tree = tree
}

// watch shows the run until it ends, and redraws the tree as time passes.
func (m *monitor) watch(ctx context.Context, w *runtime.Watcher) error {
	defer m.always(m.draw)()
	for {
		events, err := w.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.add(events); err != nil {
			return err
		}
	}
}

func (m *monitor) add(events []engine.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range events {
		ev := &events[i]
		steps, err := m.tree.Add(ev)
		if err != nil {
			return err
		}
		if m.plain != nil {
			m.tell(ev, steps)
		}
		if ev.Kind == engine.EvAttempt {
			m.began(ev.Act, ev.Attempt, ev.Fence)
		}
	}
	return nil
}

// tell prints a line for each change.
func (m *monitor) tell(ev *engine.Event, steps []*history.Step) {
	run := m.tree.Run()
	switch ev.Kind {
	case engine.EvAccepted:
		text := "started, " + diagVisible(run.Workflow)
		if run.BusinessDate != "" {
			text += " for " + run.BusinessDate
		}
		fmt.Fprint(m.out, m.plain.Run(run, text, ev.At))
	case engine.EvCancelAsked:
		fmt.Fprint(m.out, m.plain.Run(run, "is being canceled", ev.At))
	default:
	}
	for _, s := range steps {
		fmt.Fprint(m.out, m.plain.Step(s, ev.At))
	}
}

// started notes that an attempt has begun, which may be heard before that it
// was handed out.
func (m *monitor) started(ref dispatch.Ref, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil || string(ref.Run) != m.tree.Run().ID || !m.start(ref.Act, at) {
		m.early[ref] = at
	}
}

// began applies what was heard early.
func (m *monitor) began(act engine.ActID, attempt int, fence engine.Fence) {
	for ref, at := range m.early {
		if string(ref.Run) == m.tree.Run().ID && ref.Act == act && ref.Attempt == attempt && ref.Fence == fence {
			delete(m.early, ref)
			m.start(act, at)
		}
	}
}

func (m *monitor) start(act engine.ActID, at time.Time) bool {
	if !m.tree.Started(act, at) {
		return false
	}
	if m.plain != nil {
		fmt.Fprint(m.out, m.plain.Step(m.tree.Step(act), at))
	}
	return true
}

// output takes what an attempt prints.
func (m *monitor) output(ref dispatch.Ref, path string, c executor.Chunk) {
	if !m.logs {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := lineKey{ref, c.Stream}
	b := m.lines[key]
	if b == nil {
		b = &strings.Builder{}
		m.lines[key] = b
	}
	rest := string(c.Data)
	for rest != "" {
		text, more, whole := strings.Cut(rest, "\n")
		if room := maxShownLine - b.Len(); len(text) > room {
			text = text[:max(room, 0)]
		}
		b.WriteString(text)
		if whole {
			m.logLine(path, c.Stream, b.String())
			b.Reset()
		}
		rest = more
	}
}

func (m *monitor) logLine(path string, stream executor.Stream, text string) {
	style := tasklog.Style{Prefix: view.Painter(m.color)(view.StyleFaint, diagVisible(path)), Colour: m.color}
	line := style.Append(nil, tasklog.Line{Stream: stream, Text: strings.TrimSuffix(text, "\r")})
	if m.screen == nil {
		_, _ = m.out.Write(line)
		return
	}
	m.above.Write(line)
}

// flush shows unfinished lines.
func (m *monitor) flush() {
	for key, b := range m.lines {
		if b.Len() > 0 {
			path := ""
			if s := m.tree.Step(key.ref.Act); s != nil {
				path = s.Path
			}
			m.logLine(path, key.stream, b.String())
		}
		delete(m.lines, key)
	}
}

func (m *monitor) draw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil || m.screen == nil {
		return
	}
	columns, rows := m.size()
	m.picture(columns, rows)
}

func (m *monitor) picture(columns, rows int) {
	lines := m.tree.Lines(view.Frame{Now: m.now(), Columns: columns, Rows: rows, Color: m.color})
	if m.above.Len() > 0 {
		m.screen.Above(m.above.String(), lines)
		m.above.Reset()
		return
	}
	m.screen.Draw(lines)
}

// say prints a line between what is shown.
func (m *monitor) say(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.screen == nil || m.tree == nil {
		fmt.Fprintln(m.out, text)
		return
	}
	m.above.WriteString(text + "\n")
	columns, rows := m.size()
	m.picture(columns, rows)
}

// maxFinalRows bounds the last picture, which stays.
const maxFinalRows = 500

// end draws the last picture.
func (m *monitor) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tree == nil {
		return
	}
	m.flush()
	if m.screen != nil {
		columns, _ := m.size()
		m.picture(columns, maxFinalRows)
		m.screen.Keep()
	}
}
