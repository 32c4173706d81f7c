package server

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/telemetry"
)

// openTelemetry makes metrics, and traces if there is a collector. What the
// metrics are asked from is made later, and before the first scrape.
func (s *Server) openTelemetry() error {
	environ := make(map[string]string, len(s.cfg.Environ))
	for _, entry := range s.cfg.Environ {
		name, text, _ := strings.Cut(entry, "=")
		environ[name] = text
	}
	endpoint, err := telemetry.ParseEndpoint(s.cfg.Trace.Endpoint, environ)
	if err != nil {
		return fmt.Errorf("%w: traces: %w", ErrConfig, err)
	}
	cfg := telemetry.MetricsConfig{
		Version: s.cfg.Version, Revision: s.cfg.Build, Log: s.cfg.Log,
		Runtime:  func() runtime.Stats { return s.runtime.Stats() },
		Position: func() uint64 { return s.runtime.Position() },
		Load:     func() dispatch.Load { return s.dispatch.Load() },
		Breakers: func() []dispatch.Breaker { return s.dispatch.Breakers() },
		Limits:   func() []gate.View { return s.limits.views() },
		Alerts:   func() notify.Stats { return s.alerts.Stats() },
		Audit:    func() auditlog.Status { return s.audit.Status() },

		Retention: func() retention.Stats { return s.retention.Stats() },
	}
	if !endpoint.On() {
		s.metrics = telemetry.NewMetrics(cfg)
		return nil
	}
	for name, text := range s.cfg.Trace.Headers {
		endpoint.Header.Set(name, text)
	}
	client, err := clientTo(endpoint.URL)
	if err != nil {
		return fmt.Errorf("%w: traces: %w", ErrConfig, err)
	}
	s.traces = telemetry.NewTraces(telemetry.TracesConfig{
		Endpoint: endpoint, Store: s.home.Store, Machines: s.machines, Version: s.cfg.Version, Environment: s.cfg.Environment,
		Worker: workerName, Log: s.cfg.Log, Client: client,
	})
	cfg.Traces = s.traces.Stats
	s.metrics = telemetry.NewMetrics(cfg)
	s.traces.Start()
	s.onClose(bounded(s.traces.Stop))
	return nil
}
