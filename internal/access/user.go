package access

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/registry"
)

// User is a user as others see them.
type User struct {
	Name        string
	DisplayName string
	Disabled    bool
	Password    bool // has one
	Grants      []Grant
	Groups      []string
	CreatedAt   time.Time
	LastLoginAt time.Time // zero: never
}

func viewUser(name string, a *account) User {
	return User{
		Name: name, DisplayName: a.DisplayName, Disabled: a.Disabled, Password: a.Password != "",
		Grants: slices.Clone(a.Grants), Groups: slices.Clone(a.Groups),
		CreatedAt: a.CreatedAt, LastLoginAt: a.LastLoginAt,
	}
}

// User finds a user.
func (s *Service) User(name string) (User, bool) {
	a, ok := s.account(name)
	return viewUser(name, &a), ok
}

// Users are all users by name.
func (s *Service) Users() []User {
	items := s.users.All()
	out := make([]User, len(items))
	for i := range items {
		out[i] = viewUser(items[i].Name, &items[i].Value)
	}
	return out
}

// Holds reports whether the caller is in the group of that name, or has the role
// of that name in the namespace, as far as their token goes, and is not disabled.
// No group is named as a role.
func (s *Service) Holds(id Identity, name, namespace string) bool {
	a, ok := s.account(id.User)
	if !ok || a.Disabled {
		return false
	}
	return slices.Contains(a.Groups, name) ||
		slices.ContainsFunc(id.Grants, func(g Grant) bool {
			return string(g.Role) == name && (g.Namespace == All || g.Namespace == namespace)
		})
}

// NewUser is a user to make.
type NewUser struct {
	Name        string
	DisplayName string
	Password    string // empty: the user has tokens only
	Grants      []Grant
}

// CreateUser makes a user. Errors: ErrInvalid, ErrExists, ErrBusy. The name of a
// user who was deleted is not given again.
func (s *Service) CreateUser(ctx context.Context, by Identity, n NewUser) (User, uint64, error) {
	if err := checkName("name", "user", n.Name); err != nil {
		return User{}, 0, err
	}
	if err := checkText("display_name", n.DisplayName, MaxDisplayName); err != nil {
		return User{}, 0, err
	}
	if err := checkGrants("grants", n.Grants); err != nil {
		return User{}, 0, err
	}
	if err := s.nameFree(n.Name); err != nil {
		return User{}, 0, err
	}
	a := account{DisplayName: n.DisplayName, Grants: ordered(n.Grants), CreatedAt: s.now()}
	if n.Password != "" {
		var err error
		if a.Password, err = s.newPassword(ctx, "password", n.Name, n.Password); err != nil {
			return User{}, 0, err
		}
	}
	position, err := s.change(ctx, func(d *draft) error {
		if err := s.nameFree(n.Name); err != nil {
			return err
		}
		if err := s.checkSpaces("grants", a.Grants); err != nil {
			return err
		}
		d.put(n.Name, a)
		d.tx.Record(by.Done(Act{Action: "user.create", Object: "user/" + n.Name, Detail: map[string]any{
			"display_name": a.DisplayName, "grants": a.Grants, "password": a.Password != "",
		}}))
		return nil
	})
	return viewUser(n.Name, &a), position, err
}

func (s *Service) nameFree(name string) error {
	if _, there := s.account(name); there {
		return &Error{Kind: ErrExists, Field: "name", Text: "there is a user " + name}
	}
	if _, there := s.retired.Get("", name); there {
		return &Error{
			Kind: ErrExists, Field: "name", Text: "there was a user " + name + ", who was deleted",
			Hint: "the audit log goes on naming that one; take another name",
		}
	}
	return nil
}

// newPassword checks a password and returns its hash.
func (s *Service) newPassword(ctx context.Context, field, user, password string) (string, error) {
	if err := checkPassword(field, user, password); err != nil {
		return "", err
	}
	salt, err := s.bytes(saltBytes)
	if err != nil {
		return "", err
	}
	return s.passwords.hash(ctx, password, salt)
}

// UserChange is a change of a user; nil leaves things as they are.
type UserChange struct {
	Name        string
	DisplayName *string
	Password    *string // the empty one takes the password away
	Disabled    *bool
}

// UpdateUser changes a user. A changed password ends their sessions but that of
// the caller, being disabled ends all. Errors: ErrInvalid, ErrNotFound, ErrConflict
// for the last admin, ErrBusy.
func (s *Service) UpdateUser(ctx context.Context, by Identity, c UserChange) (User, uint64, error) {
	if _, there := s.account(c.Name); !there {
		return User{}, 0, notFound("user", c.Name)
	}
	if c.DisplayName != nil {
		if err := checkText("display_name", *c.DisplayName, MaxDisplayName); err != nil {
			return User{}, 0, err
		}
	}
	hash := ""
	if c.Password != nil && *c.Password != "" {
		var err error
		if hash, err = s.newPassword(ctx, "password", c.Name, *c.Password); err != nil {
			return User{}, 0, err
		}
	}
	var a account
	position, err := s.change(ctx, func(d *draft) error {
		var there bool
		if a, there = d.user(c.Name); !there {
			return notFound("user", c.Name)
		}
		detail := map[string]any{}
		if c.DisplayName != nil && *c.DisplayName != a.DisplayName {
			a.DisplayName = *c.DisplayName
			detail["display_name"] = a.DisplayName
		}
		if c.Password != nil && (hash != "" || a.Password != "") {
			a.Password = hash
			detail["password"] = hash != ""
		}
		if c.Disabled != nil && *c.Disabled != a.Disabled {
			a.Disabled = *c.Disabled
			detail["disabled"] = a.Disabled
		}
		if len(detail) == 0 {
			return nil
		}
		if a.Disabled {
			detail["sessions_ended"] = s.endSessions(d.tx, c.Name, "")
		} else if _, password := detail["password"]; password {
			detail["sessions_ended"] = s.endSessions(d.tx, c.Name, by.session)
		}
		d.put(c.Name, a)
		d.tx.Record(by.Done(Act{Action: "user.update", Object: "user/" + c.Name, Detail: detail}))
		return nil
	})
	return viewUser(c.Name, &a), position, err
}

// DeleteUser deletes a user with their tokens and sessions. The name stays
// taken. Errors: ErrNotFound, ErrConflict for the last admin.
func (s *Service) DeleteUser(ctx context.Context, by Identity, name string) (uint64, error) {
	return s.change(ctx, func(d *draft) error {
		if _, there := d.user(name); !there {
			return notFound("user", name)
		}
		d.users[name] = nil
		s.retired.Put(d.tx, "", name, retired{At: s.now()})
		detail := map[string]any{
			"sessions_ended": s.endSessions(d.tx, name, ""),
			"tokens_revoked": s.revokeTokens(d.tx, name),
		}
		d.tx.Record(by.Done(Act{Action: "user.delete", Object: "user/" + name, Detail: detail}))
		return nil
	})
}

// ChangePassword changes the caller's own password; all other sessions of theirs
// end. Attempts count as those to log in. Errors: ErrInvalid for either
// password, ErrConflict if there is none to change, ErrLimited, ErrBusy.
func (s *Service) ChangePassword(ctx context.Context, by Identity, old, password string) (uint64, error) {
	a, there := s.account(by.User)
	switch {
	case by.User == "" || !there:
		return 0, unauthenticated("log in", "nobody is logged in")
	case a.Password == "":
		return 0, conflict("an admin sets one", "user %s has no password", by.User)
	}
	if wait := s.perUser.take(by.User, s.now()); wait > 0 {
		return 0, limited(wait)
	}
	ok, _, err := s.passwords.verify(ctx, a.Password, bounded(old))
	if err != nil {
		return 0, err
	}
	if !ok {
		wrong := invalid("old_password", "the old password is wrong")
		act := Act{Action: "password.change", Object: "user/" + by.User, Reason: wrong.Text}
		return 0, cmp.Or[error](s.Denied(ctx, by, act), wrong)
	}
	s.perUser.fill(by.User)
	if old == password {
		return 0, invalid("new_password", "the new password is the old one")
	}
	hash, err := s.newPassword(ctx, "new_password", by.User, password)
	if err != nil {
		return 0, err
	}
	return s.change(ctx, func(d *draft) error {
		now, there := d.user(by.User)
		if !there || now.Password != a.Password {
			return conflict("try again", "the password was changed at the same time")
		}
		now.Password = hash
		d.put(by.User, now)
		ended := s.endSessions(d.tx, by.User, by.session)
		d.tx.Record(by.Done(Act{
			Action: "password.change", Object: "user/" + by.User, Detail: map[string]any{"sessions_ended": ended},
		}))
		return nil
	})
}

// bounded keeps a password that cannot be right from being hashed at length.
func bounded(password string) string {
	if len(password) > MaxPassword {
		return ""
	}
	return password
}

// SetGrant gives a role to a subject, user/NAME or group/NAME, or takes it away,
// and returns the grants of the subject. What is so already stays so, at
// position 0. Errors: ErrInvalid, ErrNotFound, ErrConflict for the last admin.
func (s *Service) SetGrant(ctx context.Context, by Identity, subject string, g Grant, remove bool) ([]Grant, uint64, error) {
	kind, name, _ := strings.Cut(subject, "/")
	if kind != "user" && kind != "group" {
		return nil, 0, invalid("subject", "%s is neither user/NAME nor group/NAME", shown(subject))
	}
	if err := checkGrants("grant", []Grant{g}); err != nil && !remove {
		return nil, 0, err
	}
	var grants []Grant
	position, err := s.change(ctx, func(d *draft) error {
		a, isUser := d.user(name)
		c, isGroup := d.group(name)
		have := a.Grants
		if kind == "group" {
			isUser, have = false, c.Grants
		}
		if !isUser && (kind == "user" || !isGroup) {
			return notFound(kind, name)
		}
		action, has := "grant.add", slices.Contains(have, g)
		grants = ordered(append(slices.Clone(have), g))
		if remove {
			action, has = "grant.remove", !has
			grants = slices.DeleteFunc(slices.Clone(have), func(o Grant) bool { return o == g })
		} else if err := s.checkSpaces("grant", []Grant{g}); err != nil {
			return err
		}
		if has {
			return nil
		}
		if len(grants) > MaxGrants {
			return conflict("a group may have grants in common", "%s has %d grants, the most there may be", subject, MaxGrants)
		}
		if isUser {
			a.Grants = grants
			d.put(name, a)
		} else {
			c.Grants = grants
			d.putGroup(name, c)
		}
		d.tx.Record(by.Done(Act{
			Action: action, Object: subject, Detail: map[string]any{"role": g.Role, "on": g.Namespace},
		}))
		return nil
	})
	return grants, position, err
}

// endSessions ends the sessions of a user but one, and says how many.
func (s *Service) endSessions(tx *registry.Tx, user, but string) int {
	ended := 0
	for _, item := range s.sessions.All() {
		if item.Value.User == user && item.Name != but {
			s.sessions.Delete(tx, "", item.Name)
			ended++
		}
	}
	return ended
}

// revokeTokens revokes the tokens of a user, and says which.
func (s *Service) revokeTokens(tx *registry.Tx, user string) []string {
	var out []string
	for _, item := range s.tokens.All() {
		if item.Value.User == user {
			s.tokens.Delete(tx, "", item.Name)
			out = append(out, item.Name)
		}
	}
	return out
}
