package sqlite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// KeySize is the length of the key-encryption key and of run keys in bytes.
const KeySize = 32

// Additional data that binds a sealed key to what it is for.
const (
	keyCheckTag = "regie/key-check/1\x00"
	runKeyTag   = "regie/run-key/1\x00"
)

const (
	nonceSize = 12
	tagSize   = 16
)

// keyCheckText is what the lease row holds, sealed with the key-encryption key.
const keyCheckText = "regie"

// newAEAD makes AES-256-GCM with the key.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length of the key is ours
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return aead
}

// random returns fresh random bytes; crypto/rand does not fail.
func random(b []byte) {
	_, _ = rand.Read(b)
}

// seal encrypts: nonce, ciphertext, tag.
func seal(aead cipher.AEAD, plain []byte, tag string) []byte {
	out := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	random(out)
	return aead.Seal(out, out, plain, []byte(tag))
}

var errSealed = errors.New("not sealed with this key")

// open decrypts what seal made.
func open(aead cipher.AEAD, sealed []byte, tag string) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, errSealed
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], []byte(tag))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// unwrap reads the key of a run.
func unwrap(kek cipher.AEAD, run store.RunID, wrapped []byte) (cipher.AEAD, error) {
	key, err := open(kek, wrapped, runKeyTag+string(run))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("%w: key of run %s", store.ErrCorrupt, run)
	}
	return newAEAD(key), nil
}

// sealPayload appends a payload, encrypted and bound to its record's head (see
// [audit.AppendRecord]): nonce, then encrypted salt and payload, then the tag.
// Scratch is memory to use again.
func sealPayload(dst []byte, aead cipher.AEAD, head, payload []byte, scratch *[]byte) ([]byte, audit.Hash) {
	var fresh [nonceSize + audit.SaltSize]byte
	random(fresh[:])
	nonce, salt := fresh[:nonceSize], [audit.SaltSize]byte(fresh[nonceSize:])
	*scratch = append(append((*scratch)[:0], salt[:]...), payload...)
	dst = append(dst, nonce...)
	return aead.Seal(dst, nonce, *scratch, head), audit.Commitment(salt, payload)
}

// openPayload reads what sealPayload wrote and checks it against its
// commitment. No payload is nil.
func openPayload(aead cipher.AEAD, head, sealed []byte, commitment audit.Hash) (payload []byte, salt [audit.SaltSize]byte, err error) {
	if len(sealed) < nonceSize+audit.SaltSize+tagSize {
		return nil, salt, errSealed
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], head)
	if err != nil {
		return nil, salt, errSealed
	}
	salt, payload = [audit.SaltSize]byte(plain), plain[audit.SaltSize:]
	if audit.Commitment(salt, payload) != commitment {
		return nil, salt, errors.New("payload is not what was committed to")
	}
	if len(payload) == 0 {
		payload = nil
	}
	return payload, salt, nil
}
