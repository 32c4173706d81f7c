package access

import (
	"net/http"
	"strings"
	"time"
)

// Bounds of credentials, in bytes: longer ones are refused unread.
const (
	MaxAuthorization = 256
	MaxCookies       = 16 << 10
)

// authenticate is the hint of every refusal for want of a good credential.
const authenticateHint = "log in again, or make another token"

// Authenticate returns who sends a request with these headers. There must be
// exactly one credential: a token in the Authorization header (Bearer) or the
// cookie of a session, which is not taken from a request that a browser sends
// for another site. Remote is the address of the peer, tls whether the browser
// speaks TLS.
//
// The error is ErrUnauthenticated. The identity beside it is unknown, and good
// for [Service.Denied].
func (s *Service) Authenticate(header http.Header, remote string, tls bool) (Identity, error) {
	id, err := s.authenticate(header, tls)
	id.Remote = remoteAddress(remote)
	return id, err
}

func (s *Service) authenticate(header http.Header, tls bool) (Identity, error) {
	values := header.Values("Authorization")
	cookies, err := sessionCookies(header, tls)
	switch {
	case err != nil:
		return Identity{}, err
	case len(values)+len(cookies) == 0:
		return Identity{}, unauthenticated("give a token as Authorization: Bearer TOKEN, or log in", "the request has no credential")
	case len(values) > 1:
		return Identity{}, unauthenticated("send one", "the request has %d Authorization headers", len(values))
	case len(cookies) > 1:
		return Identity{}, unauthenticated("delete the cookies of this site", "the request has %d session cookies", len(cookies))
	case len(values)+len(cookies) > 1:
		return Identity{}, unauthenticated("send one of them", "the request has both a token and a session cookie")
	case len(values) == 1:
		return s.byAuthorization(values[0])
	}
	for _, site := range header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return Identity{}, unauthenticated("", "the session cookie is not taken from a request for another site")
		}
	}
	return s.ofSession(digest(cookies[0]))
}

// sessionCookies are the values of the session cookies of the request.
func sessionCookies(header http.Header, tls bool) ([]string, error) {
	size := 0
	for _, line := range header.Values("Cookie") {
		size += len(line)
	}
	if size == 0 {
		return nil, nil
	}
	if size > MaxCookies {
		return nil, unauthenticated("delete the cookies of this site", "the request has more than %d bytes of cookies", MaxCookies)
	}
	var out []string
	for _, c := range (&http.Request{Header: header}).CookiesNamed(cookieName(tls)) {
		out = append(out, c.Value)
	}
	return out, nil
}

// cookieKey is the key of the session that a request brings, or empty.
func (s *Service) cookieKey(header http.Header, tls bool) string {
	cookies, err := sessionCookies(header, tls)
	if err != nil || len(cookies) != 1 {
		return ""
	}
	return digest(cookies[0])
}

func (s *Service) byAuthorization(value string) (Identity, error) {
	if len(value) > MaxAuthorization {
		return Identity{}, unauthenticated("give a token as Authorization: Bearer TOKEN", "the Authorization header has more than %d bytes", MaxAuthorization)
	}
	scheme, text, _ := strings.Cut(value, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return Identity{}, unauthenticated("give a token as Authorization: Bearer TOKEN", "the Authorization header is not of the scheme Bearer")
	case text == "":
		return Identity{}, unauthenticated("give a token as Authorization: Bearer TOKEN", "the token is empty")
	case strings.HasPrefix(text, adminPrefix):
		return Identity{}, unauthenticated("log in with it, as `regie context login` does", "an admin token is good for logging in once only")
	case !strings.HasPrefix(text, tokenPrefix):
		return Identity{}, unauthenticated(authenticateHint, "the token is not one of Regie: those begin with %s", tokenPrefix)
	case !intact(text):
		return Identity{}, unauthenticated("copy it again", "the token is mistyped or cut off")
	}
	return s.ofToken(text)
}

// ofToken returns the identity of the holder of a token whose form is right.
func (s *Service) ofToken(text string) (Identity, error) {
	id := ""
	if rest := text[len(tokenPrefix):]; len(rest) > idDigits {
		id = rest[:idDigits]
	}
	if in, there := s.inside(id); there && same(digest(text), in.hash) {
		return in.identity, nil
	}
	t, there := s.tokens.Get("", id)
	if !there {
		t.Hash = digest("") // of no token: compared all the same
	}
	if !same(digest(text), t.Hash) || !there {
		return Identity{}, unauthenticated(authenticateHint, "the token is not valid: it was revoked, or never was")
	}
	now := s.now()
	found, err := s.currentToken(id, &t, now)
	if err == nil {
		s.note(s.used, id, now)
	}
	return found, err
}

// currentToken is what a token gives now.
func (s *Service) currentToken(id string, t *token, now time.Time) (Identity, error) {
	if !now.Before(t.ExpiresAt) {
		return Identity{}, unauthenticated("make another", "the token %s expired at %s", id, t.ExpiresAt.Format(time.RFC3339))
	}
	found, err := s.holder(t.User)
	if err != nil {
		return Identity{}, err
	}
	found.Via, found.token, found.ExpiresAt = "token/"+id, id, t.ExpiresAt
	if len(t.Scopes) > 0 {
		found.Grants, found.limited = narrowed(found.Grants, t.Scopes), true
	}
	found.rights = rightsOf(found.Grants)
	if t.ReadOnly {
		found.ReadOnly, found.limited = true, true
		found.rights = found.rights.only(reads)
	}
	return found, nil
}

// ofSession returns the identity of the holder of the session with the key.
func (s *Service) ofSession(key string) (Identity, error) {
	now := s.now()
	v, there := s.sessions.Get("", key)
	if !there {
		return Identity{}, unauthenticated("log in again", "the session has ended")
	}
	found, err := s.currentSession(key, &v, now)
	if err == nil {
		s.note(s.seen, key, now)
	}
	return found, err
}

// currentSession is what a session gives now.
func (s *Service) currentSession(key string, v *session, now time.Time) (Identity, error) {
	if s.over(key, v, now) {
		return Identity{}, unauthenticated("log in again", "the session has ended")
	}
	found, err := s.holder(v.User)
	if err != nil {
		return Identity{}, err
	}
	found.Via, found.session, found.ExpiresAt = viaSession, key, v.ExpiresAt
	found.rights = rightsOf(found.Grants)
	return found, nil
}

// over reports whether a session has ended by its age or by idleness.
func (s *Service) over(key string, v *session, now time.Time) bool {
	return !now.Before(v.ExpiresAt) || now.Sub(s.newest(s.seen, key, v.SeenAt)) >= SessionIdle
}

// holder is the user of a credential, with all their grants.
func (s *Service) holder(user string) (Identity, error) {
	a, there := s.account(user)
	switch {
	case !there:
		return Identity{}, unauthenticated("", "user %s was deleted", user)
	case a.Disabled:
		return Identity{}, disabled(user)
	}
	return Identity{User: user, Grants: grantsOf(&a, s.groupOf)}, nil
}

// note remembers that a token or session was used.
func (s *Service) note(memory map[string]time.Time, key string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(memory[key]) {
		memory[key] = now
	}
}
