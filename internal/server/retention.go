package server

import (
	"context"
	"fmt"

	"github.com/regie-dev/regie/internal/retention"
)

// newRetention makes what takes away what is too old. It is started once the API
// is ready, by which it copies runs into the archive.
func (s *Server) newRetention() error {
	if err := s.openArchive(); err != nil {
		return err
	}
	cfg := retention.Config{
		Store: s.home.Store, Runtime: s.runtime, Logs: s.home, Blobs: s.home.Blobs, Policies: s.policies, Measure: s.usage, Clock: s.clock, Log: s.cfg.Log,
	}
	if s.archive != nil {
		cfg.Archive = archiver{api: s.api, blobs: s.home.Blobs, folder: s.archive}
	}
	s.retention = retention.New(cfg)
	return nil
}

func (s *Server) startRetention(ctx context.Context) error {
	if err := s.retention.Start(ctx); err != nil {
		return fmt.Errorf("start retention: %w", err)
	}
	s.onClose(bounded(s.retention.Stop))
	return nil
}

// policies are how long the namespaces keep what runs have left.
func (s *Server) policies() map[string]retention.Policy {
	out := map[string]retention.Policy{}
	for _, n := range s.access.Namespaces() {
		keep, err := n.Retention.Times()
		if err != nil { // of a newer Regie: nothing is taken away
			s.cfg.Log.Warn("the retention of a namespace cannot be read", "namespace", n.Name, "error", err)
			continue
		}
		p := retention.Policy{Runs: keep.Runs, Payloads: keep.Payloads, Logs: keep.Logs, Last: keep.Last, Archive: n.Retention.Archive}
		if p.Runs > 0 || p.Payloads > 0 || p.Logs > 0 {
			out[n.Name] = p
		}
	}
	return out
}

// usage measures the data folder.
func (s *Server) usage(ctx context.Context) (retention.Usage, error) {
	database, logs, other, err := s.home.Usage(ctx)
	return retention.Usage{Database: database, Logs: logs, Other: other, At: s.clock.Now()}, err
}
