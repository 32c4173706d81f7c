package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
)

// Bounds of artifacts.
const (
	// MaxArtifacts is how many are listed at once.
	MaxArtifacts = 10_000
	// artifactChunk is how many bytes one message of a download has.
	artifactChunk = 256 << 10
)

// Blobs read the large data of runs.
type Blobs interface {
	Open(run, sha256 string) (io.ReadCloser, error)
}

// kept reads a run whose artifacts are asked for, and puts on record that they
// are.
func (a *API) kept(ctx context.Context, namespace, run string) (store.RunRow, *history.Run, error) {
	row, err := a.find(ctx, namespace, run)
	if err != nil {
		return row, nil, err
	}
	seen, erased, err := a.history(ctx, &row, nil)
	if err != nil {
		return row, nil, failure(err)
	}
	if err := a.record(ctx, "artifact.read", row.Namespace, "run/"+string(row.ID)); err != nil {
		return row, nil, failure(err)
	}
	if erased {
		return row, nil, nil
	}
	return row, seen.Run(), nil
}

// ListArtifacts lists the files that steps have left.
func (a *API) ListArtifacts(ctx context.Context, m *regiev1.ListArtifactsRequest) (*regiev1.ListArtifactsResponse, error) {
	limit := int64(m.GetLimit())
	switch {
	case limit == 0:
		limit = MaxArtifacts
	case limit < 1 || limit > MaxArtifacts:
		return nil, invalid("limit", "it is %d; it lies between 1 and %d", limit, MaxArtifacts)
	}
	if m.GetOffset() < 0 {
		return nil, invalid("offset", "it counts artifacts from 0")
	}
	row, run, err := a.kept(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListArtifactsResponse{Erased: run == nil}
	if run == nil {
		return out, nil
	}
	if m.GetStep() != "" && stepAt(run, m.GetStep()) == nil {
		return nil, noStep(row.ID, m.GetStep())
	}
	number := int64(0)
	for _, s := range run.Steps {
		if m.GetStep() != "" && s.Path != m.GetStep() {
			continue
		}
		for i := range s.Artifacts {
			if number++; number <= m.GetOffset() {
				continue
			}
			if int64(len(out.Artifacts)) == limit {
				out.More = true
				return out, nil
			}
			out.Artifacts = append(out.Artifacts, artifactOf(s.Path, &s.Artifacts[i]))
		}
	}
	return out, nil
}

func artifactOf(step string, f *engine.Artifact) *regiev1.Artifact {
	return &regiev1.Artifact{Step: step, Path: f.Path, Size: f.Size, Sha256: f.SHA256, Executable: f.Executable}
}

// DownloadArtifact sends a file. What is sent before damage is found is cut off
// by the error.
func (a *API) DownloadArtifact(ctx context.Context, m *regiev1.DownloadArtifactRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	row, run, err := a.kept(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return err
	}
	if run == nil {
		return erasedLog(row.ID)
	}
	step := stepAt(run, m.GetStep())
	if step == nil {
		return noStep(row.ID, m.GetStep())
	}
	for i := range step.Artifacts {
		if f := &step.Artifacts[i]; f.Path == m.GetPath() {
			return a.sendBlob(row.ID, f.SHA256, stream)
		}
	}
	return refuse(connect.CodeNotFound, "artifact_not_found",
		fmt.Sprintf("step %s of run %s has no artifact %q", step.Path, row.ID, m.GetPath()), "`regie artifacts RUN` lists them")
}

// sendBlob sends a blob as it is.
func (a *API) sendBlob(run store.RunID, sum string, stream *connect.ServerStream[httpbody.HttpBody]) error {
	r, err := a.cfg.Blobs.Open(string(run), sum)
	if err != nil {
		return blobFailure(err)
	}
	defer r.Close()
	chunk := make([]byte, artifactChunk)
	for sent := false; ; sent = true {
		n, err := io.ReadFull(r, chunk)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return blobFailure(err)
		}
		if n > 0 || !sent { // an empty file is one empty message
			if err := stream.Send(&httpbody.HttpBody{ContentType: "application/octet-stream", Data: chunk[:n]}); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

func blobFailure(err error) error {
	switch {
	case errors.Is(err, blob.ErrDamaged):
		return refuse(connect.CodeDataLoss, "blob_damaged", err.Error(), "")
	case errors.Is(err, blob.ErrNotFound):
		return refuse(connect.CodeNotFound, "blob_not_found", err.Error(), "a backup does not have it; copy the folder blobs of the data folder beside it")
	}
	return failure(err)
}
