package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Role is a named set of permissions.
type Role string

// The roles.
const (
	Viewer    Role = "viewer"    // reads runs, their data and logs, workflows, alerts
	Operator  Role = "operator"  // a viewer who starts and operates
	Author    Role = "author"    // a viewer who writes workflows
	Approver  Role = "approver"  // a viewer who decides on approvals
	Admin     Role = "admin"     // everything but deciding on approvals
	Auditor   Role = "auditor"   // reads everything, also the audit log
	Worker    Role = "worker"    // does the work of steps outside, sends signals, and sees no more than that
	Messenger Role = "messenger" // sends signals to runs, and sees no more than that
	Privacy   Role = "privacy"   // a viewer who erases the data of runs
)

const (
	viewing = set(1<<RunsRead | 1<<PayloadsRead | 1<<LogsRead | 1<<WorkflowsRead | 1<<AlertsRead | 1<<MetricsRead)

	operating = viewing | 1<<RunsStart | 1<<RunsOperate | 1<<RunsSignal | 1<<SchedulesOperate | 1<<AlertsOperate | 1<<LimitsOperate | 1<<ConditionsOperate
)

// roles is the table of roles. What two roles have in common is a role too, or
// nothing; see common.
var roles = []struct {
	role Role
	may  set
}{
	{Viewer, viewing},
	{Operator, operating},
	{Author, viewing | 1<<WorkflowsWrite},
	{Approver, viewing | 1<<ApprovalsDecide},
	{Admin, everything &^ (1 << ApprovalsDecide)},
	{Auditor, reads},
	{Worker, 1<<TasksWork | 1<<RunsSignal},
	{Messenger, 1 << RunsSignal},
	{Privacy, viewing | 1<<RunsErase},
}

// Roles are all roles.
func Roles() []Role {
	out := make([]Role, len(roles))
	for i, r := range roles {
		out[i] = r.role
	}
	return out
}

// Permissions are those of the role; none if there is no such role.
func (r Role) Permissions() []Permission { return r.set().list() }

func (r Role) known() bool { return slices.Contains(Roles(), r) }

func (r Role) set() set {
	for _, known := range roles {
		if known.role == r {
			return known.may
		}
	}
	return 0
}

// All is the namespace of grants on all namespaces and on the installation.
const All = "*"

// Grant is a role in a namespace.
type Grant struct {
	Role      Role   `json:"role"`
	Namespace string `json:"namespace"` // a name, or All
}

// Compare orders grants by namespace and role.
func (g Grant) Compare(other Grant) int {
	return cmp.Or(strings.Compare(g.Namespace, other.Namespace), cmp.Compare(g.Role, other.Role))
}

// String is the role and the namespace, as in viewer@risk.
func (g Grant) String() string { return string(g.Role) + "@" + g.Namespace }

// ordered returns a copy in order, each grant once.
func ordered(grants []Grant) []Grant {
	out := slices.Clone(grants)
	slices.SortFunc(out, Grant.Compare)
	return slices.Compact(out)
}

// narrowed returns the grants of what both lists give: a role for each pair
// that has something in common.
func narrowed(grants, scopes []Grant) []Grant {
	var out []Grant
	for _, g := range grants {
		for _, s := range scopes {
			namespace := g.Namespace
			switch {
			case namespace == All:
				namespace = s.Namespace
			case s.Namespace != All && s.Namespace != namespace:
				continue
			}
			if role, ok := common(g.Role, s.Role); ok {
				out = append(out, Grant{Role: role, Namespace: namespace})
			}
		}
	}
	return ordered(out)
}

// common is the role that has exactly what both have; false if they have nothing
// in common. Of two known roles that do there always is one, which a test sees
// to.
func common(a, b Role) (Role, bool) {
	both := a.set() & b.set()
	for _, r := range roles {
		if r.may == both {
			return r.role, true
		}
	}
	return "", false
}

// rights is what grants give.
type rights struct {
	all set // in every namespace, and for the installation
	in  map[string]set
}

func rightsOf(grants []Grant) rights {
	r := rights{}
	for _, g := range grants {
		if g.Namespace == All {
			r.all |= g.Role.set()
			continue
		}
		if r.in == nil {
			r.in = map[string]set{}
		}
		r.in[g.Namespace] |= g.Role.set() &^ ofInstallation
	}
	return r
}

// only returns what of the rights is in the set.
func (r rights) only(s set) rights {
	out := rights{all: r.all & s, in: maps.Clone(r.in)}
	for namespace := range out.in {
		out.in[namespace] &= s
	}
	return out
}

func (r rights) of(namespace string) set {
	if namespace == "" || namespace == All {
		return r.all
	}
	return r.all | r.in[namespace]
}

// covers reports whether the rights are at least the others.
func (r rights) covers(other rights) bool {
	if other.all&^r.all != 0 {
		return false
	}
	for namespace, s := range other.in {
		if s&^r.of(namespace) != 0 {
			return false
		}
	}
	return true
}
