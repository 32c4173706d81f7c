package access_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
)

func ptr[T any](v T) *T { return &v }

func TestUsers(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*"})
	by := p.full("root")
	u, position, err := p.CreateUser(t.Context(), by, access.NewUser{
		Name: "ada", DisplayName: "Ada Lovelace", Password: passwordOf("ada"), Grants: grantsOf("viewer@risk viewer@* viewer@risk"),
	})
	want := access.User{Name: "ada", DisplayName: "Ada Lovelace", Password: true, Grants: grantsOf("viewer@* viewer@risk"), CreatedAt: start}
	if err != nil || position == 0 || cmp.Diff(want, u) != "" {
		t.Fatalf("%v %s", err, cmp.Diff(want, u))
	}
	for name, c := range map[string]struct {
		n    access.NewUser
		want error
		says string
	}{
		"there is one":         {access.NewUser{Name: "ada"}, access.ErrExists, "there is a user ada"},
		"weak password":        {access.NewUser{Name: "bob", Password: "short"}, access.ErrInvalid, "needs 12"},
		"no such role":         {access.NewUser{Name: "bob", Grants: grantsOf("root@*")}, access.ErrInvalid, "roles are admin, approver"},
		"no such namespace":    {access.NewUser{Name: "bob", Grants: grantsOf("viewer@nowhere")}, access.ErrInvalid, "no namespace nowhere"},
		"no namespace at all":  {access.NewUser{Name: "bob", Grants: grantsOf("viewer")}, access.ErrInvalid, "the namespace has no name"},
		"namespace as pattern": {access.NewUser{Name: "bob", Grants: grantsOf("viewer@ris*")}, access.ErrInvalid, "not a name of a namespace"},
		"too many grants":      {access.NewUser{Name: "bob", Grants: make([]access.Grant, access.MaxGrants+1)}, access.ErrInvalid, "more than 100"},
	} {
		if _, _, err := p.CreateUser(t.Context(), by, c.n); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	u, _, err = p.UpdateUser(t.Context(), by, access.UserChange{Name: "ada", DisplayName: ptr("Ada"), Password: ptr("")})
	if err != nil || u.DisplayName != "Ada" || u.Password {
		t.Errorf("%+v, %v", u, err)
	}
	if _, position, err := p.UpdateUser(t.Context(), by, access.UserChange{Name: "ada", DisplayName: ptr("Ada"), Disabled: ptr(false)}); err != nil || position != 0 {
		t.Errorf("nothing to change: %d, %v", position, err)
	}
	if _, _, err := p.UpdateUser(t.Context(), by, access.UserChange{Name: "nobody\x00"}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if got := len(p.Users()); got != 2 {
		t.Errorf("%d users", got)
	}
	wantRecord := []string{
		"user/root user.create user/ada done",
		"user/root user.update user/ada done",
	}
	if got := p.disk.record(); cmp.Diff(wantRecord, got[len(got)-2:]) != "" {
		t.Error(cmp.Diff(wantRecord, got))
	}
}

// TestDeletedUser: nothing of a deleted user works any more, and nobody else gets
// the name.
func TestDeletedUser(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
	if _, _, err := p.PutGroup(t.Context(), root, "team", "", []string{"ada", "root"}); err != nil {
		t.Fatal(err)
	}
	_, token := p.token(access.NewToken{User: "ada"})
	session := p.login("ada")
	if _, err := p.DeleteUser(t.Context(), root, "ada"); err != nil {
		t.Fatal(err)
	}
	p.out(token)
	p.out(session)
	if _, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada")}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("login: %v", err)
	}
	if g, _ := p.Group("team"); !slices.Equal(g.Members, []string{"root"}) {
		t.Errorf("members %v", g.Members)
	}
	tokens, err := p.Tokens(p.full("root"), "-")
	if err != nil || len(tokens) != 0 {
		t.Errorf("tokens %v, %v", tokens, err)
	}
	p.open(2)
	if _, _, err := p.CreateUser(t.Context(), root, access.NewUser{Name: "ada"}); !errors.Is(err, access.ErrExists) || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("the name again: %v", err)
	}
	if _, err := p.Reset(t.Context(), "ada"); !errors.Is(err, access.ErrExists) {
		t.Errorf("the name by a reset: %v", err)
	}
	if _, err := p.DeleteUser(t.Context(), root, "ada"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("deleted again: %v", err)
	}
	if strings.Contains(p.disk.text(), "Lovelace") {
		t.Error("the name of the person is kept")
	}
}

// TestLastAdmin: in no way can the last admin be taken away.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	admin := access.Grant{Role: access.Admin, Namespace: access.All}
	ways := map[string]func(p *place) error{
		"delete": func(p *place) error { _, err := p.DeleteUser(t.Context(), root, "root"); return err },
		"disable": func(p *place) error {
			_, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "root", Disabled: ptr(true)})
			return err
		},
		"take the grant": func(p *place) error {
			_, _, err := p.SetGrant(t.Context(), root, "user/root", admin, true)
			return err
		},
		"take the group's grant": func(p *place) error {
			_, _, err := p.SetGrant(t.Context(), root, "group/admins", admin, true)
			return err
		},
		"leave the group": func(p *place) error {
			_, _, err := p.PutGroup(t.Context(), root, "admins", "", nil)
			return err
		},
		"delete the group": func(p *place) error { _, err := p.DeleteGroup(t.Context(), root, "admins"); return err },
	}
	setups := map[string]struct {
		own   string // grants of root
		group bool   // the group admins, with root, is admin
		other string // grants of bob
		ways  string // those that take the last admin away
	}{
		"own grant":      {"admin@*", false, "", "delete, disable, take the grant"},
		"by group":       {"", true, "", "delete, disable, take the group's grant, leave the group, delete the group"},
		"both":           {"admin@*", true, "", "delete, disable"},
		"another admin":  {"admin@*", false, "admin@*", ""},
		"another's less": {"admin@*", false, "admin@risk operator@* auditor@*", "delete, disable, take the grant"},
	}
	for name, setup := range setups {
		for way, f := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				p := installed(t, map[string]string{"root": setup.own, "ada": "", "bob": setup.other})
				if setup.own == "" || setup.group {
					if _, _, err := p.PutGroup(t.Context(), root, "admins", "", []string{"root"}); err != nil {
						t.Fatal(err)
					}
					if _, _, err := p.SetGrant(t.Context(), root, "group/admins", admin, false); err != nil {
						t.Fatal(err)
					}
				} else if strings.Contains(way, "group") {
					if _, _, err := p.PutGroup(t.Context(), root, "admins", "", nil); err != nil {
						t.Fatal(err)
					}
				}
				err := f(p)
				refused := slices.Contains(strings.Split(setup.ways, ", "), way)
				if errors.Is(err, access.ErrConflict) != refused || !refused && err != nil {
					t.Errorf("%v", err)
				}
				if id := p.Holds(p.Known("root"), "admin", "fin") || p.Holds(p.Known("bob"), "admin", "fin"); !id {
					t.Error("nobody is admin any more")
				}
			})
		}
	}
	// A disabled admin is none.
	p := installed(t, map[string]string{"root": "admin@*", "bob": "admin@*"})
	if _, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "bob", Disabled: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if err := ways["delete"](p); !errors.Is(err, access.ErrConflict) {
		t.Errorf("the last that is not disabled: %v", err)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@risk"})
	if _, _, err := p.PutGroup(t.Context(), root, "team", "", []string{"ada"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		subject, grant string
		remove         bool
		want           string
		err            error
	}{
		{"user/ada", "operator@fin", false, "operator@fin viewer@risk", nil},
		{"user/ada", "operator@fin", false, "operator@fin viewer@risk", nil},
		{"user/ada", "viewer@risk", true, "operator@fin", nil},
		{"user/ada", "viewer@risk", true, "operator@fin", nil},
		{"group/team", "auditor@*", false, "auditor@*", nil},
		{"group/team", "wizard@*", false, "", access.ErrInvalid},
		{"group/team", "viewer@nowhere", false, "", access.ErrInvalid},
		{"group/none", "viewer@*", false, "", access.ErrNotFound},
		{"user/team", "viewer@*", false, "", access.ErrNotFound},
		{"ada", "viewer@*", false, "", access.ErrInvalid},
		{"token/ada", "viewer@*", false, "", access.ErrInvalid},
	} {
		grants, _, err := p.SetGrant(t.Context(), root, c.subject, grantsOf(c.grant)[0], c.remove)
		if !errors.Is(err, c.err) || err == nil && cmp.Diff(grantsOf(c.want), grants) != "" {
			t.Errorf("%s %s: %v, %v", c.subject, c.grant, grants, err)
		}
	}
	if id := p.full("ada"); cmp.Diff(grantsOf("auditor@* operator@fin"), id.Grants) != "" {
		t.Errorf("ada has %v", id.Grants)
	}
	record := strings.Join(p.disk.record(), "\n")
	for action, times := range map[string]int{"grant.add user/ada": 1, "grant.remove user/ada": 1, "grant.add group/team": 1} {
		if got := strings.Count(record, action); got != times {
			t.Errorf("%s is recorded %d times", action, got)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "", "bob": "", "eve": ""})
	put := func(members ...string) error {
		_, _, err := p.PutGroup(t.Context(), root, "team", "The team", members)
		return err
	}
	members := func() string {
		g, _ := p.Group("team")
		return strings.Join(g.Members, " ")
	}
	if err := errors.Join(put("bob", "ada", "bob"), put("ada", "eve")); err != nil || members() != "ada eve" {
		t.Fatalf("%v, %s", err, members())
	}
	if err := put("ada", "nobody"); !errors.Is(err, access.ErrInvalid) || members() != "ada eve" {
		t.Errorf("%v, %s", err, members())
	}
	if err := put(make([]string, access.MaxMembers+1)...); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("%v", err)
	}
	for _, role := range access.Roles() {
		if _, _, err := p.PutGroup(t.Context(), root, string(role), "", nil); !errors.Is(err, access.ErrInvalid) {
			t.Errorf("a group named %s: %v", role, err)
		}
	}
	if _, _, err := p.SetGrant(t.Context(), root, "group/team", grantsOf("approver@risk")[0], false); err != nil {
		t.Fatal(err)
	}
	if err := put("ada"); err != nil { // keeps the grants
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, name, namespace string
		want                  bool
	}{
		{"ada", "team", "fin", true},
		{"ada", "approver", "risk", true},
		{"ada", "approver", "fin", false},
		{"eve", "team", "risk", false},
		{"eve", "approver", "risk", false},
		{"root", "admin", "risk", true},
		{"root", "approver", "risk", false}, // an admin decides on nothing
		{"root", "viewer", "risk", false},
		{"nobody", "team", "risk", false},
		{"", "", "", false},
	} {
		if got := p.Holds(p.Known(c.user), c.name, c.namespace); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	ada := p.Known("ada")
	if _, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Disabled: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if p.Holds(ada, "team", "risk") || p.Holds(ada, "approver", "risk") {
		t.Error("a disabled user holds roles")
	}
	if _, err := p.DeleteGroup(t.Context(), root, "team"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteGroup(t.Context(), root, "team"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := put("bob"); err != nil || members() != "bob" {
		t.Errorf("made again: %v, %s", err, members())
	}
	if g, _ := p.Group("team"); len(g.Grants) != 0 {
		t.Errorf("made again with %v", g.Grants)
	}
	record := strings.Join(p.disk.record(), "\n")
	for line, times := range map[string]int{
		"group.join user/ada": 1, "group.join user/bob": 2, "group.leave user/bob": 1, "group.leave user/eve": 1, "group.put group/team": 2,
	} {
		if got := strings.Count(record, line); got != times {
			t.Errorf("%s is recorded %d times", line, got)
		}
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
	here, there := p.login("ada"), p.login("ada")
	_, token := p.token(access.NewToken{User: "ada"})
	by := p.who(here)
	next := "an entirely new one"
	for name, c := range map[string]struct {
		by       access.Identity
		old, new string
		want     error
	}{
		"wrong":   {by, "wrong", next, access.ErrInvalid},
		"endless": {by, strings.Repeat("x", 1<<20), next, access.ErrInvalid},
		"weak":    {by, passwordOf("ada"), "short", access.ErrInvalid},
		"same":    {by, passwordOf("ada"), passwordOf("ada"), access.ErrInvalid},
		"nobody":  {access.Identity{}, passwordOf("ada"), next, access.ErrUnauthenticated},
	} {
		if _, err := p.ChangePassword(t.Context(), c.by, c.old, c.new); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.ChangePassword(t.Context(), by, passwordOf("ada"), next); err != nil {
		t.Fatal(err)
	}
	p.who(here)
	p.who(token)
	p.out(there)
	if _, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: passwordOf("ada")}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := p.Login(t.Context(), access.Attempt{User: "ada", Password: next}); err != nil {
		t.Errorf("the new password: %v", err)
	}
	// Guessing the old password is limited.
	var err error
	for range access.UserAttempts + 1 {
		_, err = p.ChangePassword(t.Context(), by, "wrong", next)
	}
	if e, ok := errors.AsType[*access.Error](err); !ok || !errors.Is(err, access.ErrLimited) || e.After <= 0 || e.After > time.Minute+time.Second {
		t.Errorf("guesses: %v", err)
	}
	if _, _, err := p.UpdateUser(t.Context(), root, access.UserChange{Name: "ada", Password: ptr("")}); err != nil {
		t.Fatal(err)
	}
	p.out(here)
	if _, err := p.ChangePassword(t.Context(), p.who(token), "", next); !errors.Is(err, access.ErrConflict) {
		t.Errorf("without a password: %v", err)
	}
}
