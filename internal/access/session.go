package access

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/registry"
)

// Lifetimes of sessions.
const (
	SessionLife = 12 * time.Hour
	SessionIdle = time.Hour
	// LastSeenWritten is how much news the last request of a session must be to
	// be written.
	LastSeenWritten = 10 * time.Minute
)

// The names of the cookie: browsers take one with the prefix from the host itself
// only, over TLS only.
const (
	cookieTLS   = "__Host-regie"
	cookiePlain = "regie"
)

func cookieName(tls bool) string {
	if tls {
		return cookieTLS
	}
	return cookiePlain
}

func cookie(value string, tls bool, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure where there is no TLS, which is on loopback only
		Name: cookieName(tls), Value: value, Path: "/", MaxAge: maxAge,
		Secure: tls, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// NoCookie is the cookie that takes that of a session back. Tls says whether the
// browser speaks TLS.
func NoCookie(tls bool) *http.Cookie { return cookie("", tls, -1) }

// Attempt is an attempt to log in.
type Attempt struct {
	// User and Password; an admin token stands for the password, with the user
	// or none.
	User, Password string
	// Header is that of the request: the session that it brings is ended.
	Header http.Header
	Remote string // the address of the peer, with or without a port
	TLS    bool   // the browser speaks TLS
	// Request names the request.
	Request string
}

// Session is an open session.
type Session struct {
	Identity Identity
	Cookie   *http.Cookie
	Position uint64
}

// Login opens a session. Errors: ErrUnauthenticated, which does not tell whether
// there is such a user, ErrLimited, ErrBusy.
func (s *Service) Login(ctx context.Context, l Attempt) (Session, error) {
	caller := Identity{Remote: remoteAddress(l.Remote), Request: l.Request}
	value, err := s.newCookie()
	if err != nil {
		return Session{}, err
	}
	o := opening{caller: caller, key: digest(value), old: s.cookieKey(l.Header, l.TLS)}
	if wait := s.perRemote.take(remoteKey(caller.Remote), s.now()); wait > 0 {
		return Session{}, limited(wait)
	}
	var position uint64
	if strings.HasPrefix(l.Password, adminPrefix) {
		position, err = s.redeem(ctx, caller, l.User, l.Password, func(d *draft, user string) error {
			return s.open(d, &o, user)
		})
	} else {
		position, err = s.loginPassword(ctx, &o, l.User, l.Password)
	}
	if err != nil {
		return Session{}, err
	}
	s.perRemote.back(remoteKey(caller.Remote))
	id, err := s.ofSession(o.key)
	if err != nil {
		return Session{}, err
	}
	id.Remote, id.Request = caller.Remote, caller.Request
	return Session{Identity: id, Cookie: cookie(value, l.TLS, int(SessionLife.Seconds())), Position: position}, nil
}

// opening is a session that is about to be opened.
type opening struct {
	caller   Identity
	key, old string // of the new session, and of the one before it or empty
}

// loginPassword opens a session with a password. Whether the user is unknown, has
// no password, is disabled or gave a wrong one takes the same time; that they are
// disabled is told to those who know the password.
func (s *Service) loginPassword(ctx context.Context, o *opening, user, password string) (uint64, error) {
	a, there := s.account(user)
	if checkName("user", "user", user) != nil {
		user = "" // all that is not a name shares the attempts of nobody
	}
	if wait := s.perUser.take(user, s.now()); wait > 0 {
		return 0, limited(wait)
	}
	ok, stale, err := s.passwords.verify(ctx, a.Password, bounded(password))
	if err != nil {
		return 0, err
	}
	if !ok || a.Disabled {
		// A name that is nobody's may be a password in the wrong field.
		act := Act{Action: "session.open", Reason: "unknown user"}
		if there {
			act.Object, act.Reason = "user/"+user, "wrong password"
		}
		refused := unauthenticated("", "user or password is wrong")
		if ok {
			act.Reason = "user is disabled"
			refused = disabled(user)
		}
		return 0, cmp.Or[error](s.Denied(ctx, o.caller, act), refused)
	}
	s.perUser.fill(user)
	hash := a.Password
	if stale {
		salt, err := s.bytes(saltBytes)
		if err != nil {
			return 0, err
		}
		if hash, err = s.passwords.hash(ctx, password, salt); err != nil {
			return 0, err
		}
	}
	return s.change(ctx, func(d *draft) error {
		now, there := d.user(user)
		if !there || now.Password != a.Password {
			return unauthenticated("try again", "user %s was changed at the same time", user)
		}
		now.Password = hash
		d.put(user, now)
		return s.open(d, o, user)
	})
}

// open writes a session. It ends the one that the browser had, and those that are
// too many.
func (s *Service) open(d *draft, o *opening, user string) error {
	a, err := d.active(user)
	if err != nil {
		return err
	}
	now := s.now()
	a.LastLoginAt = now
	d.put(user, a)
	if o.old != "" {
		s.sessions.Delete(d.tx, "", o.old)
	}
	var own []registry.Item[session]
	for _, item := range s.sessions.All() {
		if item.Value.User == user && item.Name != o.old {
			own = append(own, item)
		}
	}
	slices.SortStableFunc(own, func(x, y registry.Item[session]) int {
		return s.newest(s.seen, x.Name, x.Value.SeenAt).Compare(s.newest(s.seen, y.Name, y.Value.SeenAt))
	})
	for i := range max(0, len(own)-MaxSessions+1) {
		s.sessions.Delete(d.tx, "", own[i].Name)
	}
	s.sessions.Put(d.tx, "", o.key, session{User: user, CreatedAt: now, ExpiresAt: now.Add(SessionLife), SeenAt: now})
	by := o.caller
	by.User, by.Via = user, viaSession
	d.tx.Record(by.Done(Act{Action: "session.open", Object: "user/" + user}))
	return nil
}

// Logout ends the session of the caller, or with everywhere all of theirs.
// Errors: ErrInvalid if there is none to end, ErrDenied.
func (s *Service) Logout(ctx context.Context, by Identity, everywhere bool) (uint64, error) {
	switch {
	case by.User == "":
		return 0, unauthenticated("", "nobody is logged in")
	case by.session == "" && !everywhere:
		return 0, invalid("", "this request came with a token, which is revoked rather than logged out")
	case by.limited:
		return 0, denied("log in, or use one that is not limited", "a limited token ends no sessions")
	}
	return s.change(ctx, func(d *draft) error {
		ended := 0
		if everywhere {
			ended = s.endSessions(d.tx, by.User, "")
		} else if _, there := s.sessions.Get("", by.session); there {
			s.sessions.Delete(d.tx, "", by.session)
			ended = 1
		}
		if ended > 0 {
			d.tx.Record(by.Done(Act{
				Action: "session.end", Object: "user/" + by.User, Detail: map[string]any{"sessions_ended": ended},
			}))
		}
		return nil
	})
}
