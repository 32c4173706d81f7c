package access

import (
	"context"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// Lifetimes of tokens.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	// MaxTokenLife is a year, also a leap year.
	MaxTokenLife = 366 * 24 * time.Hour
	// ExpiredTokensKept is how long expired tokens are still listed.
	ExpiredTokensKept = 30 * 24 * time.Hour
	// LastUseWritten is how much news the last use of a token must be to be
	// written.
	LastUseWritten = time.Hour
)

// Token is a token as its user sees it, without the secret.
type Token struct {
	ID     string
	Name   string
	User   string
	Scopes []Grant // empty: all that the user may
	// ReadOnly tokens may not change anything, whatever their user may.
	ReadOnly   bool
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // zero: never
}

func (s *Service) viewToken(id string, t *token) Token {
	return Token{
		ID: id, Name: t.Name, User: t.User, Scopes: slices.Clone(t.Scopes), ReadOnly: t.ReadOnly,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: s.newest(s.used, id, t.LastUsedAt),
	}
}

// newest is when a token or session was used, as far as memory and the stored
// time tell.
func (s *Service) newest(memory map[string]time.Time, key string, stored time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := memory[key]; at.After(stored) {
		return at
	}
	return stored
}

// Tokens lists the tokens of a user by ID: those of the caller if user is empty,
// those of all if it is "-". Those of others need [IdentitiesRead]. Errors:
// ErrDenied.
func (s *Service) Tokens(by Identity, user string) ([]Token, error) {
	if user == "" {
		user = by.User
	}
	if user != by.User || by.User == "" {
		if err := by.Allow(IdentitiesRead, "", false); err != nil {
			return nil, err
		}
	}
	var out []Token
	for _, item := range s.tokens.All() {
		if user == "-" || item.Value.User == user {
			out = append(out, s.viewToken(item.Name, &item.Value))
		}
	}
	return out, nil
}

// NewToken is a token to make.
type NewToken struct {
	Name string
	User string // empty: the caller
	// Scopes are all that the token may at most; empty: all that the user may.
	Scopes    []Grant
	ReadOnly  bool
	ExpiresAt time.Time // zero: after DefaultTokenLife; at most MaxTokenLife ahead
}

// CreateToken makes a token and returns its secret, which is not kept. A token
// for another user needs [IdentitiesManage]; whoever comes with a token that is
// limited itself can only give what that one may. Errors: ErrInvalid,
// ErrDenied, ErrNotFound, ErrConflict.
func (s *Service) CreateToken(ctx context.Context, by Identity, n NewToken) (Token, string, uint64, error) {
	if n.User == "" {
		n.User = by.User
	}
	if err := s.mayGive(by, n); err != nil {
		return Token{}, "", 0, err
	}
	t, err := s.drawnUp(n)
	if err != nil {
		return Token{}, "", 0, err
	}
	var id, secret string
	position, err := s.change(ctx, func(d *draft) error {
		if a, there := d.user(n.User); !there {
			return notFound("user", n.User)
		} else if a.Disabled {
			return conflict("", "user %s is disabled", n.User)
		}
		if err := s.checkSpaces("scopes", t.Scopes); err != nil {
			return err
		}
		id, secret, err = s.putToken(d, by, t)
		return err
	})
	if err != nil {
		return Token{}, "", 0, err
	}
	return s.viewToken(id, &t), secret, position, nil
}

// mayGive checks that a token gives its maker nothing new.
func (s *Service) mayGive(by Identity, n NewToken) error {
	switch {
	case by.User == "":
		return unauthenticated("log in", "nobody is logged in")
	case by.ReadOnly:
		return denied("use one that may write, or log in", "a read-only token makes no tokens")
	case by.User != n.User:
		return by.Allow(IdentitiesManage, "", true)
	case by.limited && (len(n.Scopes) == 0 || !by.rights.covers(rightsOf(n.Scopes))):
		return denied("give scopes that it has itself, or log in", "a limited token makes no token that may do more")
	}
	return nil
}

// drawnUp checks what is asked for and returns the token, without a secret.
func (s *Service) drawnUp(n NewToken) (token, error) {
	now := s.now()
	t := token{
		User: n.User, Name: n.Name, Scopes: ordered(n.Scopes), ReadOnly: n.ReadOnly,
		CreatedAt: now, ExpiresAt: store.Time(n.ExpiresAt),
	}
	if n.ExpiresAt.IsZero() {
		t.ExpiresAt = now.Add(DefaultTokenLife)
	}
	if err := checkText("name", n.Name, MaxTokenName); err != nil {
		return token{}, err
	}
	if err := checkGrants("scopes", n.Scopes); err != nil {
		return token{}, err
	}
	switch life := t.ExpiresAt.Sub(now); {
	case life <= 0:
		return token{}, invalid("expires_at", "the token would have expired at %s", t.ExpiresAt.Format(time.RFC3339))
	case life > MaxTokenLife:
		return token{}, invalid("expires_at", "tokens last at most a year, until %s", now.Add(MaxTokenLife).Format(time.RFC3339))
	}
	return t, nil
}

// putToken makes the secret of a token and writes it.
func (s *Service) putToken(d *draft, by Identity, t token) (id, secret string, err error) {
	count := 0
	for _, item := range s.tokens.All() {
		if item.Value.User == t.User {
			count++
		}
	}
	if count >= MaxTokens {
		return "", "", conflict("revoke one that is not used", "user %s has %d tokens, the most there may be", t.User, count)
	}
	for taken := true; taken; {
		if id, secret, err = s.newToken(); err != nil {
			return "", "", err
		}
		_, taken = s.tokens.Get("", id)
	}
	t.Hash = digest(secret)
	s.tokens.Put(d.tx, "", id, t)
	d.tx.Record(by.Done(Act{Action: "token.create", Object: "token/" + id, Detail: map[string]any{
		"user": t.User, "name": t.Name, "scopes": t.Scopes, "read_only": t.ReadOnly, "expires_at": t.ExpiresAt,
	}}))
	return id, secret, nil
}

// RevokeToken revokes a token at once. That of another user needs
// [IdentitiesManage]; a limited token can revoke itself only. Errors:
// ErrNotFound, also for tokens that the caller may not know of, ErrDenied.
func (s *Service) RevokeToken(ctx context.Context, by Identity, id string) (uint64, error) {
	return s.change(ctx, func(d *draft) error {
		t, there := s.tokens.Get("", id)
		manages := by.May(IdentitiesManage, "")
		switch {
		case !there, t.User != by.User && !manages:
			return notFound("token", id)
		case by.limited && by.token != id && !manages:
			return denied("log in, or use one that is not limited", "a limited token revokes no other tokens")
		}
		s.tokens.Delete(d.tx, "", id)
		d.tx.Record(by.Done(Act{
			Action: "token.revoke", Object: "token/" + id, Detail: map[string]any{"user": t.User, "name": t.Name},
		}))
		return nil
	})
}
