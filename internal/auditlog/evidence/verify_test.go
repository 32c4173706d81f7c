package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
)

var update = flag.Bool("update", false, "rewrite what is compared with")

// TestFormatIsKept compares with documents that were written before: what an
// auditor keeps must be readable for good.
func TestFormatIsKept(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	for name, text := range map[string][]byte{
		"export.jsonl": l.export(1), "tail.jsonl": l.export(4),
		"entry.json": l.clone().proveEntry(store.EntryID{Batch: 4}), "run.json": l.clone().proveRun(),
		"key.pub": []byte(l.key.String() + "\n"), "checkpoint": l.clone().sign(),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	at := func(batch int) time.Time { return l.leaves[batch-1].At }
	said := l.batches[3].Entries[0]
	said.ID, said.At = store.EntryID{Batch: 4}, at(4)
	for name, test := range map[string]struct {
		text []byte
		opts evidence.Options
		want evidence.Report
	}{
		"export": {l.export(1), evidence.Options{}, evidence.Report{
			Kind: "export", From: 1, Size: 5, FirstAt: at(1), LastAt: at(5), Records: 3, Items: 7, Entries: 4, Forgotten: 1, Checkpoints: 3,
			Limits: []string{
				"whether somebody who has the private key rewrote the log as a whole, or cut it after batch 5: only a checkpoint that was kept elsewhere tells (--checkpoint)",
				"what happened after batch 5", "the events of runs, of which it has hashes only: a proof of a run has them",
			},
		}},
		"export and anchors": {
			l.export(1), evidence.Options{Kept: slices.Concat(l.cut(4).kept("a"), l.cut(2).kept("b"))}, evidence.Report{
				Kind: "export", From: 1, Size: 5, FirstAt: at(1), LastAt: at(5), Records: 3, Items: 7, Entries: 4, Forgotten: 1, Checkpoints: 3, Compared: 2,
				Limits: []string{
					"whether somebody who has the private key rewrote batches 5 to 5, which came after the newest checkpoint that was kept elsewhere",
					"what happened after batch 5", "the events of runs, of which it has hashes only: a proof of a run has them",
				},
			},
		},
		"tail": {l.export(4), evidence.Options{Kept: slices.Concat(l.kept("a"), l.cut(3).kept("b"))}, evidence.Report{
			Kind: "export", From: 4, Size: 5, FirstAt: at(4), LastAt: at(5), Records: 1, Items: 2, Entries: 1, Checkpoints: 2, Compared: 2,
			Limits: []string{
				"what is in batches 1 to 3, which the checkpoints cover",
				"what happened after batch 5", "the events of runs, of which it has hashes only: a proof of a run has them",
			},
		}},
		"entry": {l.clone().proveEntry(said.ID), evidence.Options{Kept: l.kept("a")}, evidence.Report{
			Kind: "proof", Size: 5, FirstAt: at(4), LastAt: at(4), Entries: 1, Checkpoints: 1, Compared: 1, Entry: &said,
		}},
		"run": {l.clone().proveRun(), evidence.Options{}, evidence.Report{
			Kind: "proof", Size: 5, FirstAt: at(2), LastAt: at(4), Records: 2, Checkpoints: 1, Run: "r1", Events: 3,
			Limits: []string{
				"whether run r1 has events after 3", "the values that the events refer to: the proof has their commitments only",
				"whether somebody who has the private key wrote another log as well: only a checkpoint that was kept elsewhere tells (--checkpoint)",
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.opts.Key, test.want.Origin = l.key, "regie/test"
			if diff := cmp.Diff(&test.want, verify(t, test.text, test.opts)); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryFlippedByteIsFound changes, adds and removes every byte of every
// document: but for white space in a proof, nothing goes unnoticed.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	for name, text := range map[string][]byte{
		"export": l.export(1), "tail": l.export(4), "entry": l.clone().proveEntry(store.EntryID{Batch: 4}), "run": l.clone().proveRun(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes, meaningless := 0, 0
			check := func(at int, what string, changed []byte) {
				changes++
				fault := verify(t, changed, evidence.Options{Key: l.key}).Fault
				if (name == "entry" || name == "run") && sameJSON(text, changed) {
					if meaningless++; fault != nil {
						t.Errorf("byte %d %s is white space, but: %v", at, what, fault)
					}
					return
				}
				if fault == nil {
					t.Errorf("byte %d %s is not found in …%s…", at, what, text[max(0, at-20):min(len(text), at+20)])
				}
			}
			for i := range text {
				flip := byte(1)
				if c := text[i] | ' '; c >= 'a' && c <= 'z' {
					flip = ' ' // to a capital or back, which readers of JSON like to pass over
				}
				changed := bytes.Clone(text)
				changed[i] ^= flip
				check(i, fmt.Sprintf("flipped by %#x", flip), changed)
				switch i % 4 {
				case 0:
					check(i, "removed", slices.Delete(bytes.Clone(text), i, i+1))
				case 1:
					check(i, "doubled", slices.Insert(bytes.Clone(text), i, text[i]))
				case 2:
					check(i, "after a space", slices.Insert(bytes.Clone(text), i, ' '))
				case 3:
					check(i, "and the rest cut", text[:i])
				}
			}
			if changes < 2*len(text)-1 || (meaningless > 0) != (name == "entry" || name == "run") {
				t.Errorf("%d changes, %d without a meaning", changes, meaningless)
			}
		})
	}
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// TestLinesOutOfPlaceAreFound removes, doubles and moves every line.
func TestLinesOutOfPlaceAreFound(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	for _, from := range []int{1, 4} {
		lines := bytes.SplitAfter(bytes.TrimSuffix(l.export(from), []byte("\n")), []byte("\n"))
		lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
		check := func(what string, changed [][]byte) {
			if slices.EqualFunc(changed, lines, bytes.Equal) {
				return
			}
			report := verify(t, bytes.Join(changed, nil), evidence.Options{Key: l.key})
			if report.Fault == nil && !sameButCheckpoints(lines, changed) {
				t.Errorf("from %d: %s is not found", from, what)
			}
		}
		for i := range lines {
			check(fmt.Sprintf("line %d removed", i+1), slices.Delete(slices.Clone(lines), i, i+1))
			for j := range lines {
				check(fmt.Sprintf("line %d also at %d", i+1, j+1), slices.Insert(slices.Clone(lines), j, lines[i]))
				swapped := slices.Clone(lines)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				check(fmt.Sprintf("lines %d and %d swapped", i+1, j+1), swapped)
			}
		}
	}
}

// sameButCheckpoints reports whether the two differ only in that a checkpoint
// stands there twice or not at all, and there is still the last one: they say
// the same.
func sameButCheckpoints(a, b [][]byte) bool {
	rest := func(lines [][]byte) [][]byte {
		return slices.DeleteFunc(slices.Clone(lines), func(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"checkpoint"`)) })
	}
	return slices.EqualFunc(rest(a), rest(b), bytes.Equal) && bytes.Equal(a[len(a)-1], b[len(b)-1])
}

// TestFaultsNameTheBatch checks what is said of faults that somebody made who
// does not have the key.
func TestFaultsNameTheBatch(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	export := string(l.export(1))
	other := l.cut(3)
	other.add(store.Batch{})
	other.add(store.Batch{})
	_, stranger := testKeys(t, "regie/test", 8)
	for name, test := range map[string]struct {
		text string
		opts evidence.Options
		want string // of Error, a part
		line int
	}{
		"actor":            {strings.Replace(export, `"actor":"system/schedule"`, `"actor":"user/mallory"`, 1), evidence.Options{}, "batch 2: entry 0 is not what the batch wrote", 6},
		"time":             {strings.Replace(export, "08:00:03", "08:00:02", 1), evidence.Options{}, "batch 3: it is not what its leaf says", 8},
		"sequence":         {strings.Replace(export, `{"batch":3,`, `{"batch":4,`, 1), evidence.Options{}, "batch 3: batch 4 stands in its place", 8},
		"size":             {strings.Replace(export, `"size":5`, `"size":4`, 1), evidence.Options{}, "more batches than the 4", 12},
		"tail cut":         {export[:strings.Index(export, `{"batch":5`)], evidence.Options{}, "batch 5: missing: the export ends after batch 4 of 5", 12},
		"entry missing":    {strings.Replace(export, lineWith(export, `{"entry":1,`), "", 1), evidence.Options{}, "batch 1: entry 1 of 2 is missing", 4},
		"withheld":         {strings.Replace(export, lineWith(export, `"system/schedule"`), `{"entry":0,"batch":2,"forgotten":4}`+"\n", 1), evidence.Options{}, "batch 2: the text of entry 0 was taken out, but not by batch 4 as it says", 9},
		"withheld for now": {strings.Replace(export, lineWith(export, `"system/schedule"`), `{"entry":0,"batch":2,"forgotten":6}`+"\n", 1), evidence.Options{}, "batch 2: entry 0: its text was taken out by batch 6, which cannot be", 6},
		"other key":        {export, evidence.Options{Key: stranger}, "and the key given is regie/test+", 1},
		"rewritten":        {joined(export, string(other.export(1))), evidence.Options{}, "batches 5 to 5: ", 0},
		"newer anchor":     {export, evidence.Options{Kept: longer(l).kept("a")}, "batch 6: missing: a covers 6 batches, but the export has 5: it is older, or the log was cut", 14},
		"anchor of another": {export, evidence.Options{Kept: other.kept("a")},
			"batches 1 to 5: one of them is not what it was when a was kept, which covers 5", 12},
		"anchor before the tail": {string(l.export(4)), evidence.Options{Kept: l.cut(2).kept("a")}, "a covers 2 batches, but the export begins with batch 4: export from an earlier one", 1},
		"nothing":                {"", evidence.Options{}, "neither an export nor a proof that this Regie reads", 0},
		"newer format":           {strings.Replace(export, "export/1", "export/2", 1), evidence.Options{}, `its format is "regie-audit-export/2", and this Regie reads "regie-audit-export/1"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.opts.Key == (evidence.Key{}) {
				test.opts.Key = l.key
			}
			fault := verify(t, []byte(test.text), test.opts).Fault
			if name == "rewritten" {
				if fault == nil || fault.First == 0 {
					t.Errorf("fault %v", fault)
				}
				return
			}
			if fault == nil || !strings.Contains(fault.String(), test.want) || fault.Line != test.line {
				t.Errorf("fault %+v, want %q in line %d", fault, test.want, test.line)
			}
		})
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return "no such line"
}

// joined is the beginning of one export with the end of another.
func joined(a, b string) string {
	return a[:strings.Index(a, `{"batch":4`)] + b[strings.Index(b, `{"batch":4`):]
}

func longer(l *testLog) *testLog {
	c := l.clone()
	c.add(store.Batch{})
	return c
}

// TestOnlyAnAnchorFindsWhatTheKeyHolderDoes: with the key somebody cuts the tail
// and appends other batches (or puts an old copy back and goes on). The export
// is sound in itself, and says what it cannot tell; a checkpoint from before
// finds it, whatever its size.
func TestOnlyAnAnchorFindsWhatTheKeyHolderDoes(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	forged := l.cut(3)
	forged.add(store.Batch{Entries: []store.Entry{entry("user/ada", "nothing.happened", "")}})
	forged.sign()
	forged.add(store.Batch{})
	forged.sign()
	report := verify(t, forged.export(1), evidence.Options{Key: l.key})
	if report.Fault != nil || !strings.Contains(report.Limits[0], "only a checkpoint that was kept elsewhere tells") {
		t.Errorf("without an anchor: %+v", report)
	}
	for size := 1; size <= 5; size++ {
		fault := verify(t, forged.export(1), evidence.Options{Key: l.key, Kept: l.cut(size).kept("a")}).Fault
		if (fault != nil) != (size > 3) {
			t.Errorf("with an anchor of %d: %v", size, fault)
		}
	}
	fault := verify(t, forged.export(1), evidence.Options{Key: l.key, Kept: slices.Concat(l.kept("b"), l.cut(3).kept("a"))}).Fault
	if fault == nil || fault.First != 4 || fault.Last != 5 {
		t.Errorf("between two anchors: %+v", fault)
	}
	proof := forged.clone().proveEntry(store.EntryID{Batch: 4})
	if fault := verify(t, proof, evidence.Options{Key: l.key}).Fault; fault != nil {
		t.Errorf("proof without an anchor: %v", fault)
	}
	if fault := verify(t, proof, evidence.Options{Key: l.key, Kept: l.kept("a")}).Fault; fault == nil {
		t.Error("proof with an anchor holds")
	}
	if fault := verify(t, proof, evidence.Options{Key: l.key, Kept: l.cut(3).kept("a")}).Fault; fault == nil {
		t.Error("a proof that cannot be compared holds")
	}
}

func TestTimesMayGoBackALittle(t *testing.T) {
	t.Parallel()
	l := newTestLog(t)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, back := range []time.Duration{0, time.Minute, 4 * time.Minute} {
		l.add(store.Batch{At: at.Add(-back)})
	}
	l.sign()
	if fault := verify(t, l.export(1), evidence.Options{Key: l.key}).Fault; fault != nil {
		t.Error(fault)
	}
	fault := verify(t, l.export(1), evidence.Options{Key: l.key, Tolerance: 3 * time.Minute}).Fault
	if fault == nil || fault.First != 3 || !strings.Contains(fault.What, "lies before 2026-11-23T08:00:00.000Z") {
		t.Errorf("fault %v", fault)
	}
	l.add(store.Batch{At: at, Incarnation: 1})
	l.add(store.Batch{At: at, Incarnation: 9})
	l.add(store.Batch{At: at, Incarnation: 8})
	l.sign()
	if fault := verify(t, l.export(1), evidence.Options{Key: l.key}).Fault; fault == nil || fault.First != 6 {
		t.Errorf("fault %v", fault)
	}
}

func TestEmptyLog(t *testing.T) {
	t.Parallel()
	l := newTestLog(t)
	var out bytes.Buffer
	w := evidence.NewWriter(&out, evidence.Header{Key: l.key, From: 1})
	if fault := verify(t, out.Bytes(), evidence.Options{Key: l.key}).Fault; fault == nil {
		t.Error("nothing signed, and nothing wrong")
	}
	if err := w.Checkpoint(l.sign()); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, out.Bytes(), evidence.Options{Key: l.key}); report.Fault != nil || report.Checkpoints != 1 {
		t.Errorf("report %+v", report)
	}
}

// TestForgedProofs: what is proven must be what it says it is.
func TestForgedProofs(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	at := func(id store.EntryID) *evidence.ProvenEntry {
		e := l.batches[id.Batch-1].Entries[id.Position]
		e.ID = id
		leaf := l.leaves[id.Batch-1]
		p, err := evidence.NewProvenEntry(&e, l.salts[id.Batch-1].Entries[id.Position], l.proof(id.Batch, int(leaf.Records+leaf.Items-leaf.Entries+id.Position)))
		l.must(err)
		return p
	}
	signed := l.sign()
	for name, forge := range map[string]func(p *evidence.Proof){
		"nothing":              func(*evidence.Proof) {},
		"both":                 func(p *evidence.Proof) { p.Entry, p.Run = at(store.EntryID{Batch: 4}), "r1" },
		"no records":           func(p *evidence.Proof) { p.Run = "r1" },
		"number of another":    func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Entry = 1 },
		"batch of another":     func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Batch = 2 },
		"number beyond all":    func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Entry = 1<<32 - 1 },
		"time of another":      func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Path.At = l.leaves[1].At },
		"batch 0":              func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Path.Batch = 0 },
		"batch behind the log": func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Path.Batch = 6 },
		"a hash cut": func(p *evidence.Proof) {
			p.Entry = at(store.EntryID{Batch: 1})
			p.Entry.Path.InLog = p.Entry.Path.InLog[1:]
		},
		"text taken out": func(p *evidence.Proof) { p.Entry = at(store.EntryID{Batch: 1}); p.Entry.Forgotten = 4 },
		"only that it was there": func(p *evidence.Proof) {
			p.Entry = at(store.EntryID{Batch: 1})
			p.Entry.Forgotten, p.Entry.Salt = 4, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := evidence.NewProof(l.key, signed)
			forge(p)
			text, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if fault := verify(t, text, evidence.Options{Key: l.key}).Fault; fault == nil {
				t.Error("it holds")
			}
		})
	}
	run := string(l.clone().proveRun())
	for name, text := range map[string]string{
		"of another run": strings.Replace(run, `"run": "r1"`, `"run": "r2"`, 1),
		"other control":  strings.Replace(run, `{\"first\":3}`, `{\"first\":4}`, 1),
	} {
		if fault := verify(t, []byte(text), evidence.Options{Key: l.key}).Fault; fault == nil || text == run {
			t.Errorf("%s: it holds", name)
		}
	}
}

// TestProofWithoutItsBeginning leaves the first record of a run out.
func TestProofWithoutItsBeginning(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	p := evidence.NewProof(l.key, l.sign())
	p.Run = "r1"
	proven, err := evidence.NewProvenRecord(&l.batches[3].Records[0], audit.Commitment(recordSalt, []byte("secret")), l.proof(4, 0))
	l.must(err)
	for _, records := range [][]evidence.ProvenRecord{{proven}, {proven, proven}} {
		p.Records = records
		text, err := p.Encode()
		l.must(err)
		fault := verify(t, text, evidence.Options{Key: l.key}).Fault
		if fault == nil || !strings.Contains(fault.What, "1 events from 3 stand where event 1 must") {
			t.Errorf("fault %v", fault)
		}
	}
}

func TestReadErrorsAreNoFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	l := smallLog(t)
	export := l.export(1)
	for n := range 3 {
		in := &failing{text: export[:n*len(export)/3], err: broken}
		if report, err := evidence.Verify(in, evidence.Options{Key: l.key}); !errors.Is(err, broken) {
			t.Errorf("after %d thirds: %+v, %v", n, report, err)
		}
	}
}

type failing struct {
	text []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if len(f.text) == 0 {
		return 0, f.err
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}
