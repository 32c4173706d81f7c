package cli

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/cli/view"
)

// drawEvery is the time between two pictures of something live.
const drawEvery = 100 * time.Millisecond

// unknownColumns and unknownRows are the size of a terminal that does not say.
const (
	unknownColumns = 80
	unknownRows    = 24
)

// canvas is an output that something live is shown on: drawn again and again on
// a terminal, else in lines.
type canvas struct {
	out    io.Writer
	screen *view.Screen // nil: lines
	size   func() (columns, rows int)
	color  bool
}

func (c *cli) newCanvas(out io.Writer) canvas {
	v := canvas{out: out, color: c.color(out)}
	v.size = func() (int, int) {
		columns, rows, _ := c.Terminal(out)
		if columns <= 0 || rows <= 0 {
			return unknownColumns, unknownRows
		}
		return columns, rows
	}
	if _, _, ok := c.Terminal(out); ok && c.env("TERM") != "dumb" {
		v.screen = view.NewScreen(out, v.size)
	}
	return v
}

// always has draw called as time passes, on a screen, until the result is called,
// which waits for the last call.
func (v *canvas) always(draw func()) (stop func()) {
	if v.screen == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var drawing sync.WaitGroup
	drawing.Go(func() {
		ticks := time.NewTicker(drawEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				draw()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		drawing.Wait()
	}
}
