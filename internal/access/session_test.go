package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@risk"})
	for _, tls := range []bool{false, true} {
		l, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada"), Remote: "[::1]:5", TLS: tls, Request: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		wantName := map[bool]string{false: "regie", true: "__Host-regie"}[tls]
		want := &http.Cookie{
			Name: wantName, Value: l.Cookie.Value, Path: "/", MaxAge: 12 * 3600,
			HttpOnly: true, Secure: tls, SameSite: http.SameSiteStrictMode,
		}
		if cmp.Diff(want, l.Cookie) != "" || len(l.Cookie.Value) != 43 || l.Cookie.Valid() != nil || l.Position == 0 {
			t.Error(cmp.Diff(want, l.Cookie))
		}
		if no := access.NoCookie(tls); no.Name != wantName || no.MaxAge != -1 || no.Value != "" || no.Secure != tls {
			t.Errorf("%v", no)
		}
		header := http.Header{"Cookie": {"other=1; " + wantName + "=" + l.Cookie.Value}}
		id, err := p.Authenticate(header, "[::1]:5", tls)
		if err != nil || id.Via != "session" || id.User != "ada" || !id.ExpiresAt.Equal(start.Add(12*time.Hour)) {
			t.Errorf("%+v, %v", id, err)
		}
		if id, err := p.Authenticate(header, "[::1]:5", !tls); err == nil || id.User != "" {
			t.Error("a cookie of the other kind")
		}
		if l.Identity.User != "ada" || l.Identity.Request != "r1" || l.Identity.Remote.String() != "::1" {
			t.Errorf("%+v", l.Identity)
		}
		if strings.Contains(p.disk.text(), l.Cookie.Value) {
			t.Error("the cookie is stored")
		}
	}
	if u, _ := p.User("ada"); !u.LastLoginAt.Equal(start) {
		t.Errorf("last login %s", u.LastLoginAt)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		in    bool
	}
	for name, steps := range map[string][]step{
		"idle":          {{59 * time.Minute, true}, {59 * time.Minute, true}, {time.Hour, false}, {0, false}},
		"after 12 h":    {{50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {50 * time.Minute, true}, {20*time.Minute - time.Microsecond, true}, {time.Microsecond, false}},
		"idle at once":  {{time.Hour, false}},
		"a second less": {{time.Hour - time.Second, true}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				t.Parallel()
				p := installed(t, map[string]string{"ada": "viewer@*"})
				header := p.login("ada")
				for i, s := range steps {
					p.advance(s.after)
					if !s.in {
						p.out(header)
						continue
					}
					p.who(header)
					if err := p.Tick(t.Context()); err != nil {
						t.Fatal(err)
					}
					if restart {
						p.open(byte(i))
					}
				}
			})
		}
	}
	for name, end := range map[string]func(p *place, by access.Identity) error{
		"logout": func(p *place, by access.Identity) error { _, err := p.Logout(t.Context(), by, false); return err },
		"logout everywhere elsewhere": func(p *place, _ access.Identity) error {
			_, err := p.Logout(t.Context(), p.full("ada"), true)
			return err
		},
		"disabled": func(p *place, _ access.Identity) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Disabled: ptr(true)})
			return err
		},
		"disabled for a moment": func(p *place, by access.Identity) error {
			_, _, err := p.UpdateUser(t.Context(), by, access.UserChange{Name: "ada", Disabled: ptr(true)})
			_, _, again := p.UpdateUser(t.Context(), by, access.UserChange{Name: "ada", Disabled: ptr(false)})
			return errors.Join(err, again)
		},
		"password by an admin": func(p *place, _ access.Identity) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Password: ptr("an entirely new one")})
			return err
		},
		"reset": func(p *place, _ access.Identity) error { _, err := p.Reset(t.Context(), "ada"); return err },
		"login again": func(p *place, _ access.Identity) error {
			_, err := p.Login(t.Context(), access.Attempt{User: "bob", Password: passwordOf("bob"), Header: p.header})
			return err
		},
		"many logins": func(p *place, _ access.Identity) error {
			p.advance(time.Second)
			for range access.MaxSessions {
				p.login("ada")
			}
			return nil
		},
	} {
		p := installed(t, map[string]string{"ada": "viewer@*", "bob": "viewer@*", "root": "admin@*"})
		p.header = p.login("ada")
		if err := end(p, p.who(p.header)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.out(p.header)
		p.open(9)
		p.out(p.header)
	}
}

// TestManySessions: one too many ends that which was not used for longest.
func TestManySessions(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	first, second := p.login("ada"), p.login("ada")
	var others []http.Header
	for range access.MaxSessions - 2 {
		others = append(others, p.login("ada"))
	}
	p.advance(time.Minute)
	for _, header := range append(others, first) {
		p.who(header)
	}
	p.login("ada")
	p.who(first)
	p.out(second)
	if got := p.disk.sessions(); got != access.MaxSessions {
		t.Errorf("%d sessions", got)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	_, token := p.token(access.NewToken{User: "ada"})
	here, there := p.login("ada"), p.login("ada")
	if _, err := p.Logout(t.Context(), p.who(token), false); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("by token: %v", err)
	}
	if _, err := p.Logout(t.Context(), access.Identity{}, true); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("by nobody: %v", err)
	}
	id := p.who(here)
	for range 2 {
		if _, err := p.Logout(t.Context(), id, false); err != nil {
			t.Errorf("%v", err)
		}
	}
	p.out(here)
	p.who(there)
	p.who(token)
	if _, err := p.Logout(t.Context(), p.who(token), true); err != nil {
		t.Errorf("everywhere by token: %v", err)
	}
	p.out(there)
}

// TestLoginRefused: nobody learns from the answer whether there is a user, and
// the audit log does not learn what was typed.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*", "eve": "viewer@*"})
	if _, _, err := p.CreateUser(t.Context(), root, access.NewUser{Name: "robot"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "eve", Disabled: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ user, password, says, record string }{
		{"ada", "wrong", "user or password is wrong", "user/ada"},
		{"ada", "", "user or password is wrong", "user/ada"},
		{"ada", strings.Repeat("x", 1<<20), "user or password is wrong", "user/ada"},
		{"nobody", passwordOf("ada"), "user or password is wrong", ""},
		{"robot", "", "user or password is wrong", "user/robot"},
		{"hunter2-is-my-password", "", "user or password is wrong", ""},
		{"", "", "user or password is wrong", ""},
		{"ADA", passwordOf("ada"), "user or password is wrong", ""},
		{"ada\x00", passwordOf("ada"), "user or password is wrong", ""},
		{strings.Repeat("a", 1<<20), "x", "user or password is wrong", ""},
		{"eve", "wrong", "user or password is wrong", "user/eve"},
		{"eve", passwordOf("eve"), "user eve is disabled", "user/eve"},
	} {
		before := len(p.disk.record())
		_, err := p.Login(t.Context(), access.Attempt{User: c.user, Password: c.password})
		if !errors.Is(err, access.ErrUnauthenticated) || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%.20q: %v", c.user, err)
		}
		p.advance(10 * time.Minute)
		got := p.disk.record()[before:]
		if want := []string{"anonymous session.open " + c.record + " denied"}; cmp.Diff(want, got) != "" {
			t.Errorf("%.20q: %s", c.user, cmp.Diff(want, got))
		}
	}
	if strings.Contains(p.disk.text(), "hunter2") {
		t.Error("what was typed is kept")
	}
}

func TestLoginIsLimited(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*", "bob": "viewer@*"})
	try := func(user, password, remote string) error {
		_, err := p.Login(t.Context(), access.Attempt{User: user, Password: password, Remote: remote})
		return err
	}
	// Of a user, from many addresses.
	for i := range access.UserAttempts {
		if err := try("ada", "wrong", fmt.Sprintf("192.0.2.%d:1", i)); !errors.Is(err, access.ErrUnauthenticated) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	for _, user := range []string{"ada"} {
		err := try(user, passwordOf(user), "198.51.100.1:1")
		if e, ok := errors.AsType[*access.Error](err); !ok || !errors.Is(err, access.ErrLimited) || e.After <= 0 || e.After > access.UserAttemptEvery+time.Second {
			t.Errorf("%v", err)
		}
	}
	if err := try("bob", passwordOf("bob"), "198.51.100.1:1"); err != nil {
		t.Errorf("another user: %v", err)
	}
	p.advance(access.UserAttemptEvery)
	if err := try("ada", passwordOf("ada"), "198.51.100.1:1"); err != nil {
		t.Errorf("later: %v", err)
	}
	for i := range access.UserAttempts { // the login has filled it
		if err := try("ada", "wrong", fmt.Sprintf("192.0.2.%d:1", 100+i)); !errors.Is(err, access.ErrUnauthenticated) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	// From an address, for many users, there or not; one machine has all of a /64.
	limited := 0
	for i := range 2 * access.RemoteAttempts {
		if errors.Is(try(fmt.Sprintf("user%d", i), "wrong", fmt.Sprintf("[2001:db8::%d]:1", i)), access.ErrLimited) {
			limited++
		}
	}
	if limited != access.RemoteAttempts {
		t.Errorf("%d of %d attempts were refused", limited, 2*access.RemoteAttempts)
	}
	if err := try("bob", passwordOf("bob"), "[2001:db8:0:1::1]:1"); err != nil {
		t.Errorf("from another network: %v", err)
	}
	// Logins that succeed cost an address nothing.
	for range 2 * access.RemoteAttempts {
		if err := try("bob", passwordOf("bob"), "203.0.113.1:1"); err != nil {
			t.Fatal(err)
		}
	}
	// Admin tokens are not guessed without limit either.
	limited = 0
	for range 2 * access.RemoteAttempts {
		if errors.Is(try("", access.Sealed("regie_admin_x"), "203.0.113.9:1"), access.ErrLimited) {
			limited++
		}
	}
	if limited != access.RemoteAttempts {
		t.Errorf("%d of %d attempts with admin tokens were refused", limited, 2*access.RemoteAttempts)
	}
}

// TestRehash: a login at another cost than the password was hashed at renews the
// hash.
func TestRehash(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	if !strings.Contains(p.disk.text(), "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Fatal("no hash")
	}
	p.openAt(5, access.Cost{Memory: 16, Passes: 2, Threads: 1})
	p.login("ada")
	if text := p.disk.text(); !strings.Contains(text, "$argon2id$v=19$m=16,t=2,p=1$") || strings.Contains(text, "m=8,") {
		t.Error("the hash was not renewed")
	}
	p.login("ada")
}

// TestCrossSite: what the guard in front lets pass and what the cookie is taken
// from; no request for another site gets both.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	_, token := p.token(access.NewToken{User: "ada"})
	guard := http.NewCrossOriginProtection()
	for _, c := range []struct {
		method, site, origin string
		writes, cookie       bool // what passes
	}{
		{"POST", "same-origin", "", true, true},
		{"POST", "none", "", true, true},
		{"POST", "cross-site", "", false, false},
		{"POST", "same-site", "", false, false},
		{"POST", "", "", true, true}, // a program
		{"POST", "", "https://regie.example.com", true, true},
		{"POST", "", "https://evil.example.com", false, true}, // refused before
		{"POST", "", "null", false, true},
		{"DELETE", "cross-site", "", false, false},
		{"GET", "cross-site", "", true, false}, // reads nothing: the cookie is not taken
		{"GET", "same-origin", "", true, true},
	} {
		request := httptest.NewRequestWithContext(t.Context(), c.method, "https://regie.example.com/v1/login", http.NoBody)
		cookie := p.login("ada")
		for _, h := range []http.Header{request.Header, cookie, token} {
			h.Del("Sec-Fetch-Site")
			if c.site != "" {
				h.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				h.Set("Origin", c.origin)
			}
		}
		if err := guard.Check(request); (err == nil) != c.writes {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := p.Authenticate(cookie, "", false); (err == nil) != c.cookie {
			t.Errorf("%+v: cookie: %v", c, err)
		}
		p.who(token) // a browser does not send it by itself
	}
}

// TestChangedMeanwhile: whoever is changed while the password is being checked is
// not let in by what it was.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	next := "an entirely new one"
	for name, c := range map[string]struct {
		change func(p *place) error
		login  error
		next   error
	}{
		"nothing": {func(*place) error { return nil }, nil, nil},
		"disabled": {func(p *place) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Disabled: ptr(true)})
			return err
		}, access.ErrUnauthenticated, nil},
		"deleted": {func(p *place) error {
			_, err := p.DeleteUser(t.Context(), root, "ada")
			return err
		}, access.ErrUnauthenticated, access.ErrConflict},
		"password taken": {func(p *place) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Password: ptr("")})
			return err
		}, access.ErrUnauthenticated, access.ErrConflict},
	} {
		login := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
		login.OnHash(func() error { return c.change(login) })
		_, err := login.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada")})
		if !errors.Is(err, c.login) || (err == nil) != (login.disk.sessions() == 1) {
			t.Errorf("%s: login: %v, %d sessions", name, err, login.disk.sessions())
		}
		p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
		by := p.full("ada")
		p.OnHash(func() error { return c.change(p) })
		if _, err := p.ChangePassword(t.Context(), by, passwordOf("ada"), next); !errors.Is(err, c.next) {
			t.Errorf("%s: change: %v", name, err)
		}
	}
}
