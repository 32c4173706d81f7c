package auditlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
)

// history is a store whose batches follow from their numbers and a word: two of
// the same words have the same log.
type history struct {
	store.Store

	t    testing.TB
	last uint64
}

func newHistory(t testing.TB, words ...string) *history {
	t.Helper()
	s, err := simstore.Open(simstore.NewDisk(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &history{Store: s, t: t}
	if _, err := s.Acquire(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	h.grow(words...)
	return h
}

// grow commits a batch for each word.
func (h *history) grow(words ...string) {
	h.t.Helper()
	for _, word := range words {
		h.last++
		b := testBatch(h.last, word)
		if err := h.Commit(context.Background(), &b); err != nil {
			h.t.Fatal(err)
		}
	}
}

// testBatch has one record of the run r1, and an entry.
func testBatch(sequence uint64, word string) store.Batch {
	return store.Batch{
		Sequence: sequence, Incarnation: 1, At: time.Date(2026, 11, 23, 8, 0, 0, int(sequence)*1000, time.UTC),
		Records: []store.Record{{Run: "r1", First: 2*sequence - 1, Count: 2, Control: fmt.Appendf(nil, `{"word":%q}`, word), Payload: []byte("secret")}},
		Runs:    []store.RunRow{{ID: "r1", Workflow: "eod", State: "running"}},
		Entries: []store.Entry{{Actor: "user/ada", Action: word, Outcome: "done"}},
	}
}

// words are n times the word a.
func words(n int) []string { return slices.Repeat([]string{"a"}, n) }

// folder is a data folder.
func folder(t testing.TB, path string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// alarms collects what the alarm is told.
type alarms struct {
	mu   sync.Mutex
	told []error
}

func (a *alarms) raise(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, err)
}

func (a *alarms) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.told)
}

// open opens a service that ends with the test.
func open(t testing.TB, cfg auditlog.Config) *auditlog.Service {
	t.Helper()
	s, err := auditlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// start opens and starts a service.
func start(t testing.TB, cfg auditlog.Config) *auditlog.Service {
	t.Helper()
	s := open(t, cfg)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// pass lets virtual time pass, and what then begins come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func signed(s *auditlog.Service) uint64 { return s.Status().Signed }

// export verifies an export from a batch on and returns the report.
func export(t testing.TB, s *auditlog.Service, from uint64, kept ...evidence.Kept) *evidence.Report {
	t.Helper()
	var out bytes.Buffer
	if err := s.Export(t.Context(), &out, from); err != nil {
		t.Fatal(err)
	}
	report, err := evidence.Verify(&out, evidence.Options{Key: s.Key(), Kept: kept})
	if err != nil || report.Fault != nil {
		t.Fatalf("export from %d: %v, %v", from, report.Fault, err)
	}
	return report
}

func TestSignsWhenTheLogHasGrown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir), Leaves: 10})
		wait := func(d time.Duration, want uint64) {
			t.Helper()
			pass(d)
			if got := signed(s); got != want {
				t.Errorf("signed %d batches, want %d", got, want)
			}
		}
		wait(time.Hour, 0) // an empty log is nothing to sign
		h.grow(words(3)...)
		wait(2*time.Second, 3) // nothing was signed for a minute
		h.grow(words(3)...)
		wait(50*time.Second, 3)
		wait(12*time.Second, 6)
		h.grow(words(9)...)
		wait(2*time.Second, 6)
		h.grow("a")
		wait(2*time.Second, 16) // ten more
		wait(time.Hour, 16)
		h.grow(words(2)...)
		wait(500*time.Millisecond, 16)
		if err := s.Stop(t.Context()); err != nil || signed(s) != 18 {
			t.Errorf("stop: %v, signed %d", err, signed(s))
		}
		if err := errors.Join(s.Stop(t.Context()), s.Ready()); err != nil {
			t.Error(err)
		}

		// What a crash kept from being signed is signed at the next start.
		h.grow("a")
		s = start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
		wait(0, 19)
		if report := export(t, s, 1); report.Checkpoints != 5 || report.Size != 19 || report.Entries != 19 {
			t.Errorf("report %+v", report)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestClockSetBackDelaysNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t, "a")
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		// To the next start, the file is from the future.
		later := time.Now().Add(1000 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "audit", "checkpoints"), later, later); err != nil {
			t.Fatal(err)
		}
		s = start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
		h.grow("a")
		pass(2 * time.Second)
		if signed(s) != 2 {
			t.Errorf("signed %d", signed(s))
		}
		_ = s.Stop(t.Context())
	})
}

// TestForksAreNotSigned: after a restart the log is not what was signed (B82).
func TestForksAreNotSigned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then []string
		want string
	}{
		"same":               {words(7), ""},
		"longer":             {words(9), ""},
		"cut":                {words(6), "covers 7 batches, but the log has 6"},
		"gone":               {nil, "covers 7 batches, but the log has 0"},
		"cut and went on":    {append(words(6), "b", "c"), "covers 7 batches, of which the log has others"},
		"rewritten":          {append(words(6), "b"), "covers 7 batches, of which the log has others"},
		"rewritten at first": {append([]string{"b"}, words(8)...), "covers 7 batches, of which the log has others"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := start(t, auditlog.Config{Log: newHistory(t, words(7)...), Root: folder(t, dir)})
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			var told alarms
			anchor := &fakeAnchor{}
			s = start(t, auditlog.Config{Log: newHistory(t, test.then...), Root: folder(t, dir), Alarm: told.raise, Anchors: []auditlog.Anchor{anchor}})
			_, err := s.Sign(t.Context())
			if test.want == "" {
				if err != nil || s.Ready() != nil || told.count() != 0 || signed(s) != uint64(len(test.then)) {
					t.Errorf("signed %d: %v, %v", signed(s), err, told.told)
				}
				export(t, s, 1)
				return
			}
			if !errors.Is(err, auditlog.ErrFork) || !errors.Is(s.Ready(), auditlog.ErrFork) || told.count() != 1 || signed(s) != 7 {
				t.Errorf("signed %d: %v, ready %v, alarms %v", signed(s), err, s.Ready(), told.told)
			}
			if told.count() > 0 && (!strings.Contains(told.told[0].Error(), test.want) || !strings.Contains(told.told[0].Error(), filepath.Join(dir, "audit"))) {
				t.Errorf("alarm %v, want %q", told.told[0], test.want)
			}
			if err := s.Export(t.Context(), &bytes.Buffer{}, 1); !errors.Is(err, auditlog.ErrFork) {
				t.Errorf("export: %v", err)
			}
			if err := s.Stop(t.Context()); err != nil || anchor.count() != 0 {
				t.Errorf("stop: %v; %d anchored", err, anchor.count())
			}
		})
	}
}

// TestForkWhileRunning: the alarm comes by itself.
func TestForkWhileRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := &switched{Log: newHistory(t, words(4)...)}
		var told alarms
		s := start(t, auditlog.Config{Log: log, Root: folder(t, dir), Alarm: told.raise})
		log.set(newHistory(t, words(3)...))
		pass(2 * time.Second)
		if told.count() != 1 || !errors.Is(s.Status().Fault, auditlog.ErrFork) {
			t.Errorf("alarms %v", told.told)
		}
		log.set(newHistory(t, words(5)...)) // that it is back proves nothing
		pass(2 * time.Minute)
		if _, err := s.Sign(t.Context()); err == nil || told.count() != 1 || signed(s) != 4 {
			t.Errorf("signed %d: %v", signed(s), err)
		}
		_ = s.Stop(t.Context())
	})
}

// switched is a log that somebody replaces.
type switched struct {
	mu sync.Mutex
	auditlog.Log
	err error
}

func (s *switched) set(log auditlog.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Log = log
}

func (s *switched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *switched) AuditSize(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.Log.AuditSize(ctx)
}

func (s *switched) AuditHashes(ctx context.Context, indexes []int64) ([]audit.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Log.AuditHashes(ctx, indexes)
}

// TestErrorsAreTriedAgain: what is not a fork passes.
func TestErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the disk is slow")
		log := &switched{Log: newHistory(t, "a")}
		s := open(t, auditlog.Config{Log: log, Root: folder(t, dir)})
		log.fail(broken)
		if err := s.Start(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("start: %v", err)
		}
		log.fail(nil)
		_ = s.Stop(t.Context())
		s = start(t, auditlog.Config{Log: log, Root: folder(t, dir)})
		log.fail(broken)
		if _, err := s.Sign(t.Context()); !errors.Is(err, broken) || !errors.Is(s.Status().Error, broken) || s.Ready() != nil {
			t.Errorf("sign: %v; status %+v", err, s.Status())
		}
		pass(2 * time.Second)
		log.fail(store.ErrCorrupt)
		if _, err := s.Sign(t.Context()); !errors.Is(err, store.ErrCorrupt) || !errors.Is(s.Ready(), store.ErrCorrupt) {
			t.Errorf("sign: %v, ready %v", err, s.Ready())
		}
		_ = s.Stop(t.Context())
	})
}

func TestExportsAndProofs(t *testing.T) {
	t.Parallel()
	h := newHistory(t, words(5)...)
	s := start(t, auditlog.Config{Log: h, Root: folder(t, t.TempDir())})
	first := s.Last()
	forget := store.Batch{Sequence: 6, Incarnation: 1, At: time.Now(), Forget: []store.EntryID{{Batch: 2}}}
	if err := h.Commit(t.Context(), &forget); err != nil {
		t.Fatal(err)
	}
	kept, _, err := evidence.ReadKept("kept", bytes.NewReader(first.Note), s.Key())
	if err != nil {
		t.Fatal(err)
	}
	for from := range uint64(7) {
		report := export(t, s, from, kept[:btoi(from < 6)]...)
		if report.Size != 6 || report.From != max(from, 1) || report.Checkpoints != 1+btoi(from < 6) || report.Forgotten != uint64(btoi(from < 3)) {
			t.Errorf("from %d: %+v", from, report)
		}
	}
	if err := s.Export(t.Context(), &bytes.Buffer{}, 7); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("export from behind the end: %v", err)
	}
	if err := s.Export(t.Context(), failing{}, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("export to nowhere: %v", err)
	}

	said := store.Batch{Sequence: 7, Incarnation: 1, At: time.Now(), Entries: []store.Entry{{Actor: "user/ada", Action: "b", Outcome: "denied"}}}
	if err := h.Commit(t.Context(), &said); err != nil {
		t.Fatal(err)
	}
	proof, err := s.ProveEntry(t.Context(), store.EntryID{Batch: 7})
	report := verified(t, s, proof, err)
	if report.Entry == nil || report.Entry.Action != "b" || report.Size != 7 {
		t.Errorf("entry: %+v", report)
	}
	for id, want := range map[store.EntryID]error{
		{Batch: 2}: auditlog.ErrForgotten, {Batch: 2, Position: 1}: store.ErrNotFound, {Batch: 9}: store.ErrNotFound, {}: store.ErrNotFound,
	} {
		if _, err := s.ProveEntry(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("entry %s: %v, want %v", id, err, want)
		}
	}
	if _, err := s.ProveRun(t.Context(), "r2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("run r2: %v", err)
	}
	signed, consistency, err := s.Checkpoint(t.Context(), 5)
	if err != nil || audit.CheckConsistency(consistency, signed.Size, signed.Root, 5, first.Root) != nil {
		t.Errorf("checkpoint: %v", err)
	}
	if root, err := s.Root(t.Context(), 5); err != nil || root != first.Root {
		t.Errorf("root: %v", err)
	}
	for _, size := range []uint64{8, 1 << 63} {
		if _, err := s.Root(t.Context(), size); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("root of %d: %v", size, err)
		}
	}
	if _, _, err := s.Checkpoint(t.Context(), 8); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("checkpoint: %v", err)
	}
}

func TestProveRun(t *testing.T) {
	t.Parallel()
	s := start(t, auditlog.Config{Log: newHistory(t, words(9)...), Root: folder(t, t.TempDir())})
	proof, err := s.ProveRun(t.Context(), "r1")
	if report := verified(t, s, proof, err); report.Run != "r1" || report.Events != 18 || report.Records != 9 {
		t.Errorf("report %+v", report)
	}
	if bytes.Contains(proof, []byte("secret")) {
		t.Error("the proof has values")
	}
}

func verified(t testing.TB, s *auditlog.Service, proof []byte, err error) *evidence.Report {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	report, err := evidence.Verify(bytes.NewReader(proof), evidence.Options{Key: s.Key()})
	if err != nil || report.Fault != nil {
		t.Fatalf("proof: %v, %v", report.Fault, err)
	}
	return report
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestEntryForgottenDuringExport: the export is not whole, and says so.
func TestEntryForgottenDuringExport(t *testing.T) {
	t.Parallel()
	h := newHistory(t, words(3)...)
	s := start(t, auditlog.Config{Log: forgetful{h}, Root: folder(t, t.TempDir())})
	if err := s.Export(t.Context(), &bytes.Buffer{}, 1); !errors.Is(err, auditlog.ErrMoved) {
		t.Errorf("export: %v", err)
	}
}

// forgetful takes the text of entries out while they are read.
type forgetful struct{ *history }

func (f forgetful) EntryEvidence(_ context.Context, id store.EntryID) (store.Entry, store.Evidence, error) {
	return store.Entry{ID: id, Forgotten: 99}, store.Evidence{}, nil
}

func TestKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHistory(t, "a")
	s := start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	origin := s.Key().Origin()
	if !strings.HasPrefix(origin, "regie/") || len(origin) != len("regie/")+16 || origin != s.Status().Origin {
		t.Errorf("origin %q", origin)
	}
	for name, mode := range map[string]os.FileMode{"audit": 0o700, "audit/key": 0o600, "audit/key.pub": 0o600, "audit/checkpoints": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	public, err := os.ReadFile(filepath.Join(dir, "audit/key.pub"))
	if err != nil || string(public) != s.Key().String()+"\n" {
		t.Errorf("public key %q, %v", public, err)
	}
	other := start(t, auditlog.Config{Log: h, Root: folder(t, t.TempDir())})
	if other.Key().Origin() == origin {
		t.Error("two logs have one name")
	}
	private, err := os.ReadFile(filepath.Join(dir, "audit/key"))
	if err != nil {
		t.Fatal(err)
	}

	t.Run("kept", func(t *testing.T) {
		if s := open(t, auditlog.Config{Log: h, Root: folder(t, dir)}); s.Key().String()+"\n" != string(public) || signed(s) != 1 {
			t.Errorf("key %s, signed %d", s.Key(), signed(s))
		}
	})
	t.Run("lost", func(t *testing.T) {
		dir := t.TempDir()
		_ = start(t, auditlog.Config{Log: h, Root: folder(t, dir)}).Stop(t.Context())
		if err := os.Remove(filepath.Join(dir, "audit/key")); err != nil {
			t.Fatal(err)
		}
		_, err := auditlog.Open(auditlog.Config{Log: h, Root: folder(t, dir)})
		if !errors.Is(err, auditlog.ErrKey) || !strings.Contains(err.Error(), "put it back") {
			t.Errorf("open: %v", err)
		}
	})
	t.Run("that of another log", func(t *testing.T) {
		dir := t.TempDir()
		_ = start(t, auditlog.Config{Log: h, Root: folder(t, dir)}).Stop(t.Context())
		if err := os.WriteFile(filepath.Join(dir, "audit/key"), private, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := auditlog.Open(auditlog.Config{Log: h, Root: folder(t, dir)})
		if !errors.Is(err, auditlog.ErrDamaged) {
			t.Errorf("open: %v", err)
		}
	})
	for name, text := range map[string]string{
		"empty": "", "word": "hunter2", "public": string(public), "cut": string(private[:len(private)-9]),
		"other name": strings.Replace(string(private), "regie/", "regal/", 1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root := folder(t, dir)
			if err := errors.Join(root.Mkdir("audit", 0o700), root.WriteFile("audit/key", []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
			_, err := auditlog.Open(auditlog.Config{Log: h, Root: root})
			if !errors.Is(err, auditlog.ErrKey) || text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("open: %v", err)
			}
			if have, err := root.ReadFile("audit/key"); err != nil || string(have) != text {
				t.Errorf("the file was replaced by %q, %v", have, err)
			}
		})
	}
	t.Run("readable by others", func(t *testing.T) {
		dir := t.TempDir()
		root := folder(t, dir)
		if err := errors.Join(root.Mkdir("audit", 0o700), root.WriteFile("audit/key", private, 0o600), root.Chmod("audit/key", 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, err := auditlog.Open(auditlog.Config{Log: h, Root: root}); err == nil || !strings.Contains(err.Error(), "others may read") {
			t.Errorf("open: %v", err)
		}
	})
}

// TestCrashWhileKeeping: whatever part of the last line a crash left, nobody was
// given it, and signing goes on.
func TestCrashWhileKeeping(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit", "checkpoints")
	h := newHistory(t, words(3)...)
	_ = start(t, auditlog.Config{Log: h, Root: folder(t, dir)}).Stop(t.Context())
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h.grow("a")
	_ = start(t, auditlog.Config{Log: h, Root: folder(t, dir)}).Stop(t.Context())
	two, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(two, one) {
		t.Fatal(err)
	}
	for cut := range two {
		if cut%7 != 0 && cut != len(one)-1 && cut != len(one) && cut != len(two)-1 {
			continue
		}
		if err := os.WriteFile(path, two[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
		if report := export(t, s, 1); report.Checkpoints != 1+btoi(cut >= len(one)) {
			t.Errorf("cut to %d: %d checkpoints", cut, report.Checkpoints)
		}
		_ = s.Stop(t.Context())
	}
}

func TestDamagedCheckpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit", "checkpoints")
	h := newHistory(t, words(3)...)
	_ = start(t, auditlog.Config{Log: h, Root: folder(t, dir)}).Stop(t.Context())
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"changed": strings.Replace(string(one), `\n3\n`, `\n2\n`, 1), "a word": "hello\n", "an empty line": string(one) + "\n",
		"too long": string(one) + strings.Repeat("x", 1<<20),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := auditlog.Open(auditlog.Config{Log: h, Root: folder(t, dir)}); !errors.Is(err, auditlog.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
	// Damage before the last line is found when it is exported.
	if err := os.WriteFile(path, append([]byte("hello\n"), one...), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, auditlog.Config{Log: h, Root: folder(t, dir)})
	if err := s.Export(t.Context(), &bytes.Buffer{}, 1); !errors.Is(err, auditlog.ErrDamaged) {
		t.Errorf("export: %v", err)
	}
}
