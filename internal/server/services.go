package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/trigger/schedule"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
)

// Times of what the server does now and then.
const (
	// feedEvery is how often at most changed runs are read for those who follow
	// them.
	feedEvery = 100 * time.Millisecond
	// feedRows is how many changed runs are read at once.
	feedRows = 1000
	// pruneEvery is how often what has expired is forgotten.
	pruneEvery = time.Hour
)

// openServices starts what stands on runs: the audit log's signatures, alerts,
// schedules.
func (s *Server) openServices(ctx context.Context) (err error) {
	if err := s.noteRestore(ctx); err != nil {
		return err
	}
	if err := s.openAudit(ctx); err != nil {
		return err
	}
	if s.adminToken, _, err = s.access.Bootstrap(ctx); err != nil {
		return fmt.Errorf("make the admin token: %w", err)
	}
	if err := s.openAlerts(ctx); err != nil {
		return err
	}
	if err := s.newRetention(); err != nil {
		return err
	}
	times := &timetable{
		catalog: s.catalog, machines: s.machines, store: s.home.Store, registry: s.registry, table: s.schedules,
		starter: s.starter, now: s.clock.Now, missed: s.metrics.TicksMissed, log: s.cfg.Log,
	}
	s.ticks = schedule.NewService(schedule.Config{
		Schedules: times, Runs: times, Ledger: times, Clock: s.clock, Lateness: s.metrics.TickStarted, Log: s.cfg.Log,
	})
	if err := s.ticks.Start(ctx); err != nil {
		return fmt.Errorf("start schedules: %w", err)
	}
	s.onClose(bounded(s.ticks.Stop))
	s.api.Begin(api.Config{
		Store: s.home.Store, Runtime: s.runtime, Machines: s.machines, Registry: s.registry, Catalog: s.catalog, Access: s.access,
		Starter: s.starter, Workers: s.dispatch, Logs: logs{s.home}, Blobs: s.home.Blobs, Values: s.home.Large, Eraser: s.retention, Archive: s.archive != nil, Timetable: pokedTimetable{times, s.ticks}, Alerts: s.alerts, Breakers: s.breakers, Limits: s.limits,
		Audit: auditAPI{s.audit}, Backup: s.home.Store, System: s, Now: s.clock.Now, Zone: time.Local, Log: s.cfg.Log,
	})
	if err := s.startRetention(ctx); err != nil {
		return err
	}
	s.warn()
	s.onClose(bounded(s.flush))
	s.onClose(background(s.feed, s.prune, s.refresh, s.limits.follow, s.breakers.follow))
	return nil
}

// noteRestore puts on record that the installation goes on from a backup.
func (s *Server) noteRestore(ctx context.Context) error {
	from, err := s.home.Store.Restored(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	noted, err := s.home.Store.Entries(ctx, store.EntryQuery{Action: "system.restore", Limit: 1})
	if err != nil || len(noted) > 0 && noted[0].ID.Batch > from.Batch {
		return err
	}
	_, err = s.registry.Record(ctx, access.System("restore").Done(access.Act{
		Action: "system.restore", Object: "installation",
		Detail: map[string]any{"restored_at": from.At.UTC().Format(time.RFC3339), "last_batch": from.Batch},
	}))
	return err
}

func (s *Server) openAudit(ctx context.Context) (err error) {
	s.audit, err = auditlog.Open(auditlog.Config{
		Log: s.home.Store, Root: s.home.Dir.Root(), Anchors: s.cfg.Anchors, Clock: s.clock, Logger: s.cfg.Log,
		Alarm: func(err error) { s.cfg.Log.ErrorContext(ctx, "the audit log is not what was signed", "error", err) },
	})
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	s.onClose(bounded(s.audit.Stop))
	return s.audit.Start(ctx)
}

func (s *Server) openAlerts(ctx context.Context) error {
	s.alerts = notify.New(notify.Config{
		Registry: s.registry, Tables: s.notify, Runs: s.home.Store, Sender: sender{s}, Position: s.runtime.Position(),
		Channels: func(namespace string) []string {
			n, _ := s.access.Namespace(namespace)
			return n.AlertChannels
		},
		Owner: s.ownerOf, Breakers: s.breakers.open, Clock: s.clock, Log: s.cfg.Log,
	})
	s.breakers.told.Store(s.alerts)
	if err := s.alerts.Start(ctx); err != nil {
		return fmt.Errorf("start alerts: %w", err)
	}
	s.onClose(bounded(s.alerts.Stop))
	return nil
}

// bounded stops a service within StopTimeout.
func bounded(stop func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
		defer cancel()
		return stop(ctx)
	}
}

// ownerOf is the user who owns a workflow, if its owner is one.
func (s *Server) ownerOf(namespace, workflow string) string {
	w, _ := s.catalog.Workflow(namespace, workflow)
	owner := w.Value.About["owner"]
	if _, ok := s.access.User(owner); ok {
		return owner
	}
	return ""
}

// sender sends messages about alerts by the connector that steps use.
type sender struct{ server *Server }

// Send sends a message.
func (s sender) Send(ctx context.Context, channel string, m notify.Message) error {
	_, err := s.server.crew.worker.Call(ctx, worker.OwnCall{
		Namespace: m.Namespace, Uses: "notify.send", Key: m.ID,
		Input: value.Object(
			value.M("channel", value.String(channel)), value.M("subject", value.String(m.Title)), value.M("text", value.String(m.Text)),
			value.M("severity", value.String(m.Severity)), value.M("data", m.Data()),
		),
	})
	return err
}

// feed tells those who follow runs what has changed, each change once, until ctx
// ends.
func (s *Server) feed(ctx context.Context) {
	seen := s.runtime.Position()
	last := store.RunQuery{ByBatch: true, Since: seen, Limit: feedRows} // what comes after the last change that was told
	pause := time.NewTicker(feedEvery)
	defer pause.Stop()
	for {
		reached, err := s.runtime.Reached(ctx, seen+1)
		if err != nil {
			return
		}
		switch err := s.feedFrom(ctx, &last); {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.cfg.Log.WarnContext(ctx, "changed runs could not be read", "error", err)
		default:
			seen = reached
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// feedFrom tells the changes that come after the last one, and moves on.
func (s *Server) feedFrom(ctx context.Context, last *store.RunQuery) error {
	for {
		rows, err := s.home.Store.Runs(ctx, *last)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			s.changed(rows)
			end := &rows[len(rows)-1]
			last.Since, last.After = end.Batch, end.ID
		}
		if len(rows) < last.Limit {
			return nil
		}
	}
}

func (s *Server) changed(rows []store.RunRow) {
	s.alerts.Runs(rows)
	s.metrics.Runs(rows)
	if s.traces != nil {
		s.traces.Runs(rows)
	}
	for i := range rows {
		if key := keyOf(&rows[i]); key.ID != "" && rows[i].Ended() {
			s.ticks.RunEnded(key)
		}
	}
}

// refresh tells the schedules that definitions have changed, or that another
// version of one has come in force.
func (s *Server) refresh(ctx context.Context) {
	for {
		changed := s.catalog.Changed()
		s.ticks.Refresh()
		comes, stop := make(chan struct{}), func() bool { return true }
		if next := s.catalog.NextChange(); !next.IsZero() {
			stop = s.clock.AfterFunc(next, func() { close(comes) })
		}
		select {
		case <-changed:
		case <-comes:
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// prune forgets what has expired, and writes what is written now and then.
func (s *Server) prune(ctx context.Context) {
	ticks, prunes := time.NewTicker(access.TickEvery), time.NewTicker(pruneEvery)
	defer ticks.Stop()
	defer prunes.Stop()
	for {
		var err error
		select {
		case <-ticks.C:
			err = s.access.Tick(ctx)
		case <-prunes.C:
			for more := true; more && err == nil; {
				more, err = s.api.Prune(ctx)
			}
		case <-ctx.Done():
			return
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "what has expired could not be forgotten", "error", err)
		}
	}
}

// flush writes down when tokens were last used.
func (s *Server) flush(ctx context.Context) error {
	if err := s.access.Flush(ctx); !errors.Is(err, runtime.ErrStopping) {
		return err
	}
	return nil
}

// background runs functions until the returned one is called, which waits.
func background(run ...func(context.Context)) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, len(run))
	for _, f := range run {
		go func() {
			f(ctx)
			done <- struct{}{}
		}()
	}
	return func() error {
		cancel()
		for range run {
			<-done
		}
		return nil
	}
}

// pokedTimetable tells the service when a schedule was paused or resumed.
type pokedTimetable struct {
	*timetable

	ticks *schedule.Service
}

// Pause pauses or resumes a schedule.
func (t pokedTimetable) Pause(ctx context.Context, key schedule.Key, paused bool, by store.Entry) (uint64, error) {
	position, err := t.timetable.Pause(ctx, key, paused, by)
	t.ticks.Refresh()
	return position, err
}

// auditAPI is the audit log as the API wants it.
type auditAPI struct{ *auditlog.Service }

// PublicKey is the key that verifies signatures.
func (a auditAPI) PublicKey() string { return a.Key().String() }
