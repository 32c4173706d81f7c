package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Verify checks an export or a proof, whichever it is. An export is read as a
// stream: memory holds a line, the kept checkpoints, and the places of entries
// whose text was taken out until the batch that did it is seen. What is wrong
// with the document stands in the report; the error is one of reading it.
func Verify(r io.Reader, opts Options) (*Report, error) {
	in := newLines(r)
	report := &Report{}
	var err error
	if head, _ := in.r.Peek(len(exportStart)); bytes.Equal(head, []byte(exportStart)) {
		report.Kind = KindExport
		opts.Kept = slices.SortedStableFunc(slices.Values(opts.Kept), func(a, b Kept) int { return int(int64(a.Size) - int64(b.Size)) })
		v := exportVerifier{opts: &opts, report: report, in: in, pending: map[uint64][]store.EntryID{}}
		err = v.run()
	} else {
		err = verifyProof(in.r, &opts, report)
	}
	var fault *faultError
	if errors.As(err, &fault) {
		report.Fault, report.Limits = &fault.Fault, nil
		return report, nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// exportStart begins every export.
const exportStart = `{"format":"regie-audit-export/`

// exportVerifier verifies an export.
type exportVerifier struct {
	opts   *Options
	report *Report
	in     *lines

	header headerLine
	edge   audit.Edge
	// signed is the size of the last checkpoint, compared that of the last kept
	// one, that the batches agree with.
	signed, compared uint64
	pending          map[uint64][]store.EntryID // whose text a batch to come takes out

	leaf   audit.Leaf // of the last batch
	hashes []audit.Hash
	items  []audit.Hash
	next   uint32 // entry of the last batch that must come next
}

func (v *exportVerifier) run() error {
	if err := v.begin(); err != nil {
		return err
	}
	for {
		line, err := v.in.next()
		switch {
		case errors.Is(err, io.EOF):
			return v.end()
		case errors.Is(err, errForm):
			return v.fault("%v", err)
		case err != nil:
			return err
		case bytes.HasPrefix(line, []byte(`{"batch":`)):
			err = v.batch(line)
		case bytes.HasPrefix(line, []byte(`{"entry":`)):
			err = v.entry(line)
		case bytes.HasPrefix(line, []byte(`{"checkpoint":`)):
			err = v.checkpoint(line)
		default:
			err = v.fault("not a batch, an entry or a checkpoint")
		}
		if err != nil {
			return err
		}
	}
}

// begin reads the first line.
func (v *exportVerifier) begin() error {
	line, err := v.in.next()
	if err != nil && !errors.Is(err, errForm) {
		return err
	}
	if err != nil || decode(line, &v.header) != nil {
		return v.document("it does not begin as an export does, or a newer Regie wrote it")
	}
	h := &v.header
	v.report.Origin, v.report.From = h.Origin, h.From
	switch {
	case h.Format != exportFormat:
		return v.document("its format is %q, and this Regie reads %q", h.Format, exportFormat)
	case h.Key != v.opts.Key.String() || h.Origin != v.opts.Key.Origin():
		return v.document("it is of the log %q with the key %s, and the key given is %s", h.Origin, h.Key, v.opts.Key)
	case h.Size > audit.MaxSize || h.From == 0 || h.From-1 > h.Size:
		return v.document("it says that it goes from batch %d to %d", h.From, h.Size)
	}
	nodes, err := split(nil, h.Edge)
	if err == nil {
		v.edge, err = audit.NewEdge(int64(h.From-1), nodes)
	}
	if err != nil {
		return v.document("%v", err)
	}
	v.signed, v.compared, v.report.Size = h.From-1, h.From-1, h.From-1
	for _, k := range v.opts.Kept {
		if k.Size < h.From-1 {
			return v.document("%s covers %d batches, but the export begins with batch %d: export from an earlier one", k.Name, k.Size, h.From)
		}
	}
	return v.compare()
}

// batch takes in a batch.
func (v *exportVerifier) batch(text []byte) error {
	if err := v.entriesSeen(); err != nil {
		return err
	}
	want := uint64(v.edge.Size()) + 1
	if want > v.header.Size {
		return v.fault("more batches than the %d that the export says", v.header.Size)
	}
	var line batchLine
	if err := decode(text, &line); err != nil {
		return v.bad(want, "%v", err)
	}
	if line.Batch != want {
		return v.bad(want, "batch %d stands in its place", line.Batch)
	}
	leaf, err := v.readBatch(&line)
	if err != nil {
		return v.bad(want, "%v", err)
	}
	latest := v.report.LastAt
	switch {
	case want > v.header.From && leaf.Incarnation < v.leaf.Incarnation:
		return v.bad(want, "incarnation %d follows %d", leaf.Incarnation, v.leaf.Incarnation)
	case latest.Sub(leaf.At) > v.opts.tolerance():
		return v.bad(want, "its time %s lies before %s of an earlier batch by more than %s", stamp(leaf.At), stamp(latest), v.opts.tolerance())
	}
	v.edge.Append(leaf.Hash())
	v.leaf, v.next = leaf, 0
	v.report.Size = want
	v.report.Records += uint64(leaf.Records)
	v.report.Items += uint64(leaf.Items)
	if v.report.FirstAt.IsZero() {
		v.report.FirstAt = leaf.At
	}
	if leaf.At.After(latest) {
		v.report.LastAt = leaf.At
	}
	if err := v.forgets(); err != nil {
		return err
	}
	return v.compare()
}

// readBatch computes the leaf of a batch again and checks it.
func (v *exportVerifier) readBatch(line *batchLine) (leaf audit.Leaf, err error) {
	records, err := split(v.hashes[:0], line.Records)
	if err != nil {
		return leaf, fmt.Errorf("records: %w", err)
	}
	if v.hashes, err = split(records, line.Items); err != nil {
		return leaf, fmt.Errorf("items: %w", err)
	}
	v.items = v.hashes[len(records):]
	leaf = audit.Leaf{
		Sequence: line.Batch, Incarnation: line.Incarnation, At: line.At, Objects: line.Objects, Entries: line.Entries,
		Records: uint32(len(records)), Items: uint32(len(v.items)), Root: audit.Root(v.hashes),
	}
	hash := leaf.Hash()
	switch {
	case !sound(line.At):
		return leaf, fmt.Errorf("%w: its time", errForm)
	case uint64(leaf.Objects)+uint64(leaf.Entries) > uint64(leaf.Items):
		return leaf, fmt.Errorf("%d objects and %d entries among %d items", leaf.Objects, leaf.Entries, leaf.Items)
	case leaf.Incarnation == 0 || !bytes.Equal(hash[:], line.Leaf):
		return leaf, errors.New("it is not what its leaf says")
	}
	return leaf, nil
}

// forgets checks that the batch took out the text of those entries that say so.
func (v *exportVerifier) forgets() error {
	sequence := v.leaf.Sequence
	for _, id := range v.pending[sequence] {
		if !slices.Contains(v.items, id.ForgetHash()) {
			return v.bad(id.Batch, "the text of entry %d was taken out, but not by batch %d as it says", id.Position, sequence)
		}
	}
	delete(v.pending, sequence)
	return nil
}

// entry takes in an entry of the last batch.
func (v *exportVerifier) entry(text []byte) error {
	var line entryLine
	if err := decode(text, &line); err != nil {
		return v.last("entry %d: %v", v.next, err)
	}
	if v.next >= v.leaf.Entries || line.Entry != v.next || line.Batch != v.leaf.Sequence {
		return v.last("entry %d of batch %d stands where entry %d must, of %d", line.Entry, line.Batch, v.next, v.leaf.Entries)
	}
	e, hash, err := line.entry(v.leaf.At)
	switch {
	case err != nil:
		return v.last("entry %d: %v", line.Entry, err)
	case e.Forgotten == 0 && hash != v.items[int(v.leaf.Items-v.leaf.Entries+line.Entry)]:
		return v.last("entry %d is not what the batch wrote", line.Entry)
	case e.Forgotten != 0 && (e.Forgotten <= v.leaf.Sequence || e.Forgotten > v.header.Size):
		return v.last("entry %d: its text was taken out by batch %d, which cannot be", line.Entry, e.Forgotten)
	}
	if e.Forgotten != 0 {
		v.pending[e.Forgotten] = append(v.pending[e.Forgotten], e.ID)
		v.report.Forgotten++
	}
	v.report.Entries++
	v.next++
	return nil
}

// entriesSeen checks that all entries of the last batch were there.
func (v *exportVerifier) entriesSeen() error {
	if v.next < v.leaf.Entries {
		return v.last("entry %d of %d is missing", v.next, v.leaf.Entries)
	}
	return nil
}

// checkpoint takes in a checkpoint behind the batches that it covers.
func (v *exportVerifier) checkpoint(text []byte) error {
	if err := v.entriesSeen(); err != nil {
		return err
	}
	_, c, err := OpenLine(text, v.opts.Key)
	size := uint64(v.edge.Size())
	switch {
	case err != nil:
		return v.fault("%v", err)
	case uint64(c.Size) != size:
		return v.bad(min(size+1, v.header.Size), "a checkpoint of %d batches stands behind batch %d", c.Size, size)
	case c.Root != v.edge.Root():
		return v.span(v.signed+1, size, "one of them is not what the checkpoint behind batch %d covers", size)
	}
	v.signed = size
	v.report.Checkpoints++
	return nil
}

// compare compares with the kept checkpoints of the size that is reached.
func (v *exportVerifier) compare() error {
	size := uint64(v.edge.Size())
	for v.report.Compared < len(v.opts.Kept) && v.opts.Kept[v.report.Compared].Size == size {
		if k := v.opts.Kept[v.report.Compared]; k.Root != v.edge.Root() {
			return v.span(v.compared+1, size, "one of them is not what it was when %s was kept, which covers %d: the log was rewritten, or is another one", k.Name, k.Size)
		}
		v.report.Compared++
		v.compared = size
	}
	return nil
}

// end checks that nothing is missing.
func (v *exportVerifier) end() error {
	if err := v.entriesSeen(); err != nil {
		return err
	}
	size := uint64(v.edge.Size())
	switch {
	case size < v.header.Size:
		return v.bad(size+1, "missing: the export ends after batch %d of %d", size, v.header.Size)
	case v.report.Checkpoints == 0 || v.signed != size:
		return v.span(v.signed+1, size, "no checkpoint covers them")
	case v.report.Compared < len(v.opts.Kept):
		k := v.opts.Kept[v.report.Compared]
		return v.bad(size+1, "missing: %s covers %d batches, but the export has %d: it is older, or the log was cut", k.Name, k.Size, size)
	}
	v.limits()
	return nil
}

// limits says what the export cannot tell.
func (v *exportVerifier) limits() {
	r := v.report
	if v.header.From > 1 {
		r.Limits = append(r.Limits, fmt.Sprintf("what is in batches 1 to %d, which the checkpoints cover", v.header.From-1))
	}
	switch {
	case r.Compared == 0:
		r.Limits = append(r.Limits, fmt.Sprintf("whether somebody who has the private key rewrote the log as a whole, or cut it after batch %d: "+
			"only a checkpoint that was kept elsewhere tells (--checkpoint)", r.Size))
	case v.compared < r.Size:
		r.Limits = append(r.Limits, fmt.Sprintf("whether somebody who has the private key rewrote batches %d to %d, "+
			"which came after the newest checkpoint that was kept elsewhere", v.compared+1, r.Size))
	}
	r.Limits = append(r.Limits, fmt.Sprintf("what happened after batch %d", r.Size))
	if r.Records > 0 {
		r.Limits = append(r.Limits, "the events of runs, of which it has hashes only: a proof of a run has them")
	}
}

// document is a fault of the document as a whole.
func (v *exportVerifier) document(format string, args ...any) error {
	return &faultError{Fault{Line: 1, What: fmt.Sprintf(format, args...)}}
}

// fault is one of a line that is of no batch.
func (v *exportVerifier) fault(format string, args ...any) error {
	return &faultError{Fault{Line: v.in.line, What: fmt.Sprintf(format, args...)}}
}

// last is a fault of the last batch, or before the first one.
func (v *exportVerifier) last(format string, args ...any) error {
	return v.span(v.leaf.Sequence, v.leaf.Sequence, format, args...)
}

// bad is a fault of a batch.
func (v *exportVerifier) bad(batch uint64, format string, args ...any) error {
	return v.span(batch, batch, format, args...)
}

func (v *exportVerifier) span(first, last uint64, format string, args ...any) error {
	return &faultError{Fault{Line: v.in.line, First: min(first, last), Last: last, What: fmt.Sprintf(format, args...)}}
}
