package api

import (
	"cmp"
	"context"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
)

// Login opens a session, or makes a token.
func (a *API) Login(ctx context.Context, m *regiev1.LoginRequest) (*regiev1.LoginResponse, error) {
	from := requestOf(ctx)
	attempt := access.Attempt{
		User: m.GetUser(), Password: m.GetPassword(), Header: from.Header, Remote: from.Remote, TLS: from.TLS,
		Request: identityOf(ctx).Request,
	}
	if m.GetTokenName() != "" {
		return a.loginForToken(ctx, attempt, m.GetTokenName())
	}
	session, err := a.cfg.Access.Login(ctx, attempt)
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	setCookie(ctx, session.Cookie)
	return &regiev1.LoginResponse{User: session.Identity.User, ExpiresAt: timeOf(session.Identity.ExpiresAt)}, nil
}

// setCookie has the answer set a cookie.
func setCookie(ctx context.Context, cookie *http.Cookie) {
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		info.ResponseHeader().Add("Set-Cookie", cookie.String())
	}
}

// loginForToken gives a program a token for a password or the admin token. The
// session that a password opens is ended at once.
func (a *API) loginForToken(ctx context.Context, attempt access.Attempt, name string) (*regiev1.LoginResponse, error) {
	if access.IsAdminToken(attempt.Password) {
		token, secret, _, err := a.cfg.Access.Exchange(ctx, attempt, name)
		if err != nil {
			return nil, a.refused(ctx, err)
		}
		return loggedIn(&token, secret), nil
	}
	attempt.Header = nil
	session, err := a.cfg.Access.Login(ctx, attempt)
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	token, secret, _, made := a.cfg.Access.CreateToken(ctx, session.Identity, access.NewToken{Name: name})
	_, left := a.cfg.Access.Logout(ctx, session.Identity, false)
	if err := cmp.Or(made, left); err != nil {
		return nil, a.refused(ctx, err)
	}
	return loggedIn(&token, secret), nil
}

func loggedIn(t *access.Token, secret string) *regiev1.LoginResponse {
	return &regiev1.LoginResponse{User: t.User, ExpiresAt: timeOf(t.ExpiresAt), Secret: secret, Token: tokenOf(t)}
}

// Logout ends the session.
func (a *API) Logout(ctx context.Context, m *regiev1.LogoutRequest) (*regiev1.LogoutResponse, error) {
	if _, err := a.cfg.Access.Logout(ctx, identityOf(ctx), m.GetEverywhere()); err != nil {
		return nil, a.refused(ctx, err)
	}
	setCookie(ctx, access.NoCookie(requestOf(ctx).TLS))
	return &regiev1.LogoutResponse{}, nil
}

// WhoAmI says who calls.
func (a *API) WhoAmI(ctx context.Context, _ *regiev1.WhoAmIRequest) (*regiev1.WhoAmIResponse, error) {
	identity := identityOf(ctx)
	out := &regiev1.WhoAmIResponse{
		User: identity.User, Via: identity.Via, Grants: grantsOf(identity.Grants), ExpiresAt: timeOf(identity.ExpiresAt),
	}
	for _, p := range identity.Permissions("") {
		out.Permissions = append(out.Permissions, p.String())
	}
	return out, nil
}

// ChangePassword changes the caller's own password.
func (a *API) ChangePassword(ctx context.Context, m *regiev1.ChangePasswordRequest) (*regiev1.ChangePasswordResponse, error) {
	position, err := a.cfg.Access.ChangePassword(ctx, identityOf(ctx), m.GetOldPassword(), m.GetNewPassword())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.ChangePasswordResponse{Position: position}, nil
}

func grantsOf(in []access.Grant) []*regiev1.Grant {
	out := make([]*regiev1.Grant, 0, len(in))
	for _, g := range in {
		out = append(out, &regiev1.Grant{Role: string(g.Role), Namespace: g.Namespace})
	}
	return out
}

func grantsFrom(in []*regiev1.Grant) []access.Grant {
	out := make([]access.Grant, 0, len(in))
	for _, g := range in {
		out = append(out, access.Grant{Role: access.Role(g.GetRole()), Namespace: g.GetNamespace()})
	}
	return out
}

func userOf(u *access.User) *regiev1.User {
	return &regiev1.User{
		Name: u.Name, DisplayName: u.DisplayName, Disabled: u.Disabled, Password: u.Password, Grants: grantsOf(u.Grants),
		Groups: u.Groups, CreatedAt: timeOf(u.CreatedAt), LastLoginAt: timeOf(u.LastLoginAt),
	}
}

// ListUsers lists the users.
func (a *API) ListUsers(_ context.Context, m *regiev1.ListUsersRequest) (*regiev1.ListUsersResponse, error) {
	users, next, err := page(a.cfg.Access.Users(), func(u access.User) string { return u.Name }, m.GetPageToken(), "users", m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListUsersResponse{NextPageToken: next}
	for i := range users {
		out.Users = append(out.Users, userOf(&users[i]))
	}
	return out, nil
}

// CreateUser makes a user.
func (a *API) CreateUser(ctx context.Context, m *regiev1.CreateUserRequest) (*regiev1.CreateUserResponse, error) {
	// A hash of the password would be guessed from, whatever is done for the
	// one that is kept: it does not count.
	body := proto.CloneOf(m)
	body.Password = ""
	k, err := keyOf(ctx, "users.create", m.GetIdempotencyKey(), body)
	if err != nil {
		return nil, err
	}
	out := &regiev1.CreateUserResponse{}
	before, err := a.once(ctx, k, func(ctx context.Context) error {
		user, position, err := a.cfg.Access.CreateUser(ctx, identityOf(ctx), access.NewUser{
			Name: m.GetName(), DisplayName: m.GetDisplayName(), Password: m.GetPassword(), Grants: grantsFrom(m.GetGrants()),
		})
		out.User, out.Position = userOf(&user), position
		return err
	})
	switch {
	case err != nil:
		return nil, a.refused(ctx, err)
	case before == nil:
		return out, nil
	}
	user, ok := a.cfg.Access.User(m.GetName())
	if !ok {
		return nil, notFound("not_found", "user %s was made with this key and is not there any more", m.GetName())
	}
	return &regiev1.CreateUserResponse{User: userOf(&user), Position: before.Position}, nil
}

// UpdateUser changes a user.
func (a *API) UpdateUser(ctx context.Context, m *regiev1.UpdateUserRequest) (*regiev1.UpdateUserResponse, error) {
	user, position, err := a.cfg.Access.UpdateUser(ctx, identityOf(ctx), access.UserChange{
		Name: m.GetName(), DisplayName: m.DisplayName, Password: m.Password, Disabled: m.Disabled,
	})
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.UpdateUserResponse{User: userOf(&user), Position: position}, nil
}

// DeleteUser removes a user.
func (a *API) DeleteUser(ctx context.Context, m *regiev1.DeleteUserRequest) (*regiev1.DeleteUserResponse, error) {
	position, err := a.cfg.Access.DeleteUser(ctx, identityOf(ctx), m.GetName())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.DeleteUserResponse{Position: position}, nil
}

func groupOf(g *access.Group) *regiev1.Group {
	return &regiev1.Group{Name: g.Name, Members: g.Members, Grants: grantsOf(g.Grants), Description: g.Description}
}

// ListGroups lists the groups.
func (a *API) ListGroups(_ context.Context, m *regiev1.ListGroupsRequest) (*regiev1.ListGroupsResponse, error) {
	groups, next, err := page(a.cfg.Access.Groups(), func(g access.Group) string { return g.Name }, m.GetPageToken(), "groups", m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListGroupsResponse{NextPageToken: next}
	for i := range groups {
		out.Groups = append(out.Groups, groupOf(&groups[i]))
	}
	return out, nil
}

// PutGroup makes or replaces a group.
func (a *API) PutGroup(ctx context.Context, m *regiev1.PutGroupRequest) (*regiev1.PutGroupResponse, error) {
	group, position, err := a.cfg.Access.PutGroup(ctx, identityOf(ctx), m.GetName(), m.GetDescription(), m.GetMembers())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.PutGroupResponse{Group: groupOf(&group), Position: position}, nil
}

// DeleteGroup removes a group.
func (a *API) DeleteGroup(ctx context.Context, m *regiev1.DeleteGroupRequest) (*regiev1.DeleteGroupResponse, error) {
	position, err := a.cfg.Access.DeleteGroup(ctx, identityOf(ctx), m.GetName())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.DeleteGroupResponse{Position: position}, nil
}

// SetGrant gives a role or takes it away.
func (a *API) SetGrant(ctx context.Context, m *regiev1.SetGrantRequest) (*regiev1.SetGrantResponse, error) {
	if m.GetGrant() == nil {
		return nil, invalid("grant", "it is missing")
	}
	grants, position, err := a.cfg.Access.SetGrant(ctx, identityOf(ctx), m.GetSubject(), grantsFrom([]*regiev1.Grant{m.GetGrant()})[0], m.GetRemove())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.SetGrantResponse{Grants: grantsOf(grants), Position: position}, nil
}

func tokenOf(t *access.Token) *regiev1.Token {
	return &regiev1.Token{
		Id: t.ID, Name: t.Name, User: t.User, Scopes: grantsOf(t.Scopes), ReadOnly: t.ReadOnly,
		CreatedAt: timeOf(t.CreatedAt), ExpiresAt: timeOf(t.ExpiresAt), LastUsedAt: timeOf(t.LastUsedAt),
	}
}

// ListTokens lists tokens.
func (a *API) ListTokens(ctx context.Context, m *regiev1.ListTokensRequest) (*regiev1.ListTokensResponse, error) {
	all, err := a.cfg.Access.Tokens(identityOf(ctx), m.GetUser())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	tokens, next, err := page(all, func(t access.Token) string { return t.ID }, m.GetPageToken(), "tokens\n"+m.GetUser(), m.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &regiev1.ListTokensResponse{NextPageToken: next}
	for i := range tokens {
		out.Tokens = append(out.Tokens, tokenOf(&tokens[i]))
	}
	return out, nil
}

// CreateToken makes a token. The same request with the same key names it again,
// without the secret.
func (a *API) CreateToken(ctx context.Context, m *regiev1.CreateTokenRequest) (*regiev1.CreateTokenResponse, error) {
	k, err := keyOf(ctx, "tokens.create", m.GetIdempotencyKey(), m)
	if err != nil {
		return nil, err
	}
	n := access.NewToken{Name: m.GetName(), User: m.GetUser(), Scopes: grantsFrom(m.GetScopes()), ReadOnly: m.GetReadOnly()}
	if m.GetExpiresAt() != nil {
		n.ExpiresAt = m.GetExpiresAt().AsTime()
	}
	out := &regiev1.CreateTokenResponse{}
	before, err := a.once(ctx, k, func(ctx context.Context) error {
		token, secret, position, err := a.cfg.Access.CreateToken(ctx, identityOf(ctx), n)
		out.Token, out.Secret, out.Position = tokenOf(&token), secret, position
		return err
	})
	switch {
	case err != nil:
		return nil, a.refused(ctx, err)
	case before != nil:
		return nil, refuse(connect.CodeAlreadyExists, "token_made", "a token was made with this key before, and its secret is not kept",
			"revoke it (`regie tokens`) and make another with another key")
	}
	return out, nil
}

// RevokeToken ends a token.
func (a *API) RevokeToken(ctx context.Context, m *regiev1.RevokeTokenRequest) (*regiev1.RevokeTokenResponse, error) {
	position, err := a.cfg.Access.RevokeToken(ctx, identityOf(ctx), m.GetId())
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &regiev1.RevokeTokenResponse{Position: position}, nil
}
