package access_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
)

var adminForm = regexp.MustCompile(`^regie_admin_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`)

func (p *place) bootstrap() string {
	p.t.Helper()
	secret, created, err := p.Bootstrap(p.t.Context())
	if err != nil || created != (secret != "") || created && !adminForm.MatchString(secret) {
		p.t.Fatalf("%q %v %v", secret, created, err)
	}
	return secret
}

func (p *place) enter(user, secret string) error {
	p.t.Helper()
	l, err := p.Login(p.t.Context(), access.Attempt{User: user, Password: secret, Remote: "192.0.2.1:1"})
	if err == nil {
		p.header = http.Header{"Cookie": {l.Cookie.Name + "=" + l.Cookie.Value}}
	}
	return err
}

// TestFirstStart: the token is made once, good for one login or one token within
// a day, and for nothing else.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	secret := p.bootstrap()
	if secret == "" {
		t.Fatal("no token at the first start")
	}
	if strings.Contains(p.disk.text(), secret[12:40]) {
		t.Error("the token is stored")
	}
	want := []string{
		"system/start namespace.put namespace/default done",
		"system/start user.create user/admin done",
		"system/start admin_token.create user/admin done",
	}
	if got := p.disk.record(); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
	if u, _ := p.User("admin"); u.Password || cmp.Diff(grantsOf("admin@*"), u.Grants) != "" {
		t.Errorf("%+v", u)
	}
	if _, there := p.Namespace("default"); !there {
		t.Error("no namespace default")
	}
	p.open(2)
	if again := p.bootstrap(); again != "" {
		t.Error("a second token at the second start")
	}
	p.out(bearer(secret))
	for _, c := range [][2]string{
		{"root", secret}, {"", secret[:len(secret)-1]}, {"admin", access.Sealed("regie_admin_" + strings.Repeat("0", 43))}, {"admin", "regie_admin_"}, {"admin", ""},
	} {
		if err := p.enter(c[0], c[1]); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%q: %v", c, err)
		}
	}
	if err := p.enter("", secret); err != nil {
		t.Fatal(err)
	}
	if id := p.who(p.header); id.User != "admin" || !id.May(access.IdentitiesManage, "") || id.May(access.ApprovalsDecide, "") {
		t.Errorf("%+v", id)
	}
	for range 2 {
		if err := p.enter("", secret); !errors.Is(err, access.ErrUnauthenticated) || !strings.Contains(err.Error(), "regie admin reset") {
			t.Errorf("used again: %v", err)
		}
		p.open(3)
		p.advance(2 * access.AdminTokenLife)
		if again := p.bootstrap(); again != "" {
			t.Error("another token after it was used")
		}
	}
}

func TestAdminTokenExpires(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.bootstrap()
	p.advance(access.AdminTokenLife - time.Microsecond)
	p.open(2)
	if p.bootstrap() != "" {
		t.Error("another token before the first has expired")
	}
	p.advance(time.Microsecond)
	if err := p.enter("", first); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("expired: %v", err)
	}
	p.open(3)
	second := p.bootstrap()
	if second == "" || second == first {
		t.Fatal("no other token after the first has expired")
	}
	if err := p.enter("", first); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("replaced: %v", err)
	}
	if err := p.enter("admin", second); err != nil {
		t.Errorf("the other: %v", err)
	}
}

// TestAdminTokenOfNobody: none is made for a user who was deleted or disabled.
func TestAdminTokenOfNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *place) error{
		"deleted": func(p *place) error { _, err := p.DeleteUser(t.Context(), root, "admin"); return err },
		"disabled": func(p *place) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "admin", Disabled: ptr(true)})
			return err
		},
	} {
		p := newPlace(t)
		secret := p.bootstrap()
		if _, _, err := p.CreateUser(t.Context(), root, access.NewUser{Name: "root", Grants: grantsOf("admin@*")}); err != nil {
			t.Fatal(err)
		}
		if err := end(p); err != nil {
			t.Fatal(err)
		}
		if err := p.enter("", secret); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, _, err := p.Exchange(t.Context(), access.Attempt{Password: secret}, ""); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%s: exchange: %v", name, err)
		}
		p.advance(access.AdminTokenLife)
		if p.bootstrap() != "" {
			t.Errorf("%s: another token", name)
		}
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	secret := p.bootstrap()
	if _, _, _, err := p.Exchange(t.Context(), access.Attempt{Password: secret}, "a\x00"); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("odd name: %v", err)
	}
	made, token, position, err := p.Exchange(t.Context(), access.Attempt{Password: secret, Remote: "192.0.2.1:1", Request: "r"}, "laptop")
	if err != nil || position == 0 || made.User != "admin" || made.Name != "laptop" || !tokenForm.MatchString(token) {
		t.Fatalf("%+v %v", made, err)
	}
	if id := p.who(bearer(token)); id.User != "admin" || !id.May(access.SystemManage, "") || id.ReadOnly {
		t.Errorf("%+v", id)
	}
	if _, _, _, err := p.Exchange(t.Context(), access.Attempt{Password: secret}, ""); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("again: %v", err)
	}
	if err := p.enter("", secret); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("login: %v", err)
	}
	want := []string{
		"user/admin admin_token.use user/admin done",
		"user/admin token.create token/" + made.ID + " done",
		"anonymous admin_token.use  denied",
		"anonymous admin_token.use  denied",
	}
	if got := p.disk.record()[3:]; cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
}

// TestReset: whoever holds the data folder gets in, and nobody else stays in.
func TestReset(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@risk"})
	_, token := p.token(access.NewToken{User: "ada"})
	session := p.login("ada")
	if _, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Disabled: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ada", "newcomer"} {
		p.open(4)
		first, err := p.Reset(t.Context(), user)
		if err != nil || !adminForm.MatchString(first) {
			t.Fatalf("%s: %q, %v", user, first, err)
		}
		p.open(5)
		if p.bootstrap() != "" {
			t.Error("the start made another")
		}
		secret, err := p.Reset(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.enter(user, first); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%s: the one before: %v", user, err)
		}
		if err := p.enter(user, secret); err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		if id := p.who(p.header); id.User != user || !id.May(access.IdentitiesManage, "") {
			t.Errorf("%+v", id)
		}
		p.out(token)
		p.out(session)
		if err := p.enter(user, passwordOf(user)); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%s: the old password: %v", user, err)
		}
	}
	if u, _ := p.User("ada"); u.Disabled || u.Password || cmp.Diff(grantsOf("admin@* viewer@risk"), u.Grants) != "" {
		t.Errorf("%+v", u)
	}
}
