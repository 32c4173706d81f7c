package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/store"
)

// Audit is what the API knows of the audit log's proofs.
type Audit interface {
	Checkpoint(ctx context.Context, old uint64) (*auditlog.Signed, []audit.Hash, error)
	ProveEntry(ctx context.Context, id store.EntryID) ([]byte, error)
	ProveRun(ctx context.Context, run store.RunID) ([]byte, error)
	Export(ctx context.Context, out io.Writer, from uint64) error
	Root(ctx context.Context, size uint64) (audit.Hash, error)
	Status() auditlog.Status
	PublicKey() string
}

// ListEntries lists the audit log. That it was read is on record first.
func (a *API) ListEntries(ctx context.Context, m *regiev1.ListEntriesRequest) (*regiev1.ListEntriesResponse, error) {
	size, err := pageSize(m.GetPageSize())
	if err != nil {
		return nil, err
	}
	of := "entries\n" + m.GetNamespace() + "\n" + m.GetActor() + "\n" + m.GetAction() + "\n" + m.GetObject() + "\n" +
		fmt.Sprint(m.GetFrom().GetSeconds(), m.GetFrom().GetNanos(), m.GetTo().GetSeconds(), m.GetTo().GetNanos())
	before, err := openToken[store.EntryID](m.GetPageToken(), of)
	if err != nil {
		return nil, err
	}
	q := store.EntryQuery{Before: before, Actor: m.GetActor(), Action: m.GetAction(), Object: m.GetObject(), Limit: size + 1} // one more tells whether there is a next page
	if m.GetNamespace() != "" {
		q.Namespaces = []string{m.GetNamespace()}
	}
	if m.GetFrom() != nil {
		q.From = m.GetFrom().AsTime()
	}
	if m.GetTo() != nil {
		q.To = m.GetTo().AsTime()
	}
	if err := a.record(ctx, "audit.read", m.GetNamespace(), "audit"); err != nil {
		return nil, failure(err)
	}
	entries, err := a.cfg.Store.Entries(ctx, q)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.ListEntriesResponse{}
	if len(entries) > size {
		entries = entries[:size]
		out.NextPageToken = makeToken(entries[size-1].ID, of)
	}
	for i := range entries {
		e := &entries[i]
		out.Entries = append(out.Entries, &regiev1.Entry{
			Batch: e.ID.Batch, Number: e.ID.Position, At: timeOf(e.At), Actor: e.Actor, Via: e.Via, Action: e.Action,
			Namespace: e.Namespace, Object: e.Object, Outcome: e.Outcome, Reason: e.Reason, RequestId: e.Request, Detail: string(e.Detail),
		})
	}
	return out, nil
}

// GetCheckpoint signs the state of the log.
func (a *API) GetCheckpoint(ctx context.Context, m *regiev1.GetCheckpointRequest) (*regiev1.GetCheckpointResponse, error) {
	if err := a.record(ctx, "audit.checkpoint", "", "audit"); err != nil {
		return nil, failure(err)
	}
	signed, proof, err := a.cfg.Audit.Checkpoint(ctx, m.GetOldSize())
	if err != nil {
		return nil, auditFailure(err)
	}
	out := &regiev1.GetCheckpointResponse{Checkpoint: string(signed.Note), PublicKey: a.cfg.Audit.PublicKey()}
	for i := range proof {
		out.Consistency = append(out.Consistency, proof[i][:])
	}
	for _, at := range a.cfg.Audit.Status().Anchored {
		shown := &regiev1.Anchored{Kind: at.Kind, Target: at.Target, Size: at.Size, At: timeOf(at.At)}
		if at.Error != nil {
			shown.Error = at.Error.Error()
		}
		out.Anchored = append(out.Anchored, shown)
	}
	return out, nil
}

func auditFailure(err error) error {
	switch {
	case errors.Is(err, auditlog.ErrFork), errors.Is(err, store.ErrCorrupt):
		return refuse(connect.CodeDataLoss, "audit_broken", err.Error(), "see \"When the audit log is broken\" in the documentation")
	case errors.Is(err, auditlog.ErrForgotten):
		return refuse(connect.CodeNotFound, "entry_forgotten", err.Error(), "")
	case errors.Is(err, auditlog.ErrMoved):
		return refuse(connect.CodeAborted, "export_moved", err.Error(), "export again")
	}
	return failure(err)
}

// Prove proves an entry, or the events of a run.
func (a *API) Prove(ctx context.Context, m *regiev1.ProveRequest) (*regiev1.ProveResponse, error) {
	if (m.GetRun() == "") == (m.GetBatch() == 0) {
		return nil, invalid("run", "give a run, or the batch and number of an entry")
	}
	object := "run/" + m.GetRun()
	if m.GetRun() == "" {
		object = "audit"
	}
	if err := a.record(ctx, "audit.prove", "", object); err != nil {
		return nil, failure(err)
	}
	var proof []byte
	var err error
	if m.GetRun() != "" {
		proof, err = a.cfg.Audit.ProveRun(ctx, store.RunID(m.GetRun()))
	} else {
		proof, err = a.cfg.Audit.ProveEntry(ctx, store.EntryID{Batch: m.GetBatch(), Position: m.GetNumber()})
	}
	switch {
	case errors.Is(err, store.ErrNotFound) && m.GetRun() != "" && a.wasRemoved(ctx, store.RunID(m.GetRun())):
		return nil, refuse(connect.CodeNotFound, "run_removed", "run "+m.GetRun()+" was removed by retention: of its events nothing is left to be proven",
			"a proof of it that was made before still verifies against any later checkpoint")
	case errors.Is(err, store.ErrNotFound) && m.GetRun() != "":
		return nil, notFound("not_found", "there is no run %s", m.GetRun())
	case errors.Is(err, store.ErrNotFound):
		return nil, notFound("not_found", "the audit log has no entry %d/%d", m.GetBatch(), m.GetNumber())
	case err != nil:
		return nil, auditFailure(err)
	}
	return &regiev1.ProveResponse{Proof: string(proof)}, nil
}

// wasRemoved reports whether there was such a run, and it was pruned.
func (a *API) wasRemoved(ctx context.Context, run store.RunID) bool {
	_, err := a.cfg.Store.Run(ctx, run)
	return errors.Is(err, store.ErrPruned)
}

// Export streams everything that is needed to verify the log elsewhere.
func (a *API) Export(ctx context.Context, m *regiev1.ExportRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	if err := a.record(ctx, "audit.export", "", "audit"); err != nil {
		return failure(err)
	}
	out := bufio.NewWriterSize(bodyWriter{stream}, backupChunk)
	if err := a.cfg.Audit.Export(ctx, out, m.GetFrom()); err != nil {
		return auditFailure(err)
	}
	return out.Flush()
}

// bodyWriter sends what is written as messages of a stream.
type bodyWriter struct {
	stream *connect.ServerStream[httpbody.HttpBody]
}

// Write sends a piece.
func (w bodyWriter) Write(p []byte) (int, error) {
	if err := w.stream.Send(&httpbody.HttpBody{ContentType: "application/x-ndjson", Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// rootOf is the root of the log over its first batches.
func (a *API) rootOf(ctx context.Context, size uint64) (string, error) {
	root, err := a.cfg.Audit.Root(ctx, size)
	return base64.StdEncoding.EncodeToString(root[:]), err
}
