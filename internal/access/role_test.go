package access_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/access"
)

// matrix is every role with every permission: x where a grant in one namespace
// gives it, * where only one on all namespaces does.
//
//nolint:dupword // a table
const matrix = `
                   viewer operator author approver admin auditor worker messenger privacy
runs.read             x      x       x       x       x      x       -      -       x
runs.start            -      x       -       -       x      -       -      -       -
runs.operate          -      x       -       -       x      -       -      -       -
payloads.read         x      x       x       x       x      x       -      -       x
logs.read             x      x       x       x       x      x       -      -       x
workflows.read        x      x       x       x       x      x       -      -       x
workflows.write       -      -       x       -       x      -       -      -       -
schedules.operate     -      x       -       -       x      -       -      -       -
alerts.read           x      x       x       x       x      x       -      -       x
alerts.operate        -      x       -       -       x      -       -      -       -
approvals.decide      -      -       -       x       -      -       -      -       -
namespaces.manage     -      -       -       -       *      -       -      -       -
identities.read       -      -       -       -       *      *       -      -       -
identities.manage     -      -       -       -       *      -       -      -       -
audit.read            -      -       -       -       *      *       -      -       -
system.read           -      -       -       -       *      *       -      -       -
system.manage         -      -       -       -       *      -       -      -       -
metrics.read          *      *       *       *       *      *       -      -       *
tasks.work            -      -       -       -       x      -       x      -       -
runs.erase            -      -       -       -       x      -       -      -       x
limits.operate        -      x       -       -       x      -       -      -       -
runs.signal           -      x       -       -       x      -       x      x       -
conditions.operate    -      x       -       -       x      -       -      -       -
`

func TestMatrix(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	names := strings.Fields(lines[0])
	if got := len(access.Roles()); got != len(names) {
		t.Errorf("%d roles, the table has %d", got, len(names))
	}
	if got := len(access.Permissions()); got != len(lines)-1 {
		t.Errorf("%d permissions, the table has %d", got, len(lines)-1)
	}
	for i, name := range names {
		p := installed(t, map[string]string{
			"local": name + "@risk", "global": name + "@*", "root": "admin@*",
		})
		local, global := p.full("local"), p.full("global")
		for n, line := range lines[1:] {
			cells := strings.Fields(line)
			permission, cell := access.Permissions()[n], cells[i+1]
			if permission.String() != cells[0] {
				t.Fatalf("permission %s, the table has %s", permission, cells[0])
			}
			for _, c := range []struct {
				id        access.Identity
				namespace string
				want      bool
			}{
				{global, "", cell != "-"}, {global, "risk", cell != "-"}, {global, "fin", cell != "-"},
				{local, "risk", cell == "x"}, {local, "", false}, {local, "fin", false}, {local, "*", false},
				{local, "ris", false}, {local, "risk2", false}, {local, "risk\x00", false}, {local, "Risk", false}, {local, "-", false},
				{access.Identity{}, "", false}, {access.Identity{}, "risk", false}, {access.System("x"), "", false},
			} {
				if got := c.id.May(permission, c.namespace); got != c.want {
					t.Errorf("%s: %s may %s in %q: %v", name, c.id.Actor(), permission, c.namespace, got)
				}
				if got := c.id.Allow(permission, c.namespace, false) == nil; got != c.want {
					t.Errorf("%s: %s is allowed %s in %q: %v", name, c.id.Actor(), permission, c.namespace, got)
				}
			}
			all, in := local.Namespaces(permission)
			if want := cell == "x"; all || slices.Equal(in, []string{"risk"}) != want || len(in) > 1 {
				t.Errorf("%s: namespaces of %s: %v %v", name, permission, all, in)
			}
			if all, in := global.Namespaces(permission); all != (cell != "-") || in != nil {
				t.Errorf("%s on all: namespaces of %s: %v %v", name, permission, all, in)
			}
		}
	}
}

// TestCommon: what two roles have in common is a role, so that grants can say
// what a token may.
func TestCommon(t *testing.T) {
	t.Parallel()
	for _, a := range access.Roles() {
		for _, b := range access.Roles() {
			p := installed(t, map[string]string{"ada": string(a) + "@*", "root": "admin@*"})
			_, header := p.token(access.NewToken{User: "ada", Scopes: grantsOf(string(b) + "@*")})
			id := p.who(header)
			for _, permission := range access.Permissions() {
				want := slices.Contains(a.Permissions(), permission) && slices.Contains(b.Permissions(), permission)
				if got := id.May(permission, ""); got != want {
					t.Errorf("%s as %s: %s: %v", a, b, permission, got)
				}
			}
			want := 1
			if !slices.ContainsFunc(a.Permissions(), func(p access.Permission) bool { return slices.Contains(b.Permissions(), p) }) {
				want = 0
			}
			if len(id.Grants) != want {
				t.Errorf("%s as %s: grants %v", a, b, id.Grants)
			}
		}
	}
}

// TestPermissionsAreThoseOfTheAPI: numbers and names follow the enum.
func TestPermissionsAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../proto/regie/v1/access.proto")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`PERMISSION_(\w+) = (\d+);`).FindAllStringSubmatch(string(text), -1)
	if last := len(access.Permissions()) + 3; len(found) != last {
		t.Errorf("the API has %d permissions, not %d", len(found), last)
	}
	for _, f := range found {
		number, err := strconv.ParseUint(f[2], 10, 8)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(strings.ToLower(f[1]), "_", ".")
		if got := access.Permission(number).String(); got != want {
			t.Errorf("permission %d is %s, in the API %s", number, got, want)
		}
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*"})
	id := p.full("root")
	for _, c := range []struct {
		id         access.Identity
		permission access.Permission
		want       bool
	}{
		{access.Identity{}, access.Public, true},
		{access.Identity{}, access.Known, false},
		{id, access.Known, true},
		{id, access.Unspecified, false}, // a method without a rule
		{id, access.Known + 1 + access.Permission(len(access.Permissions())), false},
		{id, 255, false},
	} {
		if c.want && c.permission == access.Known && len(c.id.Permissions("")) != len(access.Permissions())-1 {
			t.Errorf("an admin has %v", c.id.Permissions(""))
		}
		if got := c.id.May(c.permission, ""); got != c.want || (c.id.Allow(c.permission, "", true) == nil) != c.want {
			t.Errorf("%s may %s: %v", c.id.Actor(), c.permission, got)
		}
	}
}
