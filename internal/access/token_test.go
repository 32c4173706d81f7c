package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
)

var tokenForm = regexp.MustCompile(`^regie_pat_[0-9a-z]{8}[0-9A-Za-z]{33}_[0-9A-Za-z]{6}$`)

func TestTokens(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "operator@risk viewer@fin", "bob": "viewer@*"})
	ada := p.full("ada")
	made, secret, position, err := p.CreateToken(t.Context(), ada, access.NewToken{Name: "ci"})
	want := access.Token{ID: made.ID, Name: "ci", User: "ada", CreatedAt: start, ExpiresAt: start.Add(access.DefaultTokenLife)}
	if err != nil || position == 0 || cmp.Diff(want, made) != "" || !tokenForm.MatchString(secret) || !strings.HasPrefix(secret, "regie_pat_"+made.ID) {
		t.Fatalf("%v %s %s", err, secret, cmp.Diff(want, made))
	}
	if strings.Contains(p.disk.text(), secret) || strings.Contains(p.disk.text(), secret[20:40]) {
		t.Error("the secret is stored")
	}
	p.advance(time.Minute)
	id := p.who(bearer(secret))
	if id.User != "ada" || id.Via != "token/"+made.ID || id.ReadOnly || id.Remote.String() != "192.0.2.1" ||
		!id.ExpiresAt.Equal(want.ExpiresAt) || cmp.Diff(grantsOf("viewer@fin operator@risk"), id.Grants) != "" {
		t.Errorf("%+v", id)
	}
	for name, c := range map[string]struct {
		by   access.Identity
		n    access.NewToken
		want error
	}{
		"a year":               {ada, access.NewToken{ExpiresAt: p.time().AddDate(1, 0, 0)}, nil},
		"a moment":             {ada, access.NewToken{ExpiresAt: p.time().Add(time.Second)}, nil},
		"over a year":          {ada, access.NewToken{ExpiresAt: p.time().Add(access.MaxTokenLife + time.Second)}, access.ErrInvalid},
		"expired":              {ada, access.NewToken{ExpiresAt: p.time()}, access.ErrInvalid},
		"long ago":             {ada, access.NewToken{ExpiresAt: time.Unix(0, 0)}, access.ErrInvalid},
		"odd name":             {ada, access.NewToken{Name: "a\x1b"}, access.ErrInvalid},
		"odd scope":            {ada, access.NewToken{Scopes: grantsOf("root@*")}, access.ErrInvalid},
		"scope of nowhere":     {ada, access.NewToken{Scopes: grantsOf("viewer@nowhere")}, access.ErrInvalid},
		"for another":          {ada, access.NewToken{User: "bob"}, access.ErrDenied},
		"for another by admin": {p.full("root"), access.NewToken{User: "bob"}, nil},
		"for nobody":           {p.full("root"), access.NewToken{User: "nobody"}, access.ErrNotFound},
		"by nobody":            {access.Identity{}, access.NewToken{}, access.ErrUnauthenticated},
		"by nobody for ada":    {access.Identity{}, access.NewToken{User: "ada"}, access.ErrUnauthenticated},
	} {
		if _, _, _, err := p.CreateToken(t.Context(), c.by, c.n); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	own, err := p.Tokens(ada, "")
	if err != nil || len(own) != 3 {
		t.Errorf("%v, %v", own, err)
	}
	for _, one := range own {
		if one.ID == made.ID && !one.LastUsedAt.Equal(p.time()) {
			t.Errorf("last used %s", one.LastUsedAt)
		}
	}
	for _, user := range []string{"bob", "-", "nobody"} {
		if _, err := p.Tokens(ada, user); !errors.Is(err, access.ErrDenied) {
			t.Errorf("tokens of %s: %v", user, err)
		}
	}
	if _, err := p.RevokeToken(t.Context(), p.full("bob"), made.ID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("revoked by another: %v", err)
	}
	if _, err := p.RevokeToken(t.Context(), p.full("root"), made.ID); err != nil {
		t.Errorf("revoked by an admin: %v", err)
	}
	p.out(bearer(secret))
	if _, err := p.RevokeToken(t.Context(), ada, made.ID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("revoked again: %v", err)
	}
}

func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*", "bob": "viewer@*"})
	ada := p.full("ada")
	for range access.MaxTokens {
		if _, _, _, err := p.CreateToken(t.Context(), ada, access.NewToken{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := p.CreateToken(t.Context(), ada, access.NewToken{}); !errors.Is(err, access.ErrConflict) {
		t.Errorf("%v", err)
	}
	if _, _, _, err := p.CreateToken(t.Context(), p.full("bob"), access.NewToken{}); err != nil {
		t.Errorf("those of others: %v", err)
	}
}

// TestScopes: a token may what both its scopes and its user may.
func TestScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		user, scopes string
		readOnly     bool
		want         string // effective grants
		may, mayNot  string // permission@namespace
	}{
		{"operator@risk", "", false, "operator@risk", "runs.start@risk", "runs.start@fin"},
		{"operator@risk", "viewer@risk", false, "viewer@risk", "runs.read@risk", "runs.start@risk"},
		{"operator@*", "operator@risk", false, "operator@risk", "runs.start@risk", "runs.start@fin runs.read@fin metrics.read@"},
		{"viewer@*", "operator@risk", false, "viewer@risk", "runs.read@risk", "runs.start@risk"},
		{"operator@risk", "operator@fin", false, "", "", "runs.start@risk runs.start@fin runs.read@risk"},
		{"admin@*", "auditor@*", false, "auditor@*", "audit.read@ system.read@", "identities.manage@ runs.start@risk"},
		{"admin@*", "admin@risk", false, "admin@risk", "workflows.write@risk", "identities.manage@ audit.read@ workflows.write@fin"},
		{"admin@* approver@risk", "approver@*", false, "viewer@* approver@risk", "approvals.decide@risk", "approvals.decide@fin runs.start@risk"},
		{"operator@risk author@risk", "operator@*", false, "operator@risk viewer@risk", "runs.start@risk", "workflows.write@risk"},
		{"operator@risk", "", true, "operator@risk", "runs.read@risk", "runs.start@risk"},
		{"admin@*", "", true, "admin@*", "audit.read@ identities.read@", "identities.manage@ system.manage@ namespaces.manage@ workflows.write@risk"},
	} {
		p := installed(t, map[string]string{"ada": c.user, "root": "admin@*"})
		made, header := p.token(access.NewToken{User: "ada", Scopes: grantsOf(c.scopes), ReadOnly: c.readOnly})
		id := p.who(header)
		name := fmt.Sprintf("%s as %s, read only %v", c.user, c.scopes, c.readOnly)
		if cmp.Diff(grantsOf(c.want), id.Grants) != "" || made.ReadOnly != c.readOnly || id.ReadOnly != c.readOnly {
			t.Errorf("%s: %v", name, id.Grants)
		}
		for want, list := range map[bool]string{true: c.may, false: c.mayNot} {
			for one := range strings.FieldsSeq(list) {
				permission, namespace, _ := strings.Cut(one, "@")
				if got := id.May(permissionNamed(t, permission), namespace); got != want {
					t.Errorf("%s: %s: %v", name, one, got)
				}
			}
		}
		if err := id.Allow(access.Known, "", true); errors.Is(err, access.ErrDenied) != c.readOnly {
			t.Errorf("%s: writing: %v", name, err)
		}
	}
}

func permissionNamed(t *testing.T, name string) access.Permission {
	t.Helper()
	for _, p := range access.Permissions() {
		if p.String() == name {
			return p
		}
	}
	t.Fatalf("no permission %s", name)
	return 0
}

// TestLimitedTokens: a token that is limited gives its holder no way to more.
func TestLimitedTokens(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "operator@risk author@fin"})
	other, otherHeader := p.token(access.NewToken{User: "ada"})
	_, limited := p.token(access.NewToken{User: "ada", Scopes: grantsOf("operator@risk")})
	readOnly, readOnlyHeader := p.token(access.NewToken{User: "ada", ReadOnly: true})
	_, adminReads := p.token(access.NewToken{User: "root", ReadOnly: true})
	_, adminViews := p.token(access.NewToken{User: "root", Scopes: grantsOf("auditor@*")})
	for name, c := range map[string]struct {
		header http.Header
		n      access.NewToken
		want   error
	}{
		"more than itself":         {limited, access.NewToken{}, access.ErrDenied},
		"another role":             {limited, access.NewToken{Scopes: grantsOf("author@fin")}, access.ErrDenied},
		"everywhere":               {limited, access.NewToken{Scopes: grantsOf("viewer@*")}, access.ErrDenied},
		"itself":                   {limited, access.NewToken{Scopes: grantsOf("operator@risk")}, nil},
		"less than itself":         {limited, access.NewToken{Scopes: grantsOf("viewer@risk"), ReadOnly: true}, nil},
		"by one that only reads":   {readOnlyHeader, access.NewToken{ReadOnly: true}, access.ErrDenied},
		"reads, within its scopes": {readOnlyHeader, access.NewToken{Scopes: grantsOf("viewer@risk")}, access.ErrDenied},
		"by an admin's that reads": {adminReads, access.NewToken{User: "ada"}, access.ErrDenied},
		"by an admin's with less":  {adminViews, access.NewToken{User: "ada"}, access.ErrDenied},
		"by one without limits":    {otherHeader, access.NewToken{}, nil},
	} {
		if _, _, _, err := p.CreateToken(t.Context(), p.who(c.header), c.n); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.RevokeToken(t.Context(), p.who(limited), other.ID); !errors.Is(err, access.ErrDenied) {
		t.Errorf("revokes another: %v", err)
	}
	if _, err := p.Logout(t.Context(), p.who(limited), true); !errors.Is(err, access.ErrDenied) {
		t.Errorf("ends sessions: %v", err)
	}
	if _, err := p.RevokeToken(t.Context(), p.who(readOnlyHeader), readOnly.ID); err != nil {
		t.Errorf("revokes itself: %v", err)
	}
	if _, err := p.RevokeToken(t.Context(), p.who(otherHeader), other.ID); err != nil {
		t.Errorf("without limits: %v", err)
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
	made, header := p.token(access.NewToken{User: "ada", ExpiresAt: start.Add(time.Hour)})
	p.advance(time.Hour - time.Microsecond)
	p.who(header)
	p.advance(time.Microsecond)
	if words := p.out(header); !strings.Contains(words, "expired at 2030-03-01T10:00:00Z") {
		t.Error(words)
	}
	count := func() int {
		t.Helper()
		if err := p.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := p.Tokens(p.full("root"), "-")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	p.advance(access.ExpiredTokensKept - time.Second)
	if got := count(); got != 1 {
		t.Errorf("%d tokens are listed", got)
	}
	p.advance(time.Second)
	if got := count(); got != 0 {
		t.Errorf("%d tokens are listed", got)
	}
	if got := p.disk.record(); got[len(got)-2] != "system/sweep token.remove token/"+made.ID+" done" {
		t.Errorf("%q", got)
	}
}

// TestBadCredentials: rows B33 and B34.
func TestBadCredentials(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
	_, good := p.token(access.NewToken{User: "root"})
	_, second := p.token(access.NewToken{User: "ada"})
	token, other := good.Get("Authorization"), second.Get("Authorization")
	cookie := p.login("ada").Get("Cookie")
	name, value, _ := strings.Cut(cookie, "=")
	jwt := "eyJhbGciOiJub25lIiwia2lkIjoiLi4vLi4vZGV2L251bGwiLCJqa3UiOiJodHRwOi8vZXZpbC8ifQ.eyJzdWIiOiJyb290In0."
	flipped := token[:len(token)-10] + string(token[len(token)-10]^1) + token[len(token)-9:]
	auth := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	both := auth(token)
	both.Set("Cookie", cookie)
	for what, c := range map[string]struct {
		header http.Header
		says   string
	}{
		"none":              {http.Header{}, "no credential"},
		"empty header":      {auth(""), "not of the scheme Bearer"},
		"empty bearer":      {auth("Bearer "), "token is empty"},
		"bearer only":       {auth("Bearer"), "token is empty"},
		"two headers":       {auth(token, other), "2 Authorization headers"},
		"twice the same":    {auth(token, token), "2 Authorization headers"},
		"in one header":     {auth(token + ", " + other), "mistyped"},
		"two spaces":        {auth("Bearer  " + token[7:]), "not one of Regie"},
		"space behind":      {auth(token + " "), "mistyped"},
		"basic":             {auth("Basic cm9vdDpyb290"), "not of the scheme"},
		"basic with NUL":    {auth("Basic \x00"), "not of the scheme"},
		"NUL behind":        {auth(token + "\x00"), "mistyped"},
		"1 MB":              {auth("Bearer " + strings.Repeat("a", 1<<20)), "more than 256 bytes"},
		"1 MB of token":     {auth(token + strings.Repeat("a", 1<<20)), "more than 256 bytes"},
		"jwt":               {auth("Bearer " + jwt), "not one of Regie"},
		"one digit flipped": {auth(flipped), "mistyped"},
		"cut off":           {auth(token[:len(token)-1]), "mistyped"},
		"prefix only":       {auth("Bearer regie_pat_"), "mistyped"},
		"no ID":             {auth("Bearer " + access.Sealed("regie_pat_x")), "revoked, or never was"},
		"made up":           {auth("Bearer " + access.Sealed(token[7:len(token)-8]+"x")), "revoked, or never was"},
		"no such ID":        {auth("Bearer " + access.Sealed("regie_pat_00000000"+token[25:len(token)-7])), "revoked, or never was"},
		"admin token":       {auth("Bearer regie_admin_x"), "once only"},
		"token and cookie":  {both, "both a token and a session"},
		"two cookies":       {http.Header{"Cookie": {cookie + "; " + cookie}}, "2 session cookies"},
		"two cookie lines":  {http.Header{"Cookie": {cookie, cookie}}, "2 session cookies"},
		"cookies of 1 MB":   {http.Header{"Cookie": {cookie + "; a=" + strings.Repeat("a", 1<<20)}}, "bytes of cookies"},
		"empty cookie":      {http.Header{"Cookie": {name + "="}}, "has ended"},
		"made up cookie":    {http.Header{"Cookie": {name + "=" + value[1:] + "0"}}, "has ended"},
		"cookie for TLS":    {http.Header{"Cookie": {"__Host-regie=" + value}}, "no credential"},
		"another's cookie":  {http.Header{"Cookie": {"REGIE=" + value}}, "no credential"},
		"token as cookie":   {http.Header{"Cookie": {name + "=" + token[7:]}}, "has ended"},
		"cookie as token":   {auth("Bearer " + value), "not one of Regie"},
		"other headers":     {http.Header{"X-Forwarded-User": {"root"}, "X-Remote-User": {"root"}, "Proxy-Authorization": {token}}, "no credential"},
	} {
		if words := p.out(c.header); !strings.Contains(words, c.says) || len(words) > 300 {
			t.Errorf("%s: %s", what, words)
		}
	}
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		p.who(auth(scheme + token[6:]))
	}
}
