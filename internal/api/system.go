package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/store"
)

// MaxDrain bounds how long running work is waited for.
const MaxDrain = 24 * time.Hour

const (
	// backupChunk is how much of a backup one message has.
	backupChunk = 256 << 10
	// backupDir is where a backup is while it is sent, in the folder for
	// temporary files.
	backupDir = "backup"
)

// System is what the API knows of the server itself.
type System interface {
	Info() Info
	// Drain has the server take no more runs, and end when what is live has
	// ended, or the time is over.
	Drain(wait time.Duration)
	// TempDir is a folder for files of requests.
	TempDir() string
}

// Info describes a server.
type Info struct {
	Version, Installation, Environment string
	Started                            time.Time
	Warnings                           []string
	Draining                           bool
	Usage                              retention.Usage
}

// GetInfo describes the server.
func (a *API) GetInfo(ctx context.Context, _ *regiev1.GetInfoRequest) (*regiev1.GetInfoResponse, error) {
	info := a.cfg.System.Info()
	out := &regiev1.GetInfoResponse{
		Version: info.Version, Installation: info.Installation, StartedAt: timeOf(info.Started), Environment: info.Environment,
		Position: a.cfg.Runtime.Position(), Draining: info.Draining, Now: timeOf(a.cfg.Now()),
	}
	if identityOf(ctx).May(access.SystemRead, "") {
		out.Warnings = info.Warnings
		if u := &info.Usage; !u.At.IsZero() {
			out.Usage = &regiev1.Usage{DatabaseBytes: u.Database, LogsBytes: u.Logs, OtherBytes: u.Other, MeasuredAt: timeOf(u.At)}
		}
	}
	return out, nil
}

// heavily waits until nothing else goes through the whole store, which takes
// its time or its room, and keeps others waiting until end is called.
func (a *API) heavily(ctx context.Context) (end func(), err error) {
	select {
	case a.heavy <- struct{}{}:
		return func() { <-a.heavy }, nil
	case <-ctx.Done():
		return nil, failure(ctx.Err())
	}
}

// Verify checks all that is stored.
func (a *API) Verify(ctx context.Context, _ *regiev1.VerifyRequest) (*regiev1.VerifyResponse, error) {
	end, err := a.heavily(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	began := a.cfg.Now()
	size, err := a.cfg.Store.AuditSize(ctx)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.VerifyResponse{Batches: size}
	err = a.cfg.Store.Verify(ctx)
	if err == nil {
		err = a.cfg.Audit.Status().Fault // it is sound in itself, but not what was signed
	}
	if err == nil {
		out.Root, err = a.rootOf(ctx, size)
	}
	switch {
	case err == nil:
		out.Ok = true
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, auditlog.ErrFork):
		out.Fault = err.Error()
	default:
		return nil, failure(err)
	}
	out.Seconds = a.cfg.Now().Sub(began).Seconds()
	if err := a.record(ctx, "system.verify", "", "installation"); err != nil {
		return nil, failure(err)
	}
	return out, nil
}

// Backuper copies everything that is stored to a file.
type Backuper interface {
	Backup(ctx context.Context, path string) error
}

// Backup streams a copy of the store.
func (a *API) Backup(ctx context.Context, _ *regiev1.BackupRequest, stream *connect.ServerStream[httpbody.HttpBody]) error {
	if err := a.record(ctx, "system.backup", "", "installation"); err != nil {
		return failure(err)
	}
	end, err := a.heavily(ctx)
	if err != nil {
		return err
	}
	defer end()
	temp, err := os.OpenRoot(a.cfg.System.TempDir())
	if err != nil {
		return failure(fmt.Errorf("make room for the backup: %w", err))
	}
	defer temp.Close()
	// One backup is made at a time, and what a killed server left is gone since
	// the start.
	if err := temp.Mkdir(backupDir, 0o700); err != nil {
		return failure(fmt.Errorf("make room for the backup: %w", err))
	}
	defer func() { _ = temp.RemoveAll(backupDir) }()
	name := filepath.Join(backupDir, "regie.db")
	if err := a.cfg.Backup.Backup(ctx, filepath.Join(a.cfg.System.TempDir(), name)); err != nil {
		return failure(fmt.Errorf("copy the store: %w", err))
	}
	file, err := temp.Open(name)
	if err != nil {
		return failure(err)
	}
	defer file.Close()
	chunk := make([]byte, backupChunk)
	for {
		n, err := io.ReadFull(file, chunk)
		if n > 0 {
			if err := stream.Send(&httpbody.HttpBody{ContentType: "application/vnd.sqlite3", Data: chunk[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return failure(err)
		}
	}
}

// Drain has the server end.
func (a *API) Drain(ctx context.Context, m *regiev1.DrainRequest) (*regiev1.DrainResponse, error) {
	wait := time.Duration(m.GetSeconds()) * time.Second
	if wait < 0 || wait > MaxDrain {
		return nil, invalid("seconds", "it lies between 0 and %d", int(MaxDrain.Seconds()))
	}
	if err := a.record(ctx, "system.drain", "", "installation"); err != nil {
		return nil, failure(err)
	}
	a.cfg.System.Drain(wait)
	return &regiev1.DrainResponse{}, nil
}
