package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Names of the formats.
const (
	exportFormat = "regie-audit-export/1"
	proofFormat  = "regie-audit-proof/1"
)

// MaxLine is the length of the longest line of an export in bytes.
const MaxLine = 64 << 20

// errForm: what was read is not what would be written.
var errForm = errors.New("not in the form in which it was written")

// headerLine begins an export.
type headerLine struct {
	Format string `json:"format"`
	Origin string `json:"origin"`
	Key    string `json:"key"`
	From   uint64 `json:"from"`
	Size   uint64 `json:"size"`
	Edge   []byte `json:"edge,omitempty"`
}

// batchLine is one batch.
type batchLine struct {
	Batch       uint64    `json:"batch"`
	Incarnation uint64    `json:"incarnation"`
	At          time.Time `json:"at"`
	Objects     uint32    `json:"objects,omitempty"`
	Entries     uint32    `json:"entries,omitempty"`
	Records     []byte    `json:"records,omitempty"`
	Items       []byte    `json:"items,omitempty"`
	Leaf        []byte    `json:"leaf"`
}

// entryLine is an entry, in an export and in a proof.
type entryLine struct {
	Entry     uint32 `json:"entry"`
	Batch     uint64 `json:"batch"`
	Forgotten uint64 `json:"forgotten,omitempty"`
	Salt      []byte `json:"salt,omitempty"`
	Actor     string `json:"actor,omitempty"`
	Via       string `json:"via,omitempty"`
	Action    string `json:"action,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Object    string `json:"object,omitempty"`
	Outcome   string `json:"outcome,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Request   string `json:"request,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// checkpointLine is a signed checkpoint.
type checkpointLine struct {
	Checkpoint string `json:"checkpoint"`
}

// encode writes a line, with its end.
func encode(line any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decode reads a line, and refuses it if encode would write other bytes.
func decode(text []byte, line any) error {
	if err := json.Unmarshal(text, line); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	again, err := encode(line)
	if err != nil || !bytes.Equal(again, text) {
		return errForm
	}
	return nil
}

// join puts hashes behind each other.
func join(hashes []audit.Hash) []byte {
	out := make([]byte, 0, len(hashes)*len(audit.Hash{}))
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// split takes hashes apart.
func split(dst []audit.Hash, data []byte) ([]audit.Hash, error) {
	const size = len(audit.Hash{})
	if len(data)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of hashes", len(data))
	}
	for ; len(data) > 0; data = data[size:] {
		dst = append(dst, audit.Hash(data[:size]))
	}
	return dst, nil
}

// sound reports whether a time is as the log keeps times.
func sound(t time.Time) bool { return t.Equal(store.Time(t)) && !t.IsZero() }

// newEntryLine writes an entry down.
func newEntryLine(e *store.Entry, salt [audit.SaltSize]byte) entryLine {
	line := entryLine{Entry: e.ID.Position, Batch: e.ID.Batch, Forgotten: e.Forgotten}
	if e.Forgotten != 0 {
		return line
	}
	line.Salt, line.Detail = salt[:], string(e.Detail)
	line.Actor, line.Via, line.Action, line.Namespace = e.Actor, e.Via, e.Action, e.Namespace
	line.Object, line.Outcome, line.Reason, line.Request = e.Object, e.Outcome, e.Reason, e.Request
	return line
}

// entry reads an entry of a batch of the time, with the hash that its batch must
// have of it. That of an entry whose text was taken out is not known.
func (l *entryLine) entry(at time.Time) (e store.Entry, hash audit.Hash, err error) {
	e = store.Entry{
		ID: store.EntryID{Batch: l.Batch, Position: l.Entry}, At: at, Forgotten: l.Forgotten,
		Actor: l.Actor, Via: l.Via, Action: l.Action, Namespace: l.Namespace, Object: l.Object,
		Outcome: l.Outcome, Reason: l.Reason, Request: l.Request,
	}
	if l.Detail != "" {
		e.Detail = []byte(l.Detail)
	}
	if l.Forgotten != 0 {
		bare := newEntryLine(&e, [audit.SaltSize]byte{})
		if again, err := encode(l); err != nil || !equalLine(again, bare) {
			return e, hash, fmt.Errorf("%w: its text was taken out, but there is text", errForm)
		}
		return e, hash, nil
	}
	if len(l.Salt) != audit.SaltSize {
		return e, hash, fmt.Errorf("%w: a salt of %d bytes", errForm, len(l.Salt))
	}
	hash = e.ItemHash([audit.SaltSize]byte(l.Salt))
	return e, hash, nil
}

func equalLine(text []byte, line any) bool {
	again, err := encode(line)
	return err == nil && bytes.Equal(text, again)
}
