package access_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
)

func TestNamespaces(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	full := access.Namespace{
		Name: "risk", Description: "Risk", Environment: "prod",
		Vars:  map[string]string{"region": `"eu"`, "limits": `{"a":[1,2.50]}`},
		RunAs: []string{"batch", "EXAMPLE.svc@corp"}, AlertChannels: []string{"ops"},
		Retention: access.Retention{Runs: "90d", Payloads: "1w", Logs: "1h", Last: new(uint32(0))},
	}
	if _, err := p.PutNamespace(t.Context(), root, full); err != nil {
		t.Fatal(err)
	}
	full.Vars["region"] = "changed by the caller"
	p.open(2)
	got, there := p.Namespace("risk")
	full.Vars["region"] = `"eu"`
	if !there || cmp.Diff(full, got) != "" || len(p.Namespaces()) != 1 {
		t.Error(cmp.Diff(full, got))
	}
	many := map[string]string{}
	for i := range access.MaxVars + 1 {
		many[fmt.Sprintf("v%d", i)] = "1"
	}
	large := map[string]string{}
	for i := range 20 {
		large[fmt.Sprintf("v%d", i)] = `"` + strings.Repeat("x", access.MaxVarBytes-2) + `"`
	}
	for name, c := range map[string]struct {
		n    access.Namespace
		says string
	}{
		"no JSON":         {access.Namespace{Vars: map[string]string{"a": "{"}}, "variable a is not JSON"},
		"twice a key":     {access.Namespace{Vars: map[string]string{"a": `{"x":1,"x":2}`}}, "variable a is not JSON"},
		"empty":           {access.Namespace{Vars: map[string]string{"a": ""}}, "variable a is not JSON"},
		"odd variable":    {access.Namespace{Vars: map[string]string{"a-b": "1"}}, "not a name of a variable"},
		"many variables":  {access.Namespace{Vars: many}, "1001 variables are more than 1000"},
		"large variable":  {access.Namespace{Vars: map[string]string{"a": `"` + strings.Repeat("x", access.MaxVarBytes) + `"`}}, "variable a has"},
		"large variables": {access.Namespace{Vars: large}, "all variables together"},
		"odd user":        {access.Namespace{RunAs: []string{"a b"}}, "not the name of a user"},
		"user as number":  {access.Namespace{RunAs: []string{"0"}}, "not the name of a user"},
		"user as option":  {access.Namespace{RunAs: []string{"-u"}}, "not the name of a user"},
		"many users":      {access.Namespace{RunAs: make([]string, access.MaxRunAs+1)}, "more than 100"},
		"odd channel":     {access.Namespace{AlertChannels: []string{"../x"}}, "not a name of a channel"},
		"many channels":   {access.Namespace{AlertChannels: make([]string, access.MaxChannels+1)}, "more than 100"},
		"odd environment": {access.Namespace{Environment: "Prod"}, `write "prod"`},
		"short runs":      {access.Namespace{Retention: access.Retention{Runs: "29d"}}, "29d is less than 30d"},
		"short data":      {access.Namespace{Retention: access.Retention{Payloads: "59m"}}, "59m is less than 1h"},
		"odd time":        {access.Namespace{Retention: access.Retention{Logs: "a month"}}, "not a duration"},
		"many kept":       {access.Namespace{Retention: access.Retention{Last: new(uint32(access.MaxKeepLast + 1))}}, "more than 1000"},
		"odd description": {access.Namespace{Description: "a\x07"}, "does not print"},
	} {
		c.n.Name = "risk"
		if _, err := p.PutNamespace(t.Context(), root, c.n); !errors.Is(err, access.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := p.Namespace("risk"); cmp.Diff(full, got) != "" {
		t.Error(cmp.Diff(full, got))
	}
	if entry := p.disk.entries[0]; strings.Contains(string(entry.Detail), "2.50") || !strings.Contains(string(entry.Detail), `"vars":["limits","region"]`) {
		t.Errorf("recorded: %s", entry.Detail)
	}
}

// TestDeleteNamespace: a later namespace of the same name begins without grants.
func TestDeleteNamespace(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@risk operator@risk viewer@fin"})
	if _, _, err := p.PutGroup(t.Context(), root, "team", "", []string{"ada"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.SetGrant(t.Context(), root, "group/team", grantsOf("author@risk")[0], false); err != nil {
		t.Fatal(err)
	}
	_, limited := p.token(access.NewToken{User: "ada", Scopes: grantsOf("viewer@risk")})
	busy := func() error { return errors.New("3 workflows are in it") }
	if _, err := p.DeleteNamespace(t.Context(), root, "risk", busy); !errors.Is(err, access.ErrConflict) || !strings.Contains(err.Error(), "3 workflows") {
		t.Errorf("in use: %v", err)
	}
	own := &access.Error{Kind: access.ErrConflict, Text: "my own words"}
	if _, err := p.DeleteNamespace(t.Context(), root, "risk", func() error { return own }); !errors.Is(err, error(own)) {
		t.Errorf("in use: %v", err)
	}
	if err := p.deleteNamespace("default"); !errors.Is(err, access.ErrConflict) {
		t.Errorf("default: %v", err)
	}
	if err := p.deleteNamespace("nowhere"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("nowhere: %v", err)
	}
	if err := p.deleteNamespace("risk"); err != nil {
		t.Fatal(err)
	}
	last := p.disk.entries[len(p.disk.entries)-1]
	if want := `{"grants_removed":{"group/team":["author"],"user/ada":["operator","viewer"]}}`; string(last.Detail) != want || last.Namespace != "risk" {
		t.Errorf("recorded: %s in %s", last.Detail, last.Namespace)
	}
	if _, err := p.PutNamespace(t.Context(), root, access.Namespace{Name: "risk"}); err != nil {
		t.Fatal(err)
	}
	if id := p.full("ada"); cmp.Diff(grantsOf("viewer@fin"), id.Grants) != "" {
		t.Errorf("ada has %v", id.Grants)
	}
	if id := p.who(limited); len(id.Grants) != 0 || id.May(access.RunsRead, "fin") || id.May(access.RunsRead, "risk") {
		t.Errorf("the token has %v", id.Grants)
	}
}
