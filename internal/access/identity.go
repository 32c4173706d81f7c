package access

import (
	"net/netip"
	"slices"
	"time"
)

const viaSession = "session"

// Identity is who calls and what they may, at the moment of authentication. The
// zero value is somebody unknown, who may nothing.
type Identity struct {
	User string // empty: unknown
	// Via is how the user is known: session, token/ID, or process for a part of
	// this one.
	Via string
	// Grants are the effective ones: those of the user and their groups, as far
	// as the token has them in its scopes. ReadOnly takes from them what writes.
	Grants    []Grant
	ReadOnly  bool
	ExpiresAt time.Time
	// Remote is the address of the peer; Request names the request. Both go into
	// the audit log.
	Remote  netip.Addr
	Request string

	system         string // part of Regie that acts by itself
	rights         rights
	session, token string // key of the session, ID of the token
	// limited says that a token may less than its user.
	limited bool
}

// System is Regie itself acting, as system/NAME in the audit log. It has no
// rights: what it does is not asked for through the API.
func System(name string) Identity { return Identity{system: name} }

// Actor is user/NAME, system/NAME or anonymous.
func (id Identity) Actor() string {
	switch {
	case id.User != "":
		return "user/" + id.User
	case id.system != "":
		return "system/" + id.system
	default:
		return "anonymous"
	}
}

// May reports whether the permission is had in the namespace; the empty one
// stands for the installation.
func (id Identity) May(p Permission, namespace string) bool {
	switch p {
	case Public:
		return true
	case Known:
		return id.User != ""
	default:
		return id.rights.of(namespace).has(p)
	}
}

// Allow returns nil if the permission is had in the namespace, and if the method
// does not write or the credential may. Errors: ErrUnauthenticated, ErrDenied.
func (id Identity) Allow(p Permission, namespace string, writes bool) error {
	where := ""
	if namespace != "" {
		where = " in namespace " + shown(namespace)
	}
	switch {
	case p == Public:
		return nil
	case id.User == "" && id.token == "":
		return unauthenticated("log in, or give a token", "this needs a user who is known")
	case writes && id.ReadOnly:
		return denied("use one that may write", "%s is read-only", id.Via)
	case id.May(p, namespace):
		return nil
	case id.limited:
		return denied("use one that is not limited, or that has it in its scopes", "user %s with %s does not have %s%s", id.User, id.Via, p, where)
	case id.User == "":
		return denied("", "%s does not have %s%s", id.Actor(), p, where)
	}
	var having []Role
	for _, r := range roles {
		if r.may.has(p) {
			having = append(having, r.role)
		}
	}
	hint := ""
	if len(having) > 0 {
		hint = "ask an admin for one of the roles " + rolesText(having)
		if namespace == "" || ofInstallation.has(p) {
			hint += " on all namespaces"
		}
	}
	return denied(hint, "user %s does not have %s%s", id.User, p, where)
}

// Namespaces are those in which the permission is had, by name; all says that it
// is had everywhere, and then names is nil.
func (id Identity) Namespaces(p Permission) (all bool, names []string) {
	if id.May(p, "") {
		return true, nil
	}
	for namespace, s := range id.rights.in {
		if s.has(p) {
			names = append(names, namespace)
		}
	}
	slices.Sort(names)
	return false, names
}

// Permissions are those that are had in the namespace; the empty one stands for
// the installation.
func (id Identity) Permissions(namespace string) []Permission { return id.rights.of(namespace).list() }
