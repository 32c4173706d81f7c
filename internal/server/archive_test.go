package server_test

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/server"
)

// TestArchive: a run is whole in the archive before its data goes, and an erasure
// takes it from there too. A server without an archive does not promise one.
func TestArchive(t *testing.T) {
	t.Parallel()
	keep := &regiev1.PutNamespaceRequest{Name: "filed", Retention: &regiev1.Retention{KeepPayloads: "30d", Archive: true}}
	_, err := shared.admin.identities.PutNamespace(t.Context(), keep)
	if p := problem.Of(err); p.GetCode() != "request_invalid" || len(p.GetViolations()) != 1 || p.GetViolations()[0].GetField() != "retention.archive" {
		t.Errorf("without an archive: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "archive")
	config := func(c *server.Config) { c.Archive = dir }
	w := start(t, options{config: config})
	if put, err := w.admin.identities.PutNamespace(t.Context(), keep); err != nil || !put.GetNamespace().GetRetention().GetArchive() {
		t.Fatalf("put: %v, %v", put, err)
	}
	w.apply(t, "filed", "kind: Workflow\nname: tells\nsteps: [{id: a, run: echo printed; echo kept >file, artifacts: [file]}]\n")
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "filed", Workflow: "tells"}).GetId()
	w.ended(t, "filed", run)
	w.restart(t, options{config: config, clock: shifted{by: 31 * 24 * time.Hour}})
	var names []string
	eventually(t, "the copy, and the end of the data", func() bool {
		a, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "filed", Run: run})
		names, _ = filepath.Glob(filepath.Join(dir, "filed", "*", run+"-*.zip"))
		return err == nil && a.GetRun().GetErased() && len(names) == 1
	})
	lines, blobs := copied(t, names[0])
	if got := strings.Join(slices.Compact(slices.Collect(kinds(lines))), " "); got != "run data event log" {
		t.Errorf("copied: %s", got)
	}
	text, err := json.Marshal(lines)
	for _, want := range []string{`"text":"printed"`, `"path":"a"`, `"state":"succeeded"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s, %v", want, text, err)
		}
	}
	if diff := cmp.Diff([]string{"kept\n"}, blobs); diff != "" {
		t.Errorf("blobs (-want +got):\n%s", diff)
	}
	done, err := w.admin.runs.EraseRun(t.Context(), &regiev1.EraseRunRequest{Namespace: "filed", Run: run, Reason: "request 7"})
	if left, _ := filepath.Glob(filepath.Join(dir, "filed", "*", "*")); err != nil || done.GetCopies() != 1 || len(left) > 0 {
		t.Errorf("erased: %v, %v; left %v", done, err, left)
	}
}

// line is one of a copy.
type line struct {
	Kind  string          `json:"kind"`
	Run   string          `json:"run"`
	Value json.RawMessage `json:"value"`
}

func kinds(lines []line) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := range lines {
			if !yield(lines[i].Kind) {
				return
			}
		}
	}
}

// copied reads a copy: its lines, and what its blobs are.
func copied(t *testing.T, name string) (lines []line, blobs []string) {
	t.Helper()
	r, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Name == "run.jsonl":
			for scan := bufio.NewScanner(in); scan.Scan(); {
				var l line
				if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, l)
			}
		case strings.HasPrefix(f.Name, "blobs/"):
			text, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			blobs = append(blobs, string(text))
		default:
			t.Errorf("%s is in the copy", f.Name)
		}
	}
	return lines, blobs
}
