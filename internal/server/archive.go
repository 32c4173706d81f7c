package server

import (
	"archive/zip"
	"context"
	"fmt"
	"io"

	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/archive"
	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/store"
)

// archiver copies runs into the archive: run.jsonl, as `regie runs export` writes
// it, and the large data of the run as blobs/SHA256.
type archiver struct {
	api   *api.API
	blobs interface {
		blob.Store
		blob.Lister
	}
	folder *archive.Folder
}

func archived(row *store.RunRow) archive.Run {
	return archive.Run{ID: string(row.ID), Namespace: row.Namespace, EndedAt: row.EndedAt, Events: row.Events}
}

// Keep implements [retention.Archive].
func (a archiver) Keep(ctx context.Context, row *store.RunRow) (added bool, err error) {
	return a.folder.Keep(archived(row), func(w *zip.Writer) error {
		out, err := w.CreateHeader(&zip.FileHeader{Name: "run.jsonl", Method: zip.Deflate, Modified: row.EndedAt.UTC()})
		if err != nil {
			return err
		}
		if err := a.api.Copy(ctx, row, out); err != nil {
			return err
		}
		blobs, err := a.blobs.ListBlobs(string(row.ID))
		for i := range blobs {
			if err == nil {
				err = a.copyBlob(ctx, w, row, blobs[i].SHA256)
			}
		}
		return err
	})
}

func (a archiver) copyBlob(ctx context.Context, w *zip.Writer, row *store.RunRow, sum string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	out, err := w.CreateHeader(&zip.FileHeader{Name: "blobs/" + sum, Method: zip.Deflate, Modified: row.EndedAt.UTC()})
	if err != nil {
		return err
	}
	in, err := a.blobs.Open(string(row.ID), sum)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy blob %s: %w", sum, err)
	}
	return nil
}

// Count implements [retention.Archive].
func (a archiver) Count(row *store.RunRow) (int, error) { return a.folder.Count(archived(row)) }

// Remove implements [retention.Archive].
func (a archiver) Remove(row *store.RunRow) (int, error) { return a.folder.Remove(archived(row)) }

// openArchive opens the archive, if there is one.
func (s *Server) openArchive() (err error) {
	if s.cfg.Archive == "" {
		return nil
	}
	if s.archive, err = archive.Open(s.cfg.Archive); err != nil {
		return err
	}
	s.onClose(s.archive.Close)
	return nil
}
