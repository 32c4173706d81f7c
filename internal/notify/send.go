package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Times and bounds of sending.
const (
	// SendTimeout is how long one attempt to send a message may take.
	SendTimeout = time.Minute
	// FirstRetry is how long after a failure a message is sent again; each
	// further time takes twice as long, at most MaxRetry.
	FirstRetry = 5 * time.Second
	MaxRetry   = time.Hour
	// GiveUpAfter is how long after it was made a message is tried.
	GiveUpAfter = 24 * time.Hour
	// MaxSending is how many channels are sent to at once.
	MaxSending = 32
	// maxErrorText is the length of the longest error that is kept, in
	// characters.
	maxErrorText = 1000
)

// Outcome is what came of an attempt to send.
type Outcome string

// The outcomes.
const (
	OutcomeSent     Outcome = "sent"
	OutcomeRetried  Outcome = "retried"  // failed, to be sent again
	OutcomeFailed   Outcome = "failed"   // failed, and given up
	OutcomeSilenced Outcome = "silenced" // dropped by a silence
)

// channel is one of a namespace.
type channel struct{ namespace, name string }

// sending is what the loop knows of messages on their way.
type sending struct {
	busy    map[channel]bool // until what came of it is written
	results []result
	senders sync.WaitGroup
	context func() (context.Context, context.CancelFunc) // for one attempt
	cancel  context.CancelFunc
}

// result is what came of an attempt.
type result struct {
	place   place
	message string
	channel channel
	at      time.Time
	err     error
	cut     bool // the service was stopped
}

func (s *sending) init(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.busy = map[channel]bool{}
	s.context = func() (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, SendTimeout) }
}

// end gives up what is on its way.
func (s *sending) end() {
	s.cancel()
	s.senders.Wait()
}

// candidate is a message that waits to be sent.
type candidate struct {
	place    place
	delivery Delivery
}

func (c candidate) channel() channel { return channel{c.place.namespace, c.delivery.Channel} }

// candidates are the messages that come next, in the order of their times: of
// those about one alert to one channel the first.
func (s *Service) candidates() []candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []candidate
	for p, list := range s.index.pending {
		for i, d := range list {
			first := !slices.ContainsFunc(list[:i], func(e Delivery) bool { return e.Channel == d.Channel })
			if c := (candidate{p, d}); first && !s.sending.busy[c.channel()] {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(a.delivery.NextAt.Compare(b.delivery.NextAt), a.delivery.CreatedAt.Compare(b.delivery.CreatedAt),
			a.place.compare(b.place), cmp.Compare(a.delivery.Channel, b.delivery.Channel))
	})
	return out
}

// nextSend is when the next message is to be sent, zero if none is or all
// channels are busy.
func (s *Service) nextSend() time.Time {
	if list := s.candidates(); len(list) > 0 && len(s.sending.busy) < MaxSending {
		return list[0].delivery.NextAt
	}
	return time.Time{}
}

// send begins to send what is due.
func (s *Service) send(now time.Time) {
	for _, c := range s.candidates() {
		if c.delivery.NextAt.After(now) || len(s.sending.busy) >= MaxSending {
			return
		}
		to := c.channel()
		if s.sending.busy[to] {
			continue
		}
		a, there := s.cfg.Tables.Alerts.Get(c.place.namespace, c.place.id)
		if !there {
			continue
		}
		s.sending.busy[to] = true
		m := compose(&a, &c.delivery)
		s.clock.Begin()
		s.sending.senders.Go(func() {
			defer s.clock.End()
			ctx, cancel := s.sending.context()
			defer cancel()
			err := s.call(ctx, to.name, m)
			s.box.Post(result{
				place: c.place, message: m.ID, channel: to, at: store.Time(s.clock.Now()), err: err,
				cut: err != nil && errors.Is(ctx.Err(), context.Canceled),
			})
		})
	}
}

// call sends one message. What panics in it fails.
func (s *Service) call(ctx context.Context, channel string, m Message) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.ErrorContext(ctx, "sending an alert panicked", "channel", channel, "panic", fault)
			err = fmt.Errorf("defect in the channel %s: %v", channel, fault)
		}
	}()
	return s.cfg.Sender.Send(ctx, channel, m)
}

// record writes what came of attempts.
func (s *Service) record(ctx context.Context) error {
	if len(s.sending.results) == 0 {
		return nil
	}
	var outcomes []Outcome
	_, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
		outcomes = nil
		for i := range s.sending.results {
			if r := &s.sending.results[i]; !r.cut {
				outcomes = append(outcomes, d.sent(r)...)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, o := range outcomes {
		s.outcomes[o]++
	}
	s.mu.Unlock()
	for _, r := range s.sending.results {
		delete(s.sending.busy, r.channel)
	}
	s.sending.results = nil
	return nil
}

// sent takes in what came of an attempt.
func (d *draft) sent(r *result) []Outcome {
	a := d.at(r.place)
	if a == nil {
		return nil
	}
	i := slices.IndexFunc(a.Deliveries, func(m Delivery) bool { return m.ID == r.message })
	if i < 0 {
		return nil
	}
	m := &a.Deliveries[i]
	if m.State == Sent || m.State != Pending && r.err != nil || m.LastAt.Equal(r.at) {
		return nil // what came of it was written before, or does not matter any more
	}
	m.Attempts++
	m.LastAt, m.NextAt, m.Error = r.at, time.Time{}, ""
	if r.err == nil {
		m.State = Sent // also if a silence has dropped it on its way
		return []Outcome{OutcomeSent}
	}
	m.Error = oneLine(strings.ToValidUTF8(r.err.Error(), "?"), maxErrorText)
	next := r.at.Add(backoff(m.Attempts))
	if next.After(m.CreatedAt.Add(GiveUpAfter)) {
		m.State = DeliveryFailed
		return []Outcome{OutcomeFailed}
	}
	m.NextAt = next
	return []Outcome{OutcomeRetried}
}

// backoff is how long to wait after so many attempts.
func backoff(attempts uint32) time.Duration {
	wait := FirstRetry
	for ; attempts > 1 && wait < MaxRetry; attempts-- {
		wait *= 2
	}
	return min(wait, MaxRetry)
}
