package access

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/argon2"
)

var (
	cheapCost  = Cost{Memory: 8, Passes: 1, Threads: 1}
	dearerCost = Cost{Memory: 16, Passes: 2, Threads: 1}
)

func TestHash(t *testing.T) {
	t.Parallel()
	h, dearer := newHasher(cheapCost), newHasher(dearerCost)
	salt := bytes.Repeat([]byte{7}, saltBytes)
	text, err := h.hash(t.Context(), "correct horse", salt)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$") {
		t.Errorf("hash %s", text)
	}
	for _, c := range []struct {
		name, stored, password string
		h                      *hasher
		ok, stale, fails       bool
	}{
		{"right", text, "correct horse", h, true, false, false},
		{"wrong", text, "correct horsf", h, false, false, false},
		{"empty", text, "", h, false, false, false},
		{"no hash", "", "correct horse", h, false, false, false},
		{"no hash, no password", "", "", h, false, false, false},
		{"other cost", text, "correct horse", dearer, true, true, false},
		{"other algorithm", strings.Replace(text, "argon2id", "argon2i", 1), "correct horse", h, false, false, true},
		{"other version", strings.Replace(text, "v=19", "v=16", 1), "correct horse", h, false, false, true},
		{"no passes", strings.Replace(text, "t=1", "t=0", 1), "correct horse", h, false, false, true},
		{"cut off", text[:len(text)-1], "correct horse", h, false, false, true},
		{"no base64", text + "!", "correct horse", h, false, false, true},
		{"another form", "plain", "plain", h, false, false, true},
	} {
		ok, stale, err := c.h.verify(t.Context(), c.stored, c.password)
		if ok != c.ok || stale != c.stale || (err != nil) != c.fails {
			t.Errorf("%s: %v %v %v", c.name, ok, stale, err)
		}
	}
}

// TestHashTakesItsCost: the default is what the constants say, and a password is
// hashed as dearly for a user that is not there.
func TestHashTakesItsCost(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Now: fixed, Random: bytes.NewReader(nil)})
	if err != nil {
		t.Fatal(err)
	}
	var took []Cost
	s.passwords.derive = func(_, _ []byte, passes, memory uint32, threads uint8, size uint32) []byte {
		took = append(took, Cost{Memory: memory, Passes: passes, Threads: threads})
		return make([]byte, size)
	}
	stored, err := s.passwords.hash(t.Context(), "x", make([]byte, saltBytes))
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{stored, ""} {
		if _, _, err := s.passwords.verify(t.Context(), hash, "y"); err != nil {
			t.Fatal(err)
		}
	}
	want := Cost{Memory: PasswordMemory, Passes: PasswordPasses, Threads: PasswordThreads}
	if len(took) != 3 || took[0] != want || took[1] != want || took[2] != want {
		t.Errorf("took %v, want %v each time", took, want)
	}
}

// TestHashingIsBounded: so many at a time, so many wait, and others are told to
// come again.
func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheapCost)
		running, release := make(chan struct{}, 100), make(chan struct{})
		h.derive = func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte {
			running <- struct{}{}
			<-release
			return make([]byte, size)
		}
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 100)
		for range MaxHashing + MaxHashingWaiting {
			go func() {
				_, err := h.key(ctx, "x", nil, h.cost)
				results <- err
			}()
		}
		synctest.Wait()
		if len(running) != MaxHashing {
			t.Errorf("%d run at the same time", len(running))
		}
		if _, err := h.key(ctx, "x", nil, h.cost); !errors.Is(err, ErrBusy) {
			t.Errorf("one more: %v", err)
		}
		cancel()
		synctest.Wait()
		if len(results) != MaxHashingWaiting {
			t.Errorf("%d of those that waited have gone", len(results))
		}
		close(release)
		synctest.Wait()
		if _, err := h.key(t.Context(), "x", nil, h.cost); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestHashIsArgon2id(t *testing.T) {
	t.Parallel()
	h := newHasher(cheapCost)
	salt := bytes.Repeat([]byte{1}, saltBytes)
	have, err := h.key(t.Context(), "x", salt, h.cost)
	if want := argon2.IDKey([]byte("x"), salt, 1, 8, 1, 32); err != nil || !bytes.Equal(have, want) {
		t.Errorf("%x, %v", have, err)
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for password, good := range map[string]bool{
		"correct horse battery":                    true,
		"zwölf Zeichen":                            true,
		"x7#kq9!mZp2w":                             true,
		"short":                                    false,
		"elevenchars":                              false,
		"密码密码密码密码密码密码":                             false, // two characters, repeated
		"一二三四五六七八九十甲乙":                             true,
		"password1234":                             false,
		"PassWord!!!!":                             false,
		"passwordpassword":                         false,
		"Welcome20301":                             false,
		"123456789012":                             false,
		"012345678901":                             false,
		"908172635423":                             true,
		"aaaaaaaaaaaaaaaa":                         false,
		"abababababababab":                         false,
		"i am lovelace 7":                          false, // has the name
		"LOVELACE and more":                        false,
		"lovelace1234":                             false,
		"with a \x00 within":                       false,
		"not \xff utf-8 at all":                    false,
		strings.Repeat("abc ", 0):                  false,
		strings.Repeat("a good one ", 93) + " ":    true, // 1024 bytes
		strings.Repeat("a good one ", 93) + "  ":   false,
		strings.Repeat("a good one ", 1_000_000):   false,
		"regie-regie-regie, a word in three times": true,
	} {
		err := checkPassword("password", "lovelace", password)
		if (err == nil) != good {
			t.Errorf("%.30q of %d bytes: %v", password, len(password), err)
		}
		if err != nil && (!errors.Is(err, ErrInvalid) || len(password) > 4 && strings.Contains(err.Error(), password)) {
			t.Errorf("%.30q: %v", password, err)
		}
	}
	if checkPassword("password", "ada", "adaadaada123") == nil || checkPassword("password", "ada", "ada123456789") == nil {
		t.Error("a short name as a password")
	}
}
