package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Limits of passwords.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
	// PasswordMemory is what hashing takes in KiB; it, PasswordPasses and
	// PasswordThreads are the second recommendation of RFC 9106, section 4.
	PasswordMemory  = 64 << 10
	PasswordPasses  = 3
	PasswordThreads = 4
	// MaxHashing is how many passwords are hashed at the same time, for the
	// memory that each takes, and MaxHashingWaiting how many may wait for that.
	MaxHashing        = 2
	MaxHashingWaiting = 32
)

// Cost is what hashing a password takes.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

const (
	saltBytes = 16
	hashBytes = 32
)

// hasher hashes passwords with Argon2id. Safe for concurrent use.
type hasher struct {
	cost Cost
	// derive is argon2.IDKey.
	derive  func(password, salt []byte, passes, memory uint32, threads uint8, size uint32) []byte
	running chan struct{}
	queue   chan struct{} // those that run and those that wait
}

func newHasher(cost Cost) *hasher {
	return &hasher{
		cost: cost, derive: argon2.IDKey,
		running: make(chan struct{}, MaxHashing),
		queue:   make(chan struct{}, MaxHashing+MaxHashingWaiting),
	}
}

// key derives the key of a password when it is its turn.
func (h *hasher) key(ctx context.Context, password string, salt []byte, cost Cost) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, &Error{Kind: ErrBusy, Text: "too many passwords are being checked", Hint: "try again in a few seconds"}
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return h.derive([]byte(password), salt, cost.Passes, cost.Memory, cost.Threads, hashBytes), nil
}

// hash returns the password's hash in PHC string form.
func (h *hasher) hash(ctx context.Context, password string, salt []byte) (string, error) {
	key, err := h.key(ctx, password, salt, h.cost)
	if err != nil {
		return "", err
	}
	code := base64.RawStdEncoding
	return h.cost.prefix() + code.EncodeToString(salt) + "$" + code.EncodeToString(key), nil
}

// verify compares a password with a stored hash. Without one it takes as long
// and says no. Stale says that the hash was made at another cost.
func (h *hasher) verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	if stored == "" {
		_, err := h.key(ctx, password, make([]byte, saltBytes), h.cost)
		return false, false, err
	}
	cost, salt, want, err := parseHash(stored)
	if err != nil {
		return false, false, err
	}
	have, err := h.key(ctx, password, salt, cost)
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(have, want) == 1, cost != h.cost, nil
}

func (c Cost) prefix() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, c.Memory, c.Passes, c.Threads)
}

// parseHash reads a hash in PHC string form, as [hasher.hash] writes it.
func parseHash(text string) (cost Cost, salt, key []byte, err error) {
	part := strings.Split(text, "$")
	if len(part) == 6 {
		_, err = fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Passes, &cost.Threads)
		if err == nil {
			salt, err = base64.RawStdEncoding.DecodeString(part[4])
		}
		if err == nil {
			key, err = base64.RawStdEncoding.DecodeString(part[5])
		}
	}
	if len(part) != 6 || err != nil || !strings.HasPrefix(text, cost.prefix()) || len(key) != hashBytes || cost.Passes == 0 || cost.Threads == 0 {
		return Cost{}, nil, nil, fmt.Errorf("read the stored hash of a password: it is not Argon2id in PHC string form")
	}
	return cost, salt, key, nil
}

// obvious are words that make no password, also with digits and signs around
// them.
var obvious = []string{
	"password", "passw0rd", "passwort", "wachtwoord", "motdepasse", "contraseña", "geheim", "secret",
	"welcome", "welkom", "willkommen", "letmein", "changeme", "changemenow", "default",
	"admin", "administrator", "root", "regie", "qwerty", "qwertyuiop", "azerty", "qwertz", "asdfghjkl", "abcdefghijkl",
}

// only reports whether a text is a word, maybe several times.
func only(text, word string) bool { return text != "" && strings.ReplaceAll(text, word, "") == "" }

// checkPassword says why a password is not good enough for the user.
func checkPassword(field, user, password string) error {
	lower := strings.ToLower(password)
	// What remains without digits and signs at both ends.
	core := strings.TrimFunc(lower, func(r rune) bool { return r < utf8.RuneSelf && (r < 'a' || r > 'z') })
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	var fault string
	switch {
	case len(password) > MaxPassword:
		fault = fmt.Sprintf("it has %d bytes and may have %d", len(password), MaxPassword)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		fault = "it is not UTF-8 or has a NUL"
	case utf8.RuneCountInString(password) < MinPassword:
		fault = fmt.Sprintf("it has %d characters and needs %d", utf8.RuneCountInString(password), MinPassword)
	case len(user) > 3 && strings.Contains(lower, user) || only(core, user):
		fault = "the user's name is in it"
	case len(distinct) < 5:
		fault = "it repeats a few characters"
	case core == "" && strings.Contains(strings.Repeat("1234567890", 3), lower):
		fault = "it counts"
	}
	for _, word := range obvious {
		if only(core, word) {
			fault = "it is one that is tried first"
		}
	}
	if fault == "" {
		return nil
	}
	e := invalid(field, "the password is not good enough: %s", fault)
	e.Hint = "several words in a row make a good one"
	return e
}
