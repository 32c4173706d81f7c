package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// starter starts runs of workflows, in the version that is in force.
type starter struct {
	catalog *catalog.Catalog
	access  *access.Service
	runtime *runtime.Service
	clock   clock.Clock
	random  io.Reader
}

var _ api.Starter = (*starter)(nil)

// Start starts a run.
func (s *starter) Start(ctx context.Context, q api.Start) (runtime.Accepted, error) {
	now := s.clock.Now()
	planned := q.Planned
	if planned.IsZero() {
		planned = now
	}
	prepared, err := s.catalog.Program(ctx, q.Namespace, q.Workflow, q.Version, planned)
	if err != nil {
		return runtime.Accepted{}, err
	}
	program := prepared.Machine.Program()
	if q.BusinessDate == "" {
		date, err := program.BusinessDate.DateAt(planned, program.Zone)
		if err != nil {
			return runtime.Accepted{}, err
		}
		q.BusinessDate = date.String()
	}
	request, err := s.request(prepared, q.BusinessDate, q.Planned, now)
	if err != nil {
		return runtime.Accepted{}, err
	}
	by := q.By
	by.Action, by.Namespace = "run.start", q.Namespace
	request.Input, request.Actor, request.Trigger = q.Input, q.By.Actor, q.Trigger
	request.Held, request.HoldReason, request.Skip = q.Held, q.By.Reason, q.Skip
	request.Key, request.KeyForever, request.Body = q.Key, q.KeyForever, q.Body
	request.Entries = []store.Entry{by}
	return s.runtime.Submit(ctx, request)
}

// request fills in what a run has beside what is asked for.
func (s *starter) request(prepared *runtime.Prepared, businessDate string, planned, now time.Time) (runtime.Request, error) {
	program := prepared.Machine.Program()
	due, err := dueAt(program, businessDate, planned, now)
	if err != nil {
		return runtime.Request{}, err
	}
	var seed [8]byte
	if _, err := io.ReadFull(s.random, seed[:]); err != nil {
		return runtime.Request{}, fmt.Errorf("draw the run's seed: %w", err)
	}
	return runtime.Request{
		Program: prepared, Vars: program.VarsOf(varsOf(s.access, program.Namespace)), BusinessDate: businessDate,
		Seed: binary.BigEndian.Uint64(seed[:]), Due: due,
	}, nil
}

// dueAt is the earliest of the deadlines by which a run must have ended, zero if
// there is none.
func dueAt(p *workflow.Program, businessDate string, planned, now time.Time) (time.Time, error) {
	date, err := calendar.ParseDate(businessDate)
	if err != nil {
		return time.Time{}, err
	}
	times := workflow.RunTimes{BusinessDate: date, Planned: planned, Accepted: now, Zone: p.Zone}
	var due []time.Time
	for i := range p.Deadlines {
		d := &p.Deadlines[i]
		if d.Start || d.Least {
			continue
		}
		at, err := d.Due(times)
		if err != nil {
			return time.Time{}, err
		}
		due = append(due, at)
	}
	if len(due) == 0 {
		return time.Time{}, nil
	}
	return slices.MinFunc(due, time.Time.Compare), nil
}
