package api

import (
	"context"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/value"
)

// Values read the values of runs whole, those too that are too large for events.
type Values interface {
	// Write writes a value of a run as JSON.
	Write(w io.Writer, run string, v value.Value) error
}

// DownloadOutput sends the output of a run or step, or its input. What is sent
// before damage is found is cut off by the error.
func (a *API) DownloadOutput(ctx context.Context, m *regiev1.DownloadOutputRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return err
	}
	seen, erased, err := a.history(ctx, &row, func(_ int, at string) bool { return at == m.GetStep() })
	if err != nil {
		return failure(err)
	}
	if err := a.record(ctx, "output.read", row.Namespace, "run/"+string(row.ID)); err != nil {
		return failure(err)
	}
	if erased {
		return erasedLog(row.ID)
	}
	run := seen.Run()
	output, input := run.Output, run.Input
	if path := m.GetStep(); path != "" {
		step := stepAt(run, path)
		if step == nil {
			return noStep(row.ID, path)
		}
		output, input = step.Output, step.Input
	}
	v, what := output, "output"
	if m.GetInput() {
		v, what = input, "input"
	}
	if v.IsUndefined() {
		return refuse(connect.CodeNotFound, what+"_not_found", fmt.Sprintf("it has no %s", what), "one that has not ended has no output")
	}
	send := &bodies{stream: stream}
	if err := a.cfg.Values.Write(send, string(row.ID), v); err != nil {
		if send.err != nil {
			return send.err
		}
		return blobFailure(err)
	}
	return nil
}

// bodies sends what is written in messages.
type bodies struct {
	stream *connect.ServerStream[httpbody.HttpBody]
	err    error
}

// Write implements io.Writer.
func (b *bodies) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += artifactChunk {
		if b.err = b.stream.Send(&httpbody.HttpBody{ContentType: "application/json", Data: p[at:min(at+artifactChunk, len(p))]}); b.err != nil {
			return at, b.err
		}
	}
	return len(p), nil
}
