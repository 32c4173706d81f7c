package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// Bounds of requests about runs.
const (
	// MaxReason is the longest reason, in bytes.
	MaxReason = 1000
	// MaxInput is the largest input of a run, as JSON.
	MaxInput = 16 << 20
	// PositionWait bounds how long a read waits for its min_position.
	PositionWait = 10 * time.Second
)

// StartRun starts a run.
func (a *API) StartRun(ctx context.Context, m *regiev1.StartRunRequest) (*regiev1.StartRunResponse, error) {
	if err := checkReason(m.GetReason()); err != nil {
		return nil, err
	}
	input, err := inputOf(m.GetInput())
	if err != nil {
		return nil, err
	}
	if m.GetBusinessDate() != "" {
		if _, err := calendar.ParseDate(m.GetBusinessDate()); err != nil {
			return nil, invalid("business_date", "%v", err)
		}
	}
	if err := checkKey(m.GetIdempotencyKey()); err != nil {
		return nil, err
	}
	body, err := canonical(m)
	if err != nil {
		return nil, failure(err)
	}
	trigger, date := "manual", m.GetBusinessDate()
	if m.GetRerunOf() != "" {
		old, before, err := a.repeated(ctx, m)
		if err != nil {
			return nil, err
		}
		trigger = runtime.TriggerRerun + string(old.ID)
		if date == "" {
			date = old.BusinessDate
		}
		if m.GetInput() == nil {
			input = before
		}
	}
	accepted, err := a.cfg.Starter.Start(ctx, Start{
		Namespace: m.GetNamespace(), Workflow: m.GetWorkflow(), Version: m.GetVersion(), Input: input, BusinessDate: date,
		Key: runKey(ctx, m.GetIdempotencyKey()), Body: body, Held: m.GetHeld(), Trigger: trigger,
		By: a.by(ctx, m.GetReason()),
	})
	if err != nil {
		return nil, failure(err)
	}
	if accepted.Row == nil { // of an earlier request
		row, err := a.cfg.Store.Run(ctx, accepted.Run)
		if err != nil {
			return nil, failure(err)
		}
		accepted.Row = &row
	}
	return &regiev1.StartRunResponse{
		Run: a.run(ctx, accepted.Row), Existing: accepted.Existing, Position: accepted.Position,
	}, nil
}

// runKey is the key of a request as the store has it, apart from those of ticks
// and of other users.
func runKey(ctx context.Context, key string) string {
	if key == "" {
		return ""
	}
	return "key/" + hashOf(identityOf(ctx).User+"\x00"+key)
}

// Start asks for a run of a workflow.
type Start struct {
	Namespace, Workflow string
	Version             string // empty: the one in force when it is planned
	Input               value.Value
	BusinessDate        string // empty: what the workflow says of now
	Key                 string
	Body                []byte
	Held                bool
	Trigger             string // manual, rerun/RUN, or schedule/ID
	// Planned is the instant of the tick that starts it; zero: now.
	Planned time.Time
	// KeyForever keeps the key for good. Skip makes a run that ends at once.
	KeyForever bool
	Skip       engine.Reason
	// By says who asks.
	By store.Entry
}

// Starter starts runs.
type Starter interface {
	Start(ctx context.Context, s Start) (runtime.Accepted, error)
}

func inputOf(in *regiev1.Json) (value.Value, error) {
	if in == nil {
		return value.Object(), nil
	}
	if len(in.GetText()) > MaxInput {
		return value.Value{}, invalid("input", "it has %d bytes, more than %d", len(in.GetText()), MaxInput)
	}
	v, err := value.Parse([]byte(in.GetText()))
	if err != nil {
		return value.Value{}, invalid("input", "it is not JSON: %v", err)
	}
	if v.Kind() != value.KindObject {
		return value.Value{}, invalid("input", "it must be an object with the workflow's inputs")
	}
	return v, nil
}

func checkReason(reason string) error {
	if len(reason) > MaxReason || !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return invalid("reason", "it is longer than %d bytes, or not text", MaxReason)
	}
	return nil
}

// GetRun shows a run.
func (a *API) GetRun(ctx context.Context, m *regiev1.GetRunRequest) (*regiev1.GetRunResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	page, err := pageOfSteps(m.GetStepsFrom(), m.GetStepsLimit())
	if err != nil {
		return nil, err
	}
	out := &regiev1.GetRunResponse{Run: a.run(ctx, &row)}
	if m.GetSteps() {
		seen, _, err := a.history(ctx, &row, page.only)
		if err != nil {
			return nil, failure(err)
		}
		out.Steps, out.NextSteps = a.steps(&row, seen.Run()), page.next(seen)
	}
	if err := a.addNotes(ctx, row.ID, out); err != nil {
		return nil, failure(err)
	}
	return out, nil
}

// GetRunData shows the payload of a run. That it was read is on record before
// anything is shown.
func (a *API) GetRunData(ctx context.Context, m *regiev1.GetRunDataRequest) (*regiev1.GetRunDataResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	page, err := pageOfSteps(m.GetStepsFrom(), m.GetStepsLimit())
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, p := range m.GetPaths() {
		wanted[p] = true
	}
	all := m.GetSteps() && len(wanted) == 0
	only := func(_ int, path string) bool { return wanted[path] }
	if all {
		only = page.only
	}
	seen, erased, err := a.history(ctx, &row, only)
	if err != nil {
		return nil, failure(err)
	}
	if err := a.record(ctx, "payload.read", row.Namespace, "run/"+string(row.ID)); err != nil {
		return nil, failure(err)
	}
	if erased {
		return &regiev1.GetRunDataResponse{Erased: true}, nil
	}
	out := dataOf(seen.Run())
	if all {
		out.NextSteps = page.next(seen)
	}
	return out, nil
}

// MaxSteps is how many steps one answer has at most.
const MaxSteps = 20_000

// stepPage is which steps an answer shows.
type stepPage struct{ from, most uint64 }

func pageOfSteps(from uint64, limit uint32) (stepPage, error) {
	if limit > MaxSteps {
		return stepPage{}, invalid("steps_limit", "it is %d; it lies between 1 and %d", limit, MaxSteps)
	}
	return stepPage{from: from, most: uint64(cmp.Or(limit, MaxSteps))}, nil
}

// only keeps the steps of the page.
func (p stepPage) only(number int, _ string) bool {
	return uint64(number) >= p.from && uint64(number)-p.from < p.most
}

// next is where the next answer begins, 0 if there are no more steps.
func (p stepPage) next(seen *history.Builder) uint64 {
	if began := uint64(seen.Began()); began > p.from && began-p.from > p.most {
		return p.from + p.most
	}
	return 0
}

// dataOf is the payload of a run, and of its steps.
func dataOf(run *history.Run) *regiev1.GetRunDataResponse {
	out := &regiev1.GetRunDataResponse{Input: jsonOf(run.Input), Output: jsonOf(run.Output), Error: errorOf(run.Error), CancelReason: run.CancelReason}
	for _, s := range run.Steps {
		out.Steps = append(out.Steps, &regiev1.StepData{
			Path: s.Path, Input: jsonOf(s.Input), Output: jsonOf(s.Output), Error: errorOf(s.Error), Warning: s.Warning,
		})
	}
	return out
}

// find reads the row of a run that is in the namespace: one in another is not
// there.
func (a *API) find(ctx context.Context, namespace, run string) (store.RunRow, error) {
	id := store.RunID(run)
	none := refuse(connect.CodeNotFound, "run_not_found", fmt.Sprintf("there is no run %q in namespace %s", run, namespace), "`regie runs` lists them")
	if !id.Valid() {
		return store.RunRow{}, none
	}
	row, err := a.cfg.Store.Run(ctx, id)
	switch {
	case err == nil && row.Namespace == namespace:
		return row, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return store.RunRow{}, failure(err)
	}
	rows, err := a.cfg.Store.Runs(ctx, store.RunQuery{
		Namespaces: []string{namespace}, Before: id + store.RunID(strings.Repeat("z", max(1, runIDLength-len(id)))), Limit: 2,
	})
	if err != nil {
		return store.RunRow{}, failure(err)
	}
	matches := 0
	for i := range rows {
		if strings.HasPrefix(string(rows[i].ID), run) {
			matches++
		}
	}
	switch {
	case matches == 1 && len(run) >= minPrefix:
		return rows[0], nil
	case matches > 1 && len(run) >= minPrefix:
		return store.RunRow{}, refuse(connect.CodeNotFound, "run_ambiguous", fmt.Sprintf("several runs begin with %q", run), "give more of the ID")
	}
	return store.RunRow{}, none
}

// runIDLength is the length of the IDs that Regie makes, and minPrefix the least
// of one that names a run.
const (
	runIDLength = 26
	minPrefix   = 4
)

// run is a row as the API shows it.
func (a *API) run(ctx context.Context, row *store.RunRow) *regiev1.Run {
	out := &regiev1.Run{
		Id: string(row.ID), Namespace: row.Namespace, Workflow: row.Workflow, Version: fmt.Sprintf("%x", row.Program[:8]),
		State: row.State, Reason: row.Reason, BusinessDate: row.BusinessDate,
		AcceptedAt: timeOf(row.AcceptedAt), StartedAt: timeOf(row.StartedAt), EndedAt: timeOf(row.EndedAt), DueAt: timeOf(row.Due),
		Actor: row.Actor, Trigger: row.Trigger, Held: row.Held, Late: late(row, a.cfg.Now()), Attempts: row.Attempts,
		Events: row.Events, Position: row.Batch, Erased: row.Erased > 0,
	}
	out.Parent = parentOf(row)
	about := a.about(ctx, row.Program)
	out.Folder, out.Owner, out.Labels = about["folder"], about["owner"], labelsOf(about)
	if reason := a.cfg.Runtime.Quarantine(row.ID); reason != nil {
		out.Quarantined = reason.Error()
	}
	return out
}

// late reports whether a run has not ended by when it should have.
func late(row *store.RunRow, now time.Time) bool {
	if row.Due.IsZero() {
		return false
	}
	if row.Ended() {
		return row.EndedAt.After(row.Due)
	}
	return now.After(row.Due)
}

func timeOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
