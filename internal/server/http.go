package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/internal/api/openapi"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
	"github.com/regie-dev/regie/internal/dispatch/match"
)

// CloseTimeout bounds how long requests that are under way are waited for at the
// end; streams end at once.
const CloseTimeout = 5 * time.Second

// handler is everything that the server answers.
func (s *Server) handler() (http.Handler, error) {
	table, err := routes.Load()
	if err != nil {
		return nil, err
	}
	return transport.New(transport.Config{
		Table: table, Access: s.api.Gate(), Logger: s.cfg.Log, Random: rand.Reader,
		Observe: func(o transport.Observation) { s.metrics.Request(o.Route, o.Protocol, o.Code, o.Duration) },
		Services: transport.Services{
			Runs: s.api, Workflows: s.api, Schedules: s.api, Alerts: s.api, Identities: s.api, Audit: s.api, System: s.api, Tasks: s.api, Limits: s.api,
			Signals: s.api, Approvals: s.api,
		},
		Plain: map[string]http.Handler{
			"/healthz": http.HandlerFunc(s.health), "/readyz": http.HandlerFunc(s.ready),
			"/metrics": s.metrics.Handler(), "/openapi.json": openapi.Handler(),
		},
	})
}

// Serve listens and answers until ctx ends, or the server cannot go on. It then
// waits, bounded, for what is under way.
func (s *Server) Serve(ctx context.Context) error {
	handler, err := s.handler()
	if err != nil {
		return fmt.Errorf("put the API together: %w", err)
	}
	secure, err := s.tlsConfig()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Listen, err)
	}
	scheme := "http"
	if secure != nil {
		scheme, listener = "https", tls.NewListener(listener, secure)
	}
	streams, endStreams := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endStreams(nil)
	server := transport.NewServer(handler, transport.Listening{TLS: secure, Plaintext: secure == nil, Logger: s.cfg.Log})
	server.BaseContext = func(net.Listener) context.Context { return streams }
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	settleInside := s.runInside(ctx, server)
	s.cfg.Ready(Ready{URL: scheme + "://" + reachable(listener.Addr()), AdminToken: s.adminToken, Fingerprint: fingerprint(secure), Warnings: s.warnings})

	var reason error
	select {
	case err := <-served:
		settleInside()
		return fmt.Errorf("serve: %w", err)
	case <-s.runtime.Done():
		reason = fmt.Errorf("the server cannot go on: %w", s.runtime.Err())
	case <-s.drained:
	case <-ctx.Done():
	}
	s.cfg.Log.InfoContext(ctx, "stopping")
	s.Drain(0)
	settleInside()
	endStreams(problem.New(connect.CodeUnavailable, "stopping", "the server is stopping", "try again in a moment, from where it ended"))
	s.settleCalls()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), CloseTimeout)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		reason = errors.Join(reason, err)
	}
	return reason
}

// settleCalls begins nothing more and waits, bounded, for the calls of connectors
// that run: one that is cut off has an outcome that nobody knows.
func (s *Server) settleCalls() {
	s.dispatch.Pause()
	over := time.NewTimer(s.cfg.Drain)
	defer over.Stop()
	looks := time.NewTicker(feedEvery)
	defer looks.Stop()
	for s.dispatch.Load().Running[match.Connector] > 0 {
		select {
		case <-looks.C:
		case <-over.C:
			return
		case <-s.runtime.Done():
			return
		}
	}
}

// reachable is an address that can be called: that of this host where the server
// listens on all of its addresses.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return net.JoinHostPort(host, port)
}

// tlsConfig is nil for connections that are not encrypted.
func (s *Server) tlsConfig() (*tls.Config, error) {
	if !s.cfg.TLS.on() {
		return nil, nil
	}
	cert, err := s.certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{cert},
	}, nil
}
