package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/access"
)

// Inside reaches a server from within its process, without a network.
type Inside struct {
	access *access.Service
	pipes  *pipes
}

// insideURL is what requests within the process name; nobody resolves it.
const insideURL = "http://localhost"

// Worker returns with what a worker in this process calls the server: its address,
// a token that has the role worker in the namespace and is good as long as the
// process lives, and the transport. It acts as system/NAME.
func (i *Inside) Worker(name, namespace string) (url, token string, transport http.RoundTripper, err error) {
	token, err = i.access.Insider(name, access.Worker, namespace)
	if err != nil {
		return "", "", nil, err
	}
	return insideURL, token, &http.Transport{DialContext: i.pipes.dial}, nil
}

// pipes is a listener on connections within the process.
type pipes struct {
	come   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var _ net.Listener = (*pipes)(nil)

func newPipes() *pipes { return &pipes{come: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	select {
	case p.come <- theirs:
		return mine, nil
	case <-p.closed:
		return nil, fmt.Errorf("reach the server in this process: %w", net.ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.come:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// runInside serves what was built into this process. What it returns has that ended
// and waits for it, no longer than Drain.
func (s *Server) runInside(ctx context.Context, server *http.Server) (settle func()) {
	if s.cfg.Inside == nil {
		return func() {}
	}
	p := newPipes()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	served, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(p) // until it is closed
	}()
	go func() {
		defer close(ended)
		if err := s.cfg.Inside(working, &Inside{access: s.access, pipes: p}); err != nil && !errors.Is(err, context.Canceled) {
			s.cfg.Log.ErrorContext(ctx, "what was built into the server has ended", "error", err)
		}
	}()
	return func() {
		stop()
		late := time.NewTimer(s.cfg.Drain)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
		}
		_ = p.Close()
		<-served
	}
}
