package access

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/regie-dev/regie/internal/store"
)

// DenialsPerMinute is how many refusals of one actor, of which somebody unknown
// is one, are recorded one by one; those beyond it are counted, and recorded as
// one entry when the minute is over.
const DenialsPerMinute = 10

// maxEntryText is how much of each text is recorded, in bytes: callers choose
// some of it.
const maxEntryText = 300

// Act is something that was done, or refused, for the audit log.
type Act struct {
	Action    string // such as run.start
	Namespace string // empty: the installation
	Object    string // such as run/ID; may be empty
	Reason    string // of the actor, or of a refusal
	// Detail is what else is worth knowing, never a secret. The address of the
	// peer is added.
	Detail map[string]any
}

// Done is the entry of something that the identity did.
func (id Identity) Done(a Act) store.Entry { return id.entry("done", a) }

func (id Identity) entry(outcome string, a Act) store.Entry {
	e := store.Entry{
		Actor: id.Actor(), Via: id.Via, Action: fit(a.Action), Namespace: fit(a.Namespace), Object: fit(a.Object),
		Outcome: outcome, Reason: fit(a.Reason), Request: fit(id.Request),
	}
	detail := maps.Clone(a.Detail)
	if id.Remote.IsValid() {
		if detail == nil {
			detail = map[string]any{}
		}
		detail["remote"] = id.Remote.String()
	}
	if len(detail) > 0 {
		var err error
		if e.Detail, err = json.Marshal(detail); err != nil || len(e.Detail) > store.MaxDetail {
			e.Detail = fmt.Appendf(nil, `{"left_out":%d}`, len(e.Detail)) // too large to keep
		}
	}
	return e
}

// fit makes a text one that the store takes, of bounded length.
func fit(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, text)
	if len(text) <= maxEntryText {
		return text
	}
	return strings.ToValidUTF8(text[:maxEntryText], "") + "…"
}

// denials counts refusals by actor.
type denials struct {
	mu     sync.Mutex
	counts map[string]*denialCount
	// left are entries of complete counts that could not be recorded.
	left []store.Entry
}

// denialCount is the refusals of one actor in the minute after since.
type denialCount struct {
	since          time.Time
	recorded, more int
}

func (c *denialCount) over(now time.Time) bool {
	return now.Sub(c.since) >= time.Minute || now.Before(c.since)
}

// Denied records that the identity was kept from something, and returns once
// that is durable. Refusals beyond [DenialsPerMinute] are only counted, so that
// nobody fills the disk with them.
func (s *Service) Denied(ctx context.Context, id Identity, a Act) error {
	entry := id.entry("denied", a)
	counts, one := s.denials.admit(entry.Actor, s.now())
	entries := counts
	if one {
		entries = append(slices.Clone(counts), entry)
	}
	if len(entries) == 0 {
		return nil
	}
	_, err := s.registry.Record(ctx, entries...)
	if err != nil {
		s.denials.keep(counts)
	}
	return err
}

// keep takes entries back that may not have been recorded: better twice than not
// at all.
func (d *denials) keep(entries []store.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = append(d.left, entries...)
}

// admit counts a refusal. One says that it is recorded by itself, the entries
// are those of counts that are complete.
func (d *denials) admit(actor string, now time.Time) (entries []store.Entry, one bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.counts[actor]
	if c != nil && c.over(now) {
		entries = c.summary(actor)
		c = nil
	}
	if c == nil {
		c = &denialCount{since: now}
		d.counts[actor] = c
	}
	if c.recorded == DenialsPerMinute {
		c.more++
		return entries, false
	}
	c.recorded++
	return entries, true
}

// complete returns the entries of counts whose minute is over, or of all. Who
// cannot record them gives them back to keep.
func (d *denials) complete(now time.Time, all bool) []store.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := d.left
	d.left = nil
	for _, actor := range slices.Sorted(maps.Keys(d.counts)) {
		if c := d.counts[actor]; all || c.over(now) {
			entries = append(entries, c.summary(actor)...)
			delete(d.counts, actor)
		}
	}
	return entries
}

func (c *denialCount) summary(actor string) []store.Entry {
	if c.more == 0 {
		return nil
	}
	return []store.Entry{{
		Actor: actor, Action: "denied", Outcome: "denied",
		Reason: fmt.Sprintf("%d more were refused within a minute", c.more),
		Detail: fmt.Appendf(nil, `{"count":%d,"since":%q}`, c.more, c.since.Format(time.RFC3339)),
	}}
}
