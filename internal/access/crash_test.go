package access_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/store"
)

// TestUnknownOutcome: a change of which nobody knows whether it was written is
// seen as it is by the next change, and after a restart.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("written %v, restart %v", written, restart), func(t *testing.T) {
				t.Parallel()
				p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
				token, header := p.token(access.NewToken{User: "ada"})
				id, by := p.who(header), p.full("root")
				done := p.Watch(t.Context(), id)
				p.disk.fault, p.disk.written = store.ErrUnknown, written
				if _, err := p.RevokeToken(t.Context(), by, token.ID); !errors.Is(err, store.ErrUnknown) {
					t.Fatal(err)
				}
				if _, _, err := p.CreateUser(t.Context(), by, access.NewUser{Name: "bob"}); !errors.Is(err, store.ErrUnknown) {
					t.Fatal(err)
				}
				if secret, created, err := p.Bootstrap(t.Context()); !errors.Is(err, store.ErrUnknown) || created || secret != "" {
					t.Fatal(secret, created, err)
				}
				p.disk.fault = nil
				if restart {
					p.open(3)
				}
				if _, _, err := p.CreateUser(t.Context(), by, access.NewUser{Name: "eve"}); err != nil {
					t.Fatal(err)
				}
				if _, there := p.User("bob"); there != written {
					t.Errorf("bob is there: %v", there)
				}
				if _, err := p.Authenticate(header, "", false); (err != nil) != written {
					t.Errorf("the token: %v", err)
				}
				if !restart && ended(done) != written {
					t.Errorf("the stream ended: %v", ended(done))
				}
			})
		}
	}
}

// TestLoginThatIsNotWritten: no cookie is good whose session is not on disk.
func TestLoginThatIsNotWritten(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	p.disk.fault = errors.New("disk full")
	if l, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada")}); err == nil || l.Cookie != nil {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: "wrong"}); err == nil || errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a refusal that is not on record: %v", err)
	}
	if err := p.Tick(t.Context()); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
}

// TestTogether: everything at the same time, for the race detector; afterwards
// what was revoked is revoked.
func TestTogether(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@risk"})
	by := p.full("root")
	const each = 20
	var group sync.WaitGroup
	for _, f := range []func(i int) error{
		func(int) error {
			token, secret, _, err := p.CreateToken(t.Context(), by, access.NewToken{User: "ada"})
			if err != nil {
				return err
			}
			id, err := p.Authenticate(bearer(secret), "192.0.2.1:1", false)
			if err != nil {
				return err
			}
			done := p.Watch(t.Context(), id)
			if _, err := p.RevokeToken(t.Context(), by, token.ID); err != nil {
				return err
			}
			<-done
			if _, err := p.Authenticate(bearer(secret), "192.0.2.1:1", false); !errors.Is(err, access.ErrUnauthenticated) {
				return fmt.Errorf("revoked: %w", err)
			}
			return nil
		},
		func(int) error {
			l, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada"), Remote: "192.0.2.2:1"})
			if err != nil {
				return err
			}
			_, err = p.Logout(t.Context(), l.Identity, false)
			return err
		},
		func(i int) error {
			_, _, err := p.SetGrant(t.Context(), by, "user/ada", grantsOf("operator@fin")[0], i%2 == 0)
			return err
		},
		func(i int) error {
			_, _, err := p.PutGroup(t.Context(), by, "team", "", []string{"ada", "root"}[:i%3])
			return err
		},
		func(i int) error {
			p.Holds(p.Known("ada"), "team", "risk")
			_, err := p.Tokens(by, "-")
			return errors.Join(err, p.Denied(t.Context(), by, access.Act{Action: fmt.Sprint(i)}))
		},
		func(int) error { return p.Tick(t.Context()) },
		func(int) error {
			p.advance(time.Millisecond)
			_, err := p.PutNamespace(t.Context(), by, access.Namespace{Name: "more"})
			return err
		},
	} {
		group.Go(func() {
			for i := range each {
				if err := f(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	users, groups := p.Users(), p.Groups()
	p.open(2)
	if got := fmt.Sprint(p.Users(), p.Groups()); got != fmt.Sprint(users, groups) {
		t.Errorf("after a restart\n%s\nbefore\n%s", got, fmt.Sprint(users, groups))
	}
	all, err := p.Tokens(by, "-")
	if err != nil || len(all) != 0 {
		t.Errorf("%d tokens are left, %v", len(all), err)
	}
}
