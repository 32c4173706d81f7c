package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/notify"
)

// ListAlerts lists alerts, newest first.
func (a *API) ListAlerts(ctx context.Context, m *regiev1.ListAlertsRequest) (*regiev1.ListAlertsResponse, error) {
	if err := a.reached(ctx, m.GetMinPosition()); err != nil {
		return nil, err
	}
	size, err := pageSize(m.GetPageSize())
	if err != nil {
		return nil, err
	}
	q := notify.Query{Workflow: m.GetWorkflow(), Limit: size + 1} // one more tells whether there is a next page
	for _, state := range m.GetStates() {
		if !slices.Contains([]string{string(notify.Open), string(notify.Acknowledged), string(notify.Closed)}, state) {
			return nil, invalid("states", "%q is not open, acknowledged or closed", state)
		}
		q.States = append(q.States, notify.State(state))
	}
	of := "alerts\n" + m.GetNamespace() + "\n" + m.GetWorkflow() + "\n" + strings.Join(m.GetStates(), ",")
	after, err := openToken[*notify.Place](m.GetPageToken(), of)
	if err != nil {
		return nil, err
	}
	q.After = after
	names, all := a.namespaces(identityOf(ctx), m.GetNamespace(), access.AlertsRead)
	out := &regiev1.ListAlertsResponse{}
	if !all {
		q.Namespaces = names
		if len(names) == 0 {
			return out, nil
		}
	}
	alerts := a.cfg.Alerts.List(q)
	if len(alerts) > size {
		alerts = alerts[:size]
		place := alerts[size-1].Place()
		out.NextPageToken = makeToken(&place, of)
	}
	for i := range alerts {
		out.Alerts = append(out.Alerts, alertOf(&alerts[i]))
	}
	return out, nil
}

func alertOf(a *notify.Alert) *regiev1.Alert {
	out := &regiev1.Alert{
		Id: a.ID, Namespace: a.Namespace, Cause: string(a.Cause), Workflow: a.Workflow, Connection: a.Connection, Run: string(a.Run), Text: a.Text,
		State: string(a.State), Owner: a.Owner, OpenedAt: timeOf(a.OpenedAt), UpdatedAt: timeOf(a.UpdatedAt), ClosedAt: timeOf(a.ClosedAt),
		Count: a.Count, AcknowledgedBy: a.AcknowledgedBy, Silenced: a.Silenced,
	}
	for _, o := range a.Runs {
		out.Runs = append(out.Runs, string(o.Run))
	}
	return out
}

// GetAlert shows an alert with its notes and messages.
func (a *API) GetAlert(_ context.Context, m *regiev1.GetAlertRequest) (*regiev1.GetAlertResponse, error) {
	alert, err := a.cfg.Alerts.Get(m.GetNamespace(), m.GetAlert())
	if err != nil {
		return nil, alertFailure(err)
	}
	out := &regiev1.GetAlertResponse{Alert: alertOf(&alert)}
	for _, n := range alert.Notes {
		out.Notes = append(out.Notes, &regiev1.AlertNote{At: timeOf(n.At), Actor: n.Actor, Text: n.Text})
	}
	for _, d := range alert.Deliveries {
		out.Deliveries = append(out.Deliveries, &regiev1.Delivery{
			Channel: d.Channel, State: string(d.State), Attempts: d.Attempts, LastAt: timeOf(d.LastAt), NextAt: timeOf(d.NextAt),
			Error: d.Error, About: string(d.About),
		})
	}
	return out, nil
}

func alertFailure(err error) error {
	switch {
	case errors.Is(err, notify.ErrNotFound):
		return refuse(connect.CodeNotFound, "not_found", err.Error(), "")
	case errors.Is(err, notify.ErrClosed):
		return refuse(connect.CodeFailedPrecondition, "alert_closed", err.Error(), "a closed alert takes notes only")
	case errors.Is(err, notify.ErrInvalid):
		return refuse(connect.CodeInvalidArgument, problem.CodeInvalid, err.Error(), "")
	case errors.Is(err, notify.ErrFull):
		return refuse(connect.CodeResourceExhausted, "full", err.Error(), "")
	}
	return failure(err)
}

// UpdateAlert changes an alert.
func (a *API) UpdateAlert(ctx context.Context, m *regiev1.UpdateAlertRequest) (*regiev1.UpdateAlertResponse, error) {
	if m.GetOwner() != "" {
		if _, ok := a.cfg.Access.User(m.GetOwner()); !ok {
			return nil, invalid("owner", "there is no user %q", m.GetOwner())
		}
	}
	alert, position, err := a.cfg.Alerts.Update(ctx, a.by(ctx, ""), m.GetNamespace(), m.GetAlert(), notify.Edit{
		Acknowledged: m.Acknowledged, Owner: m.Owner, Note: m.GetNote(), Close: m.GetClose(),
	})
	if err != nil {
		return nil, alertFailure(err)
	}
	return &regiev1.UpdateAlertResponse{Alert: alertOf(&alert), Position: position}, nil
}

func silenceOf(s *notify.Silence) *regiev1.Silence {
	return &regiev1.Silence{
		Id: s.ID, Namespace: s.Namespace, Workflow: s.Workflow, Cause: string(s.Cause), Until: timeOf(s.Until), Reason: s.Reason, CreatedBy: s.CreatedBy,
	}
}

// ListSilences lists silences.
func (a *API) ListSilences(ctx context.Context, m *regiev1.ListSilencesRequest) (*regiev1.ListSilencesResponse, error) {
	var all []notify.Silence
	a.each(ctx, m.GetNamespace(), access.AlertsRead, func(namespace string) {
		of := a.cfg.Alerts.Silences(namespace)
		slices.SortFunc(of, func(x, y notify.Silence) int { return strings.Compare(x.ID, y.ID) })
		all = append(all, of...)
	})
	all, next, err := page(all, func(s notify.Silence) string { return s.Namespace + "\x00" + s.ID }, m.GetPageToken(), "silences\n"+m.GetNamespace(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListSilencesResponse{NextPageToken: next}
	for i := range all {
		out.Silences = append(out.Silences, silenceOf(&all[i]))
	}
	return out, nil
}

// CreateSilence makes a silence.
func (a *API) CreateSilence(ctx context.Context, m *regiev1.CreateSilenceRequest) (*regiev1.CreateSilenceResponse, error) {
	if err := a.namespaceThere(m.GetNamespace()); err != nil {
		return nil, err
	}
	k, err := keyOf(ctx, "silences.create", m.GetIdempotencyKey(), m)
	if err != nil {
		return nil, err
	}
	silence := notify.Silence{
		Namespace: m.GetNamespace(), Workflow: m.GetWorkflow(), Cause: notify.Cause(m.GetCause()), Reason: m.GetReason(),
	}
	if m.GetUntil() != nil {
		silence.Until = m.GetUntil().AsTime()
	}
	out := &regiev1.CreateSilenceResponse{}
	before, err := a.once(ctx, k, func(ctx context.Context) error {
		made, position, err := a.cfg.Alerts.CreateSilence(ctx, a.by(ctx, m.GetReason()), silence)
		out.Silence, out.Position = silenceOf(&made), position
		return err
	})
	switch {
	case err != nil:
		return nil, alertFailure(err)
	case before == nil:
		return out, nil
	}
	for _, s := range a.cfg.Alerts.Silences(m.GetNamespace()) {
		if s.ID == before.Value.Name {
			return &regiev1.CreateSilenceResponse{Silence: silenceOf(&s), Position: before.Position}, nil
		}
	}
	return nil, notFound("not_found", "the silence that was made with this key has ended")
}

// DeleteSilence ends a silence.
func (a *API) DeleteSilence(ctx context.Context, m *regiev1.DeleteSilenceRequest) (*regiev1.DeleteSilenceResponse, error) {
	position, err := a.cfg.Alerts.DeleteSilence(ctx, a.by(ctx, ""), m.GetNamespace(), m.GetSilence())
	if err != nil {
		return nil, alertFailure(err)
	}
	return &regiev1.DeleteSilenceResponse{Position: position}, nil
}
