package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/registry"
)

// KeyRetention is how long an idempotency key names its answer.
const KeyRetention = 30 * 24 * time.Hour

// MaxKey is the length of the longest idempotency key, in bytes.
const MaxKey = 255

// MaxAnswer is the size in bytes of the largest answer that is kept whole.
const MaxAnswer = 1 << 20

// errKeyConflict: the key was used with another request.
var errKeyConflict = errors.New("idempotency key was used with another request")

// errKeyTaken: another request with the key was done in between.
var errKeyTaken = errors.New("idempotency key is taken")

// answered is a request with an idempotency key that was done. Runs have keys of
// their own, in the store.
type answered struct {
	Request string `json:"request"` // SHA-256 of method and message
	// Name is that of the first object that the request wrote.
	Name string `json:"name,omitempty"`
	// Answer is the answer, in the binary form of its message, where it is kept.
	Answer  []byte    `json:"answer,omitempty"`
	Expires time.Time `json:"expires"`
}

// keyed is a request with an idempotency key. Keys of different users have
// nothing to do with each other.
type keyed struct {
	name    string // of the key's object
	request string // what the request is known by
	// answer is what is kept of the answer, asked for within the transaction;
	// nil: nothing is.
	answer func() proto.Message
}

// keyOf reads the key of a request; nil if it has none. What must not be kept,
// also not as a hash that could be guessed from, is not in the message.
func keyOf(ctx context.Context, method, key string, m proto.Message) (*keyed, error) {
	if key == "" {
		return nil, nil
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	body, err := canonical(m)
	if err != nil {
		return nil, failure(err)
	}
	return &keyed{name: hashOf(identityOf(ctx).User + "\x00" + key), request: hashOf(method + "\x00" + string(body))}, nil
}

func checkKey(key string) error {
	if len(key) > MaxKey || !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return invalid("idempotency_key", "it is longer than %d bytes, or not text", MaxKey)
	}
	return nil
}

// canonical is a request as bytes that are equal for equal requests.
func canonical(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// done finds what was done with a key before. An error says that it was another
// request.
func (a *API) done(k *keyed) (*registry.Item[answered], error) {
	known, ok := a.keys.Item("", k.name)
	switch {
	case !ok || !known.Value.Expires.After(a.cfg.Now()):
		return nil, nil
	case known.Value.Request != k.request:
		return nil, failure(errKeyConflict)
	}
	return &known, nil
}

// once has do called, unless a request with the same key was done before, which
// is returned. The transaction that do makes with its context remembers the key.
// Without a key it is just called. The error is that of do, as it is.
func (a *API) once(ctx context.Context, k *keyed, do func(ctx context.Context) error) (*registry.Item[answered], error) {
	if k == nil {
		return nil, do(ctx)
	}
	before, err := a.done(k)
	if before != nil || err != nil {
		return before, err
	}
	mine := false
	err = do(registry.Also(ctx, func(tx *registry.Tx) error {
		if before, err := a.done(k); !mine && (before != nil || err != nil) {
			return errKeyTaken
		}
		mine = true
		return a.remember(tx, k)
	}))
	if err == nil {
		return nil, nil
	}
	// Whoever came second may be told that the thing is there already, before
	// the key is looked at.
	if before, conflict := a.done(k); before != nil || conflict != nil {
		return before, conflict
	}
	return nil, err
}

// remember puts the key into a transaction.
func (a *API) remember(tx *registry.Tx, k *keyed) error {
	done := answered{Request: k.request, Expires: a.cfg.Now().Add(KeyRetention)}
	if written := tx.Names(); len(written) > 0 {
		done.Name = written[0]
	}
	if k.answer != nil {
		var err error
		if done.Answer, err = proto.Marshal(kept(k.answer())); err != nil {
			return err
		}
	}
	a.keys.Put(tx, "", k.name, done)
	return nil
}

// keptMessage is how many bytes of a message are kept of an answer that is too
// large.
const keptMessage = 500

// kept is what is kept of an answer for its idempotency key: all of it, unless
// that is too much. Then lines that differ, steps that were acted on, and the
// ends of messages are left out.
func kept(answer proto.Message) proto.Message {
	if proto.Size(answer) <= MaxAnswer {
		return answer
	}
	switch m := proto.Clone(answer).(type) {
	case *regiev1.ApplyResponse:
		for _, c := range m.GetChanges() {
			c.Differences = nil
		}
		return m
	case *regiev1.ActResponse:
		for _, r := range m.GetResults() {
			r.Steps = nil
			if len(r.GetMessage()) > keptMessage {
				r.Message = strings.ToValidUTF8(r.GetMessage()[:keptMessage], "") + " …"
			}
		}
		return m
	}
	return answer
}

// alone keeps others with the same key waiting until the returned function is
// called.
func (a *API) alone(ctx context.Context, k *keyed) (end func(), err error) {
	for {
		a.mu.Lock()
		busy, ok := a.acting[k.name]
		if !ok {
			ended := make(chan struct{})
			a.acting[k.name] = ended
			a.mu.Unlock()
			return func() {
				a.mu.Lock()
				defer a.mu.Unlock()
				delete(a.acting, k.name)
				close(ended)
			}, nil
		}
		a.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, failure(ctx.Err())
		}
	}
}

// prunePerWrite bounds how many expired keys one call of Prune removes.
const prunePerWrite = 500

// Prune forgets the answers of keys that have expired, and says whether there
// are more.
func (a *API) Prune(ctx context.Context) (more bool, err error) {
	now, removed := a.cfg.Now(), 0
	_, err = a.cfg.Registry.Update(ctx, func(tx *registry.Tx) error {
		removed = 0
		for _, item := range a.keys.All() {
			if removed < prunePerWrite && !item.Value.Expires.After(now) {
				a.keys.Delete(tx, "", item.Name)
				removed++
			}
		}
		return nil
	})
	return removed == prunePerWrite, err
}
