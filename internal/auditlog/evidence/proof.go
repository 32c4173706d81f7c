package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// MaxProof is the size of the largest proof in bytes.
const MaxProof = 256 << 20

// ErrTooLarge: a proof would be longer than [MaxProof].
var ErrTooLarge = errors.New("too large for one proof")

// Proof is the document that proves an entry or a run: the signed checkpoint,
// and what leads to it.
type Proof struct {
	Format     string         `json:"format"`
	Origin     string         `json:"origin"`
	Key        string         `json:"key"`
	Checkpoint string         `json:"checkpoint"`
	Entry      *ProvenEntry   `json:"entry,omitempty"`
	Run        string         `json:"run,omitempty"`
	Records    []ProvenRecord `json:"records,omitempty"`
}

// ProvenEntry is an entry and its path.
type ProvenEntry struct {
	entryLine

	Path Path `json:"path"`
}

// ProvenRecord is a record of the run and its path. Control holds the control
// facts of its events, Commitment commits to their payload.
type ProvenRecord struct {
	First      uint64 `json:"first"`
	Count      uint64 `json:"count"`
	Control    string `json:"control,omitempty"`
	Binary     []byte `json:"binary,omitempty"` // control facts that are not text
	Commitment []byte `json:"commitment"`
	Path       Path   `json:"path"`
}

// Path leads from a hash to the checkpoint: see [audit.Proof].
type Path struct {
	Batch       uint64    `json:"batch"`
	Incarnation uint64    `json:"incarnation"`
	At          time.Time `json:"at"`
	Records     uint32    `json:"records,omitempty"`
	Items       uint32    `json:"items,omitempty"`
	Objects     uint32    `json:"objects,omitempty"`
	Entries     uint32    `json:"entries,omitempty"`
	Root        []byte    `json:"root"`
	Index       uint32    `json:"index"`
	InBatch     []byte    `json:"in_batch,omitempty"`
	InLog       []byte    `json:"in_log,omitempty"`
}

// NewProof begins a proof that leads to a signed checkpoint; the caller sets
// Entry, or Run and Records.
func NewProof(key Key, checkpoint []byte) *Proof {
	return &Proof{Format: proofFormat, Origin: key.Origin(), Key: key.String(), Checkpoint: string(checkpoint)}
}

// NewProvenEntry is an entry whose path is proof.
func NewProvenEntry(e *store.Entry, salt [audit.SaltSize]byte, proof *audit.Proof) (*ProvenEntry, error) {
	path, err := newPath(proof)
	if err != nil {
		return nil, err
	}
	return &ProvenEntry{newEntryLine(e, salt), path}, nil
}

// NewProvenRecord is a record whose path is proof.
func NewProvenRecord(r *store.Record, commitment audit.Hash, proof *audit.Proof) (ProvenRecord, error) {
	path, err := newPath(proof)
	if err != nil {
		return ProvenRecord{}, err
	}
	out := ProvenRecord{First: r.First, Count: r.Count, Commitment: commitment[:], Path: path}
	if json.Valid(r.Control) { // which Regie's are
		out.Control = string(r.Control)
	} else {
		out.Binary = r.Control
	}
	return out, nil
}

func newPath(p *audit.Proof) (Path, error) {
	leaf, err := audit.ParseLeaf(p.Leaf)
	if err != nil {
		return Path{}, err
	}
	return Path{
		Batch: leaf.Sequence, Incarnation: leaf.Incarnation, At: leaf.At, Records: leaf.Records, Items: leaf.Items,
		Objects: leaf.Objects, Entries: leaf.Entries, Root: leaf.Root[:],
		Index: p.Index, InBatch: join(p.InBatch), InLog: join(p.InLog),
	}, nil
}

// Encode writes the document down, indented for people. It is [ErrTooLarge] when
// it is longer than MaxProof.
func (p *Proof) Encode() ([]byte, error) {
	text, err := encode(p)
	if err != nil {
		return nil, fmt.Errorf("write proof: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("write proof: %w", err)
	}
	if b.Len() > MaxProof {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, b.Len())
	}
	return b.Bytes(), nil
}

// verifyProof checks a proof. Faults are *faultError.
func verifyProof(r io.Reader, opts *Options, report *Report) error {
	text, err := io.ReadAll(io.LimitReader(r, MaxProof+1))
	if err != nil {
		return err
	}
	if len(text) > MaxProof {
		return &faultError{Fault{What: fmt.Sprintf("neither an export nor a proof: longer than %d bytes", MaxProof)}}
	}
	var head struct {
		Format string `json:"format"`
	}
	if json.Unmarshal(text, &head) != nil || head.Format != proofFormat {
		return &faultError{Fault{What: fmt.Sprintf("neither an export nor a proof that this Regie reads (%s, %s)", exportFormat, proofFormat)}}
	}
	report.Kind = KindProof
	var p Proof
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return &faultError{Fault{What: errForm.Error()}}
	}
	compact.WriteByte('\n')
	if decode(compact.Bytes(), &p) != nil {
		return &faultError{Fault{What: errForm.Error()}}
	}
	v := proofVerifier{opts: opts, report: report, proof: &p}
	return v.run()
}

type proofVerifier struct {
	opts   *Options
	report *Report
	proof  *Proof
	signed audit.Checkpoint
}

func (v *proofVerifier) run() error {
	p := v.proof
	v.report.Origin = p.Origin
	if p.Key != v.opts.Key.String() || p.Origin != v.opts.Key.Origin() {
		return &faultError{Fault{What: fmt.Sprintf("it is of the log %q with the key %s, and the key given is %s", p.Origin, p.Key, v.opts.Key)}}
	}
	var err error
	if v.signed, err = open([]byte(p.Checkpoint), v.opts.Key); err != nil {
		return &faultError{Fault{What: err.Error()}}
	}
	v.report.Size, v.report.Checkpoints = uint64(v.signed.Size), 1
	switch {
	case p.Entry != nil && p.Run == "" && p.Records == nil:
		err = v.entry(p.Entry)
	case p.Entry == nil && p.Run != "" && len(p.Records) > 0:
		err = v.records()
	default:
		err = &faultError{Fault{What: "it proves neither an entry nor a run"}}
	}
	if err != nil {
		return err
	}
	return v.compare()
}

// entry checks a proof of an entry.
func (v *proofVerifier) entry(p *ProvenEntry) error {
	e, hash, err := p.entry(p.Path.At)
	if err != nil {
		return v.bad(&p.Path, "%v", err)
	}
	if e.Forgotten != 0 {
		return v.bad(&p.Path, "the text of entry %d was taken out by batch %d: nothing is left to be proven", p.Entry, e.Forgotten)
	}
	leaf, err := v.path(&p.Path, hash)
	if err != nil {
		return err
	}
	// Entries are the last items: the place says which one it is.
	if p.Batch != leaf.Sequence || uint64(p.Path.Index)+uint64(leaf.Entries) != uint64(leaf.Records)+uint64(leaf.Items)+uint64(p.proven()) {
		return v.bad(&p.Path, "it does not have the entry %d/%d in that place", p.Batch, p.proven())
	}
	v.report.Entry, v.report.Entries = &e, 1
	v.report.FirstAt, v.report.LastAt = leaf.At, leaf.At
	return nil
}

// proven is the number of the entry in its batch.
func (p *ProvenEntry) proven() uint32 { return p.Entry }

// records checks a proof of the records of one run.
func (v *proofVerifier) records() error {
	next, batch := uint64(1), uint64(0)
	for i := range v.proof.Records {
		r := &v.proof.Records[i]
		control := r.Binary
		if r.Control != "" {
			if control = []byte(r.Control); r.Binary != nil {
				return v.bad(&r.Path, "%v", errForm)
			}
		}
		if r.First != next || r.Count == 0 || r.First+r.Count < r.First || r.Path.Batch <= batch {
			return v.bad(&r.Path, "%d events from %d stand where event %d must, in a batch after %d", r.Count, r.First, next, batch)
		}
		if len(r.Commitment) != len(audit.Hash{}) {
			return v.bad(&r.Path, "%v", errForm)
		}
		head := audit.AppendRecord(nil, v.proof.Run, r.First, r.Count, control)
		leaf, err := v.path(&r.Path, audit.RecordHash(head, audit.Hash(r.Commitment)))
		if err != nil {
			return err
		}
		if r.Path.Index >= leaf.Records {
			return v.bad(&r.Path, "hash %d is not one of a record", r.Path.Index)
		}
		if v.report.FirstAt.IsZero() {
			v.report.FirstAt = leaf.At
		}
		v.report.LastAt = leaf.At
		v.report.Records++
		next, batch = r.First+r.Count, leaf.Sequence
	}
	v.report.Run, v.report.Events = v.proof.Run, next-1
	v.report.Limits = append(v.report.Limits,
		fmt.Sprintf("whether run %s has events after %d", v.report.Run, v.report.Events),
		"the values that the events refer to: the proof has their commitments only")
	return nil
}

// path checks that a path leads from the hash to the checkpoint.
func (v *proofVerifier) path(p *Path, hash audit.Hash) (audit.Leaf, error) {
	inBatch, err := split(nil, p.InBatch)
	inLog, err2 := split(nil, p.InLog)
	if err := errors.Join(err, err2); err != nil || len(p.Root) != len(audit.Hash{}) || !sound(p.At) {
		return audit.Leaf{}, v.bad(p, "%v", errForm)
	}
	leaf := audit.Leaf{
		Sequence: p.Batch, Incarnation: p.Incarnation, At: p.At, Records: p.Records, Items: p.Items,
		Objects: p.Objects, Entries: p.Entries, Root: audit.Hash(p.Root),
	}
	if p.Batch == 0 || p.Batch > uint64(v.signed.Size) {
		return leaf, v.bad(p, "the checkpoint covers %d batches", v.signed.Size)
	}
	proof := audit.Proof{Leaf: leaf.Data(), Index: p.Index, InBatch: inBatch, Size: v.signed.Size, InLog: inLog}
	if _, err := proof.Check(hash, v.signed.Root); err != nil {
		return leaf, v.bad(p, "%v", err)
	}
	return leaf, nil
}

// compare compares the checkpoint with those that were kept elsewhere.
func (v *proofVerifier) compare() error {
	r := v.report
	for _, k := range v.opts.Kept {
		if k.Size != r.Size {
			continue
		}
		if k.Root != v.signed.Root {
			return &faultError{Fault{First: 1, Last: r.Size, What: fmt.Sprintf(
				"one of them is not what it was when %s was kept: the log was rewritten, or is another one", k.Name)}}
		}
		r.Compared++
	}
	switch {
	case r.Compared > 0:
	case len(v.opts.Kept) > 0:
		return &faultError{Fault{What: fmt.Sprintf("no checkpoint that was kept elsewhere covers the same %d batches: compare an export with them", r.Size)}}
	default:
		r.Limits = append(r.Limits, "whether somebody who has the private key wrote another log as well: only a checkpoint that was kept elsewhere tells (--checkpoint)")
	}
	return nil
}

func (v *proofVerifier) bad(p *Path, format string, args ...any) error {
	return &faultError{Fault{First: p.Batch, Last: p.Batch, What: fmt.Sprintf(format, args...)}}
}
