// Package access knows who may do what: users and their passwords, groups,
// tokens, sessions, roles, and namespaces, to which roles are given.
//
// # Rights
//
// A [Permission] is what a method of the API asks for, a [Role] a fixed set of
// permissions, and a [Grant] a role in one namespace or, with [All], in all of
// them. Users have their own grants and those of their groups. Permissions of
// the installation, such as identities.manage, come from grants on all namespaces
// only. Deciding on approvals is the one thing that an admin may not do: it
// needs the role approver, which an admin can give, on the record.
//
// [Service.Authenticate] turns the one credential of a request, a token or the
// cookie of a session, into an [Identity], which says what its holder may do at
// this moment. The zero Identity is somebody unknown, who may nothing. The
// permissions of methods are checked by the caller, with [Identity.Allow];
// the package itself checks what no table of methods can say: that a limited
// token makes no token that can do more, that tokens of others are not seen.
//
// # Credentials
//
// Passwords are kept as Argon2id hashes of their bytes, secrets of tokens and
// sessions as SHA-256 (they are random, so that nobody can guess), and none of
// them is ever in the audit log. Attempts to log in are limited for each user and
// each address. The limits are kept in memory, and a restart forgets them, which
// an attacker cannot bring about by trying. Whoever fails often enough keeps the
// user of that name from logging in with a password for a while; tokens and
// sessions go on.
//
// A session ends 12 hours after login, after one hour without a request, when
// its user logs out, changes the password (all but the session that does it),
// is disabled or deleted. Its cookie is HttpOnly and SameSite=Strict: no page of
// Regie needs it when somebody comes from elsewhere, for the console itself is
// public, and it asks for data from its own origin. Over TLS it is also Secure
// and has the prefix __Host-. Besides, requests that browsers send for other
// sites are refused where they bring a cookie, whatever their method. The caller
// puts http.CrossOriginProtection in front of everything: it refuses those that
// write without being asked for the cookie, such as a login as somebody else, and
// knows older browsers by their Origin.
//
// Tokens last at most a year. Their scopes only ever take away: what a token may
// is what both its scopes and its user may, now. While a user is disabled their
// tokens are refused; deleting the user revokes them.
//
// # The first admin
//
// [Service.Bootstrap] makes the user admin at the first start, with an admin
// token that is shown once and opens one session ([Service.Login]) or buys one
// ordinary token ([Service.Exchange]) within a day, and nothing else: it is
// refused as a credential of requests. If it was never used, the first start
// after its end makes another. When all admins are lost, [Service.Reset] does
// the same for whoever holds the data folder. The last admin that is not
// disabled cannot be deleted, disabled or stripped of the role.
//
// The name of a deleted user is never used again: the audit log goes on naming
// one person by it.
//
// # State
//
// Everything durable is objects of the registry, and every change is recorded in
// the audit log by the same transaction. Last use of tokens and sessions is kept
// in memory and written now and then by [Service.Tick], which the server calls
// every [TickEvery]. A crash forgets at most an hour of a token's last use, and
// makes a session look idle for ten minutes more than it was.
//
// The package reads no clock and has no goroutines of its own. It must not import the API
// nor what is generated from it; numbers and names of permissions are those of
// proto/regie/v1/access.proto.
//
//	s, err := access.New(access.Config{Now: time.Now, Random: rand.Reader})
//	r, err := registry.Open(ctx, store, runtime, s.Tables()...)
//	s.Begin(r)
//	secret, created, err := s.Bootstrap(ctx) // print the secret, if created
//
//	id, err := s.Authenticate(request.Header, request.RemoteAddr, request.TLS != nil)
//	err = id.Allow(access.RunsStart, "risk", true)
package access
