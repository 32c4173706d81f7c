package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
)

// supervisorTime is how long the supervisor may take to answer.
const supervisorTime = 2 * time.Second

// sameUser reports whether tasks can do all that the server can.
func (s *Server) sameUser() bool { return s.cfg.Supervisor.User == "" && s.crew.tasks.Last().SameUser }

// health answers whether the process lives. Whoever asks is not known, so that
// the answer says no more than that.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.sameUser() {
		answer(w, http.StatusOK, "ok: tasks run as the server's user")
		return
	}
	answer(w, http.StatusOK, "ok")
}

// ready answers whether the server takes runs.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), supervisorTime)
	defer cancel()
	_, supervisor := s.crew.tasks.Info(ctx)
	switch {
	case s.runtime.Err() != nil:
		answer(w, http.StatusServiceUnavailable, "the runtime has stopped")
	case s.audit.Ready() != nil:
		answer(w, http.StatusServiceUnavailable, "the audit log is not what was signed")
	case s.isDraining():
		answer(w, http.StatusServiceUnavailable, "draining")
	case supervisor != nil:
		answer(w, http.StatusServiceUnavailable, "the supervisor of tasks does not answer")
	default:
		answer(w, http.StatusOK, "ready")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// warn collects what an operator should know about how the server was started.
func (s *Server) warn() {
	if s.sameUser() {
		s.warnings = append(s.warnings, "tasks run as the server's user and can read its data folder: "+
			"start `regie supervisor` as another user, and name its socket with --supervisor-socket")
	}
	if text := s.audit.Warning(); text != "" {
		s.warnings = append(s.warnings, text)
	}
	for _, text := range s.warnings {
		s.cfg.Log.Warn("weak configuration", "what", text)
	}
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Info describes the server.
func (s *Server) Info() api.Info {
	return api.Info{
		Version: s.cfg.Version, Installation: s.audit.Key().Origin(), Environment: s.cfg.Environment, Started: s.started,
		Warnings: s.warnings, Draining: s.isDraining(), Usage: s.retention.Stats().Usage,
	}
}

// TempDir is where requests may put files.
func (s *Server) TempDir() string { return s.tempDir() }

// Drain has the server take no more runs, and end when what is live has ended,
// or the time is over.
func (s *Server) Drain(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return
	}
	s.draining = true
	s.runtime.Drain()
	go s.endAfter(wait)
}

// endAfter ends Serve once nothing is live, or the time is over.
func (s *Server) endAfter(wait time.Duration) {
	defer close(s.drained)
	over := time.NewTimer(wait)
	defer over.Stop()
	looks := time.NewTicker(feedEvery)
	defer looks.Stop()
	for s.runtime.Stats().Live > 0 {
		select {
		case <-looks.C:
		case <-over.C:
			return
		case <-s.runtime.Done():
			return
		}
	}
}

// logs are the logs of attempts in the data folder.
type logs struct{ home *home.Folder }

// Log opens the log of an attempt.
func (l logs) Log(run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	return l.home.ReadLog(run, act, attempt)
}
