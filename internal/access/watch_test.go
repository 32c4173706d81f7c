package access_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/access"
)

// TestWatch: a stream ends when its caller may not read on (row B32), and only
// then.
func TestWatch(t *testing.T) {
	t.Parallel()
	type subject struct {
		p      *place
		token  access.Token
		id     access.Identity // of the stream
		header http.Header
	}
	for name, c := range map[string]struct {
		session bool // the stream is of a session, not of a token
		scopes  string
		change  func(s *subject) error
		ends    bool
	}{
		"token revoked": {change: func(s *subject) error {
			_, err := s.p.RevokeToken(t.Context(), s.p.full("root"), s.token.ID)
			return err
		}, ends: true},
		"token expired": {change: func(s *subject) error {
			s.p.advance(access.DefaultTokenLife)
			return s.p.Tick(t.Context())
		}, ends: true},
		"token not expired": {change: func(s *subject) error {
			s.p.advance(access.DefaultTokenLife - time.Second)
			return s.p.Tick(t.Context())
		}},
		"user disabled": {change: func(s *subject) error {
			_, _, err := s.p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Disabled: ptr(true)})
			return err
		}, ends: true},
		"user deleted": {change: func(s *subject) error { _, err := s.p.DeleteUser(t.Context(), root, "ada"); return err }, ends: true},
		"user renamed": {change: func(s *subject) error {
			_, _, err := s.p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", DisplayName: ptr("Ada")})
			return err
		}},
		"password changed": {change: func(s *subject) error {
			_, _, err := s.p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Password: ptr("an entirely new one")})
			return err
		}},
		"grant taken": {change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("viewer@fin")[0], true)
			return err
		}, ends: true},
		"grant outside the scopes taken": {scopes: "viewer@risk", change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("viewer@fin")[0], true)
			return err
		}},
		"grant given": {change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("author@fin")[0], false)
			return err
		}},
		"grant replaced by more": {change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("operator@fin")[0], false)
			_, _, also := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("viewer@fin")[0], true)
			return errors.Join(err, also)
		}},
		"grant replaced by one on all": {change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("viewer@*")[0], false)
			_, _, also := s.p.SetGrant(t.Context(), root, "user/ada", grantsOf("viewer@fin")[0], true)
			return errors.Join(err, also)
		}},
		"group left": {change: func(s *subject) error {
			_, _, err := s.p.PutGroup(t.Context(), root, "team", "", nil)
			return err
		}, ends: true},
		"group's grant taken": {change: func(s *subject) error {
			_, _, err := s.p.SetGrant(t.Context(), root, "group/team", grantsOf("viewer@risk")[0], true)
			return err
		}, ends: true},
		"group deleted":     {change: func(s *subject) error { _, err := s.p.DeleteGroup(t.Context(), root, "team"); return err }, ends: true},
		"namespace deleted": {change: func(s *subject) error { return s.p.deleteNamespace("fin") }, ends: true},
		"another logs in":   {change: func(s *subject) error { s.p.login("root"); return nil }},
		"session logs out":  {session: true, change: func(s *subject) error { _, err := s.p.Logout(t.Context(), s.id, false); return err }, ends: true},
		"another session logs out": {session: true, change: func(s *subject) error {
			_, err := s.p.Logout(t.Context(), s.p.full("ada"), false)
			return err
		}},
		"session's password": {session: true, change: func(s *subject) error {
			_, _, err := s.p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Password: ptr("an entirely new one")})
			return err
		}, ends: true},
		"session idle": {session: true, change: func(s *subject) error {
			s.p.advance(access.SessionIdle)
			return s.p.Tick(t.Context())
		}, ends: true},
		"session in use": {session: true, change: func(s *subject) error {
			s.p.advance(access.SessionIdle - time.Second)
			s.p.who(s.header)
			s.p.advance(access.SessionIdle - time.Second)
			return s.p.Tick(t.Context())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@fin"})
			if _, _, err := p.PutGroup(t.Context(), root, "team", "", []string{"ada"}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.SetGrant(t.Context(), root, "group/team", grantsOf("viewer@risk")[0], false); err != nil {
				t.Fatal(err)
			}
			s := &subject{p: p}
			if s.header = p.login("ada"); !c.session {
				s.token, s.header = p.token(access.NewToken{User: "ada", Scopes: grantsOf(c.scopes)})
			}
			s.id = p.who(s.header)
			early := p.Watch(t.Context(), s.id)
			if ended(early) {
				t.Fatal("ended before anything happened")
			}
			if err := c.change(s); err != nil {
				t.Fatal(err)
			}
			if ended(early) != c.ends {
				t.Errorf("ended: %v, want %v", ended(early), c.ends)
			}
			if late := p.Watch(t.Context(), s.id); ended(late) != c.ends {
				t.Errorf("one that came later ended: %v, want %v", ended(late), c.ends)
			}
		})
	}
}

func TestWatchOfNobody(t *testing.T) {
	t.Parallel()
	p := installed(t, nil)
	for _, id := range []access.Identity{{}, {User: "root", Via: "session"}, access.System("x")} {
		if !ended(p.Watch(t.Context(), id)) {
			t.Errorf("%+v goes on", id)
		}
	}
}

// TestWatchLeaves: a watch that nobody reads any more takes no room, and is not
// closed.
func TestWatchLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := installed(t, map[string]string{"ada": "viewer@*"})
		ctx, cancel := context.WithCancel(t.Context())
		done := p.Watch(ctx, p.full("ada"))
		if got := p.Watchers(); got != 1 {
			t.Errorf("%d watchers", got)
		}
		cancel()
		synctest.Wait()
		if got := p.Watchers(); got != 0 || ended(done) {
			t.Errorf("%d watchers are left", got)
		}
	})
}
