package access

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
)

// AdminTokenLife is how long an admin token may be used.
const AdminTokenLife = 24 * time.Hour

const (
	// FirstAdmin is the user that the first start makes.
	FirstAdmin = "admin"
	// adminKey is the name of the one object of its kind.
	adminKey = "admin-token"
)

// adminToken is the admin token as stored: the last that was made. Once used it
// stays without its hash, for it also says that there was a first start.
type adminToken struct {
	User      string    `json:"user"`
	Hash      string    `json:"hash,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	Used      bool      `json:"used,omitempty"`
}

// Bootstrap makes, at the first start, the user admin, the namespace default and
// an admin token, and returns the token for showing it to whoever started. As
// long as nobody used it, the first start after it has expired makes another.
// Other starts make nothing: created is false. A crash between the call and the
// showing leaves [Service.Reset], or waiting.
func (s *Service) Bootstrap(ctx context.Context) (secret string, created bool, err error) {
	by := System("start")
	_, err = s.change(ctx, func(d *draft) (err error) {
		created = false
		if _, there := s.spaces.Get("", DefaultNamespace); !there {
			s.putNamespace(d.tx, by, Namespace{Name: DefaultNamespace})
		}
		t, there := s.admins.Get("", adminKey)
		a, isUser := d.user(cmp.Or(t.User, FirstAdmin))
		switch {
		case !there && !isUser:
			a = account{Grants: []Grant{{Role: Admin, Namespace: All}}, CreatedAt: s.now()}
			d.put(FirstAdmin, a)
			d.tx.Record(by.Done(Act{Action: "user.create", Object: "user/" + FirstAdmin, Detail: map[string]any{"grants": a.Grants}}))
			t.User = FirstAdmin
		case !there || t.Used || !isUser || a.Disabled || s.now().Before(t.ExpiresAt):
			return nil
		}
		created = true
		secret, err = s.issue(d, by, t.User)
		return err
	})
	if err != nil || !created {
		return "", false, err
	}
	return secret, true, nil
}

// Reset lets whoever holds the data folder in again: it makes the user, or
// enables them, with the role admin on all namespaces, without a password,
// tokens and sessions, which others may know, and returns an admin token for
// them. It is for a folder that no server has open. Errors: ErrInvalid,
// ErrExists if the user was deleted.
func (s *Service) Reset(ctx context.Context, user string) (secret string, err error) {
	if err := checkName("user", "user", user); err != nil {
		return "", err
	}
	by := System("reset")
	_, err = s.change(ctx, func(d *draft) (err error) {
		a, there := d.user(user)
		if !there {
			if err := s.nameFree(user); err != nil {
				return err
			}
			a.CreatedAt = s.now()
		}
		a.Disabled, a.Password = false, ""
		a.Grants = ordered(append([]Grant{{Role: Admin, Namespace: All}}, a.Grants...))
		d.put(user, a)
		d.tx.Record(by.Done(Act{Action: "user.reset", Object: "user/" + user, Detail: map[string]any{
			"grants": a.Grants, "sessions_ended": s.endSessions(d.tx, user, ""), "tokens_revoked": s.revokeTokens(d.tx, user),
		}}))
		secret, err = s.issue(d, by, user)
		return err
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// issue makes an admin token, in place of the one before it.
func (s *Service) issue(d *draft, by Identity, user string) (string, error) {
	secret, err := s.newAdminToken()
	if err != nil {
		return "", err
	}
	t := adminToken{User: user, Hash: digest(secret), ExpiresAt: s.now().Add(AdminTokenLife)}
	s.admins.Put(d.tx, "", adminKey, t)
	d.tx.Record(by.Done(Act{Action: "admin_token.create", Object: "user/" + user, Detail: map[string]any{"expires_at": t.ExpiresAt}}))
	return secret, nil
}

// Exchange gives an ordinary token, with all rights of its user, for an admin
// token, the Password of the attempt. Errors: ErrUnauthenticated, ErrInvalid for
// the name, ErrLimited.
func (s *Service) Exchange(ctx context.Context, l Attempt, name string) (Token, string, uint64, error) {
	caller := Identity{Remote: remoteAddress(l.Remote), Request: l.Request}
	if wait := s.perRemote.take(remoteKey(caller.Remote), s.now()); wait > 0 {
		return Token{}, "", 0, limited(wait)
	}
	t, err := s.drawnUp(NewToken{Name: name})
	if err != nil {
		return Token{}, "", 0, err
	}
	var id, secret string
	position, err := s.redeem(ctx, caller, l.User, l.Password, func(d *draft, user string) (err error) {
		if _, err := d.active(user); err != nil {
			return err
		}
		caller.User, caller.Via, t.User = user, viaAdminToken, user
		id, secret, err = s.putToken(d, caller, t)
		return err
	})
	if err != nil {
		return Token{}, "", 0, err
	}
	return s.viewToken(id, &t), secret, position, nil
}

const viaAdminToken = "admin-token"

// redeem uses the admin token up for what then does in the same transaction.
func (s *Service) redeem(ctx context.Context, caller Identity, user, secret string, then func(d *draft, user string) error) (uint64, error) {
	position, err := s.change(ctx, func(d *draft) error {
		t, there := s.admins.Get("", adminKey)
		if !there || t.Used || !same(digest(secret), t.Hash) || !s.now().Before(t.ExpiresAt) || user != "" && user != t.User {
			return unauthenticated("stop the server and run `regie admin reset`, which makes another",
				"the admin token is not valid: it was used or replaced, or has expired")
		}
		s.admins.Put(d.tx, "", adminKey, adminToken{User: t.User, ExpiresAt: t.ExpiresAt, Used: true})
		by := caller
		by.User, by.Via = t.User, viaAdminToken
		d.tx.Record(by.Done(Act{Action: "admin_token.use", Object: "user/" + t.User}))
		return then(d, t.User)
	})
	if errors.Is(err, ErrUnauthenticated) {
		act := Act{Action: "admin_token.use", Reason: "admin token is not valid"}
		return 0, cmp.Or(s.Denied(ctx, caller, act), err)
	}
	return position, err
}

// IsAdminToken reports whether a text has the form of an admin token, which is
// no password and no ordinary token.
func IsAdminToken(text string) bool { return strings.HasPrefix(text, adminPrefix) }
