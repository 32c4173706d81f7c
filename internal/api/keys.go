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

	"github.com/regie-dev/regie/internal/registry"
)

// KeyRetention is how long an idempotency key names its answer.
const KeyRetention = 30 * 24 * time.Hour

// MaxKey is the length of the longest idempotency key, in bytes.
const MaxKey = 255

// errKeyConflict: the key was used with another request.
var errKeyConflict = errors.New("idempotency key was used with another request")

// answered is a request with an idempotency key that was done. Runs have keys of
// their own, in the store.
type answered struct {
	Request string `json:"request"` // SHA-256 of method, caller and message
	// Name is that of the first object that the request wrote.
	Name    string    `json:"name"`
	Expires time.Time `json:"expires"`
}

// once lets a request with an idempotency key be done once: if it was done
// before, it returns what it wrote; else a context with which the transaction of
// the change remembers the key.
func (a *API) once(ctx context.Context, method, key string, req proto.Message) (context.Context, *answered, error) {
	if key == "" {
		return ctx, nil, nil
	}
	if len(key) > MaxKey || !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return ctx, nil, invalid("idempotency_key", "it is longer than %d bytes, or not text", MaxKey)
	}
	body, err := canonical(req)
	if err != nil {
		return ctx, nil, failure(err)
	}
	who := identityOf(ctx).User
	request := hex.EncodeToString(hashOf(method + "\x00" + who + "\x00" + string(body)))
	name := hex.EncodeToString(hashOf(who + "\x00" + key))
	if known, ok := a.keys.Get("", name); ok && known.Expires.After(a.cfg.Now()) {
		if known.Request != request {
			return ctx, nil, failure(errKeyConflict)
		}
		return ctx, &known, nil
	}
	return registry.Also(ctx, func(tx *registry.Tx) {
		done := answered{Request: request, Expires: a.cfg.Now().Add(KeyRetention)}
		if written := tx.Names(); len(written) > 0 {
			done.Name = written[0]
		}
		a.keys.Put(tx, "", name, done)
	}), nil, nil
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
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
