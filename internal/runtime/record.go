package runtime

import (
	"context"
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/store"
)

// Write asks for objects, entries and programs to be committed, all in one
// batch.
type Write struct {
	Programs []store.Program
	Objects  []store.Object
	Entries  []store.Entry
	Caller   Caller
}

func (Write) message() {}

// entry is a line of the audit log that waits in a batch, of a run, or of a
// write, whose caller it then has.
type entry struct {
	store.Entry

	run    store.RunID
	caller Caller
}

// write is a Write that waits in a batch.
type write struct {
	objects []store.Object
	caller  Caller
}

// Write commits objects and entries in one batch and returns its sequence, once
// it is durable. Errors: store.ErrInvalid and *store.RevisionError, after which
// nothing was written; ErrBusy, ErrStopping; ErrUnknown, and the error of ctx,
// mean that it may have been.
func (s *Service) Write(ctx context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	alone := store.Batch{Sequence: 1, Incarnation: 1, At: s.clock.Now(), Objects: objects, Entries: entries}
	if err := alone.Check(); err != nil {
		return 0, fmt.Errorf("write objects: %w", err)
	}
	reply, err := s.call(ctx, func(c Caller) Message {
		return Write{Objects: slices.Clone(objects), Entries: slices.Clone(entries), Caller: c}
	})
	return reply.Position, err
}

// StorePrograms stores programs that are not there yet, and returns once they
// are durable. Errors: those of Write.
func (s *Service) StorePrograms(ctx context.Context, programs ...store.Program) error {
	if len(programs) == 0 {
		return nil
	}
	alone := store.Batch{Sequence: 1, Incarnation: 1, At: s.clock.Now(), Programs: programs}
	if err := alone.Check(); err != nil {
		return fmt.Errorf("store programs: %w", err)
	}
	_, err := s.call(ctx, func(c Caller) Message {
		return Write{Programs: slices.Clone(programs), Caller: c}
	})
	return err
}

// write puts objects and entries into the batch. Of an object that is in the
// batch already the second revision has to wait, as would one that the store
// refuses.
func (r *Reactor) write(m Write) {
	for i := range m.Objects {
		o := &m.Objects[i]
		if have, there := r.building.revision(o.ObjectID); there {
			r.reply(Reply{Caller: m.Caller, Err: &store.RevisionError{ID: o.ObjectID, Have: have, Want: o.Revision}})
			return
		}
	}
	b := r.building
	for _, p := range m.Programs {
		r.addProgram(p)
	}
	if len(m.Objects) > 0 {
		b.writes = append(b.writes, write{objects: m.Objects, caller: m.Caller})
	}
	for i := range m.Entries {
		b.entries = append(b.entries, entry{Entry: m.Entries[i], caller: m.Caller})
	}
	b.events += len(m.Objects) + len(m.Entries)
	for i := range m.Objects {
		b.bytes += len(m.Objects[i].Data)
	}
	b.after("", Reply{Caller: m.Caller})
}

// addProgram puts a program into the batch unless it is there or stored.
func (r *Reactor) addProgram(p store.Program) {
	b := r.building
	if !r.programs[p.Hash] && !slices.ContainsFunc(b.programs, func(q store.Program) bool { return q.Hash == p.Hash }) {
		b.programs = append(b.programs, p)
		b.bytes += len(p.Data)
	}
}

// revision finds an object in the batch.
func (b *batch) revision(id store.ObjectID) (uint64, bool) {
	for _, w := range b.writes {
		for i := range w.objects {
			if w.objects[i].ObjectID == id {
				return w.objects[i].Revision, true
			}
		}
	}
	return 0, false
}

// note adds entries about a run to the batch.
func (b *batch) note(run store.RunID, entries []store.Entry) {
	for i := range entries {
		b.entries = append(b.entries, entry{Entry: entries[i], run: run})
	}
}

// sealWrites adds objects and entries to what is sent to the store.
func (b *batch) sealWrites(sealed *store.Batch) {
	for _, w := range b.writes {
		sealed.Objects = append(sealed.Objects, w.objects...)
	}
	sealed.Objects = append(sealed.Objects, b.gate...)
	for i := range b.entries {
		sealed.Entries = append(sealed.Entries, b.entries[i].Entry)
	}
}

// revisionRefused takes the write out of the batch in flight whose object does
// not follow the stored one; an object of the gate goes on after its deletion.
func (r *Reactor) revisionRefused(refused *store.RevisionError) {
	b := r.inflight
	if r.followDeletion(refused) {
		r.resend()
		return
	}
	at := slices.IndexFunc(b.writes, func(w write) bool {
		return slices.ContainsFunc(w.objects, func(o store.Object) bool { return o.ObjectID == refused.ID })
	})
	if at < 0 {
		r.halt(fmt.Errorf("%w: %w, which nobody wrote in batch %d", errUntrusted, refused, b.sequence), true)
		return
	}
	caller := b.writes[at].caller
	b.writes = slices.Delete(b.writes, at, at+1)
	b.entries = slices.DeleteFunc(b.entries, func(e entry) bool { return caller != 0 && e.caller == caller })
	b.out = slices.DeleteFunc(b.out, func(o output) bool {
		waiting, ok := o.effect.(Reply)
		return ok && caller != 0 && waiting.Caller == caller
	})
	r.reply(Reply{Caller: caller, Err: refused})
	r.resend()
}
