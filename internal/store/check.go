package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what a batch may hold.
const (
	// MaxID is the length of the longest run ID in bytes.
	MaxID = 128
	// MaxText is the length of the longest other text (namespace, workflow,
	// reason, idempotency key) in bytes.
	MaxText = 1024
	// MaxRecord is the size of the largest record, control and payload
	// together, and of the largest program, in bytes. Larger values belong in
	// the blob store.
	MaxRecord = 64 << 20
	// MaxKind is the length of the longest kind of an object in bytes.
	MaxKind = 64
	// MaxObject is the size of the largest object's data in bytes.
	MaxObject = 16 << 20
	// MaxDetail is the size of the largest entry's detail in bytes.
	MaxDetail = 64 << 10
	// MaxYear is the last year that a time may lie in; the first is 1970.
	MaxYear = 9999
)

// validState reports whether it is one of the states of a run.
func validState(state string) bool {
	switch state {
	case "pending", "queued", "running", "waiting", "succeeded", "failed", "canceled", "skipped":
		return true
	default:
		return false
	}
}

// Ended reports whether the run is in a final state.
func (r *RunRow) Ended() bool {
	switch r.State {
	case "succeeded", "failed", "canceled", "skipped":
		return true
	default:
		return false
	}
}

// Valid reports whether the ID follows the grammar of run IDs.
func (id RunID) Valid() bool {
	if id == "" || len(id) > MaxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return true
}

// Time is the time as it is stored: UTC, to the microsecond, the zero time as
// it is.
func Time(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// TimerTime is the time of a timer as it is stored: UTC, rounded up to the
// microsecond.
func TimerTime(t time.Time) time.Time {
	return Time(t.Add(time.Microsecond - time.Nanosecond))
}

// Check returns ErrInvalid, wrapped, when the batch cannot be stored anywhere:
// a name, time, state or size out of bounds, an end without a final state, the
// same run, key, timer or object twice, a program whose hash is not that of its
// data. Implementations call it first.
func (b *Batch) Check() error {
	for _, check := range []func() error{b.checkHead, b.checkRecords, b.checkRuns, b.checkKeys, b.checkTimers, b.checkObjects, b.checkEntries} {
		if err := check(); err != nil {
			return fmt.Errorf("%w: batch %d: %w", ErrInvalid, b.Sequence, err)
		}
	}
	return nil
}

func (b *Batch) checkHead() error {
	switch {
	case b.Sequence == 0 || b.Sequence > math.MaxInt64:
		return fmt.Errorf("sequence %d", b.Sequence)
	case b.Incarnation == 0 || b.Incarnation > math.MaxInt64:
		return fmt.Errorf("incarnation %d", b.Incarnation)
	case b.At.IsZero():
		return errors.New("it has no time")
	}
	for i, p := range b.Programs {
		if len(p.Data) > MaxRecord {
			return fmt.Errorf("program %d has %d bytes, more than %d", i, len(p.Data), MaxRecord)
		}
		if sha256.Sum256(p.Data) != p.Hash {
			return fmt.Errorf("program %d: %x is not the hash of its data", i, p.Hash)
		}
	}
	return checkTime("the batch", b.At)
}

func (b *Batch) checkRecords() error {
	seen := make(map[RunID]struct{}, len(b.Records)+len(b.Erase)+len(b.Prune))
	for i := range b.Records {
		r := &b.Records[i]
		if err := checkRun(r.Run, seen); err != nil {
			return err
		}
		if r.First == 0 || r.Count == 0 || r.First > math.MaxInt64 || r.Count > math.MaxInt64-r.First {
			return fmt.Errorf("record of run %s: %d events from %d", r.Run, r.Count, r.First)
		}
		if size := len(r.Control) + len(r.Payload); size > MaxRecord {
			return fmt.Errorf("record of run %s has %d bytes, more than %d", r.Run, size, MaxRecord)
		}
	}
	for _, id := range b.Erase {
		if err := checkRun(id, seen); err != nil {
			return err
		}
	}
	for i := range b.Prune {
		p := &b.Prune[i]
		if err := checkRun(p.Run, seen); err != nil {
			return err
		}
		last := uint64(0)
		for _, batch := range p.Batches {
			if batch <= last || batch >= b.Sequence {
				return fmt.Errorf("run %s to prune: batch %d does not follow %d, or is not an earlier one", p.Run, batch, last)
			}
			last = batch
		}
		if last == 0 {
			return fmt.Errorf("run %s to prune has no batches", p.Run)
		}
	}
	return nil
}

func (b *Batch) checkRuns() error {
	seen := make(map[RunID]struct{}, len(b.Runs)+len(b.Prune))
	for i := range b.Prune {
		seen[b.Prune[i].Run] = struct{}{}
	}
	for i := range b.Runs {
		r := &b.Runs[i]
		if err := checkRun(r.ID, seen); err != nil {
			return err
		}
		if !validState(r.State) {
			return fmt.Errorf("run %s: %q is not a state", r.ID, r.State)
		}
		if r.Ended() == r.EndedAt.IsZero() {
			return fmt.Errorf("run %s is %s, and its end is %q", r.ID, r.State, r.EndedAt)
		}
		for _, text := range []string{r.Namespace, r.Workflow, r.Reason, r.BusinessDate, r.Actor, r.Trigger} {
			if err := checkText(text); err != nil {
				return fmt.Errorf("run %s: %w", r.ID, err)
			}
		}
		for _, at := range []time.Time{r.AcceptedAt, r.StartedAt, r.EndedAt, r.Due} {
			if err := checkTime("run "+string(r.ID), at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Batch) checkKeys() error {
	seen := make(map[[2]string]struct{}, len(b.Keys))
	for i := range b.Keys {
		k := &b.Keys[i]
		name := [2]string{k.Namespace, k.Key}
		if _, again := seen[name]; again || k.Key == "" {
			return fmt.Errorf("key %q/%q is empty or taken twice", k.Namespace, k.Key)
		}
		seen[name] = struct{}{}
		for _, text := range name {
			if err := checkText(text); err != nil {
				return fmt.Errorf("key %q/%q: %w", k.Namespace, k.Key, err)
			}
		}
		if !k.Run.Valid() {
			return fmt.Errorf("%q is not a run ID", k.Run)
		}
		if err := checkTime("key "+k.Key, k.Expires); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) checkTimers() error {
	seen := make(map[TimerID]struct{}, len(b.SetTimers)+len(b.ClearTimers))
	check := func(id TimerID) error {
		if _, again := seen[id]; again || !id.Run.Valid() || id.ID > math.MaxInt64 {
			return fmt.Errorf("timer %s/%d is not valid or stands twice", id.Run, id.ID)
		}
		seen[id] = struct{}{}
		return nil
	}
	for _, t := range b.SetTimers {
		if err := check(t.TimerID); err != nil {
			return err
		}
		if t.At.IsZero() {
			return fmt.Errorf("timer %s/%d has no time", t.Run, t.ID)
		}
		if err := checkTime("timer of "+string(t.Run), t.At); err != nil {
			return err
		}
	}
	for _, id := range b.ClearTimers {
		if err := check(id); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) checkObjects() error {
	seen := make(map[ObjectID]struct{}, len(b.Objects))
	for i := range b.Objects {
		o := &b.Objects[i]
		if _, again := seen[o.ObjectID]; again || !validKind(o.Kind) || o.Name == "" {
			return fmt.Errorf("object %q %q/%q is not valid or stands twice", o.Kind, o.Namespace, o.Name)
		}
		seen[o.ObjectID] = struct{}{}
		fault := errors.Join(checkText(o.Namespace), checkText(o.Name), checkLong(o.Data, MaxObject))
		switch {
		case o.Revision == 0 || o.Revision > math.MaxInt64:
			fault = fmt.Errorf("revision %d", o.Revision)
		case o.Deleted && (o.Revision == 1 || len(o.Data) > 0):
			fault = errors.New("a deletion is the first revision or has data")
		}
		if fault != nil {
			return fmt.Errorf("object %s %.40q/%.40q: %w", o.Kind, o.Namespace, o.Name, fault)
		}
	}
	return nil
}

func validKind(kind string) bool {
	for i := range len(kind) {
		if c := kind[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return kind != "" && len(kind) <= MaxKind
}

func (b *Batch) checkEntries() error {
	for i := range b.Entries {
		e := &b.Entries[i]
		fault := checkLong(e.Detail, MaxDetail)
		for _, text := range []string{e.Actor, e.Via, e.Action, e.Namespace, e.Object, e.Reason, e.Request} {
			fault = errors.Join(fault, checkText(text))
		}
		switch {
		case e.Actor == "" || e.Action == "":
			fault = errors.New("it has no actor or no action")
		case e.Outcome != "done" && e.Outcome != "denied" && e.Outcome != "failed":
			fault = fmt.Errorf("%q is not an outcome", e.Outcome)
		}
		if fault != nil {
			return fmt.Errorf("entry %d: %w", i, fault)
		}
	}
	seen := make(map[EntryID]struct{}, len(b.Forget))
	for _, id := range b.Forget {
		if _, again := seen[id]; again || id.Batch == 0 || id.Batch >= b.Sequence {
			return fmt.Errorf("entry %d/%d to forget is not of an earlier batch or stands twice", id.Batch, id.Position)
		}
		seen[id] = struct{}{}
	}
	return nil
}

// checkRun checks an ID that may stand once only.
func checkRun(id RunID, seen map[RunID]struct{}) error {
	if !id.Valid() {
		return fmt.Errorf("%q is not a run ID", id)
	}
	if _, again := seen[id]; again {
		return fmt.Errorf("run %s stands twice", id)
	}
	seen[id] = struct{}{}
	return nil
}

func checkText(s string) error {
	if len(s) > MaxText || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("text %.40q is too long, not UTF-8, or has a NUL", s)
	}
	return nil
}

// checkLong checks the text of an object or detail.
func checkLong(data []byte, limit int) error {
	if len(data) > limit || !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return fmt.Errorf("data of %d bytes is longer than %d, not UTF-8, or has a NUL", len(data), limit)
	}
	return nil
}

func checkTime(what string, t time.Time) error {
	if year := t.UTC().Year(); !t.IsZero() && (year < 1970 || year > MaxYear) {
		return fmt.Errorf("time of %s is in the year %d", what, year)
	}
	return nil
}
