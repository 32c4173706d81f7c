package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
)

// machine is a machine with a few users.
func machine(name string) (*process.User, error) {
	ids := map[string]uint32{"root": 0, "toor": 0, "nobody": 65534, "settle": 1001, "self": 500, "0": 0, "nobody ": 65534}
	id, ok := ids[name]
	if name == "Nobody" { // a directory that does not look at the case
		return &process.User{Name: "nobody", UID: 65534}, nil
	}
	if !ok {
		return nil, fmt.Errorf("user %q: the machine has no such user", name)
	}
	return &process.User{Name: name, UID: id}, nil
}

// Row B70 of the list of bad inputs: a task runs as a user only if that exact
// name is allowed, and never as another one.
func TestUsers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		uid             int
		allowed, user   string // lists
		namespace, name string
		want            string // name of the user, "" for our own, or part of the error
		refused         bool
	}{
		{0, "nobody", "", "n", "nobody", "nobody", false},
		{0, "nobody settle", "", "n", "settle", "settle", false},
		{0, "n/nobody", "", "n", "nobody", "nobody", false},
		{0, "n/nobody", "", "m", "nobody", "not allowed", true},
		{0, "n/nobody", "", "", "nobody", "not allowed", true},
		{0, "n/nobody", "", "n", "n/nobody", "letter", true},
		{0, "", "", "n", "nobody", "--run-as n/nobody", true},
		{0, "nobody", "", "n", "root", "not allowed", true},
		{0, "nobody", "", "n", "0", "numbers", true},
		{0, "nobody", "", "n", "+0", "numbers", true},
		{0, "nobody", "", "n", "65534", "numbers", true},
		{0, "nobody", "", "n", "nobody ", "letter", true},
		{0, "nobody", "", "n", "nobody\x00", "letter", true},
		{0, "nobody", "", "n", "Nobody", "not allowed", true},
		{0, "Nobody", "", "n", "Nobody", `"nobody"; write that`, true},
		{0, "toor", "", "n", "toor", "root by another name", true},
		{0, "root", "", "n", "root", "", false}, // literally listed; its own user
		{0, "ghost", "", "n", "ghost", "no such user", true},
		{0, "nobody", "settle", "n", "", "settle", false},
		{0, "nobody", "", "n", "", "", false},
		{500, "nobody", "", "n", "nobody", "cannot change", true},
		{500, "root", "", "n", "root", "cannot change", true},
		{500, "self", "", "n", "self", "", false},
		{500, "", "", "n", "self", "not allowed", true},
		{500, "", "", "n", "", "", false},
	} {
		u := &users{uid: c.uid, name: "me", def: c.user, entries: strings.Fields(c.allowed), lookup: machine}
		got, err := u.of(&executor.Task{RunAs: c.name, Namespace: c.namespace})
		switch {
		case c.refused && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: got %+v, %v", c, got, err)
		case !c.refused && err != nil:
			t.Errorf("%+v: %v", c, err)
		case !c.refused && (got == nil) != (c.want == ""), got != nil && got.Name != c.want:
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestUserListsAreChecked(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"0", "+0", "nobody ", "", "n/", "a/b/c", "n/0"} {
		if _, err := newUsers([]string{entry}, ""); err == nil {
			t.Errorf("the list may have %q", entry)
		}
	}
	if _, err := newUsers(nil, "0"); err == nil {
		t.Error("tasks may run as user 0")
	}
	if u, err := lookupUser("root"); err != nil || u.UID != 0 || u.Home == "" {
		t.Errorf("root is %+v, %v", u, err)
	}
	if _, err := lookupUser("no-such-user"); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("got %v", err)
	}
}

func TestCallers(t *testing.T) {
	t.Parallel()
	s := &supervisor{cfg: Config{UIDs: []int{990}}, users: &users{uid: 500}}
	for uid, want := range map[int]bool{500: true, 990: true, 0: false, 65534: false, -1: false, 991: false} {
		if s.allowed(uid) != want {
			t.Errorf("user %d: %v", uid, !want)
		}
	}
}

func TestOurFolders(t *testing.T) {
	t.Parallel()
	s := &supervisor{cfg: Config{Work: "/var/work"}}
	for dir, want := range map[string]bool{
		"/var/work/r1/1-1": true, "/var/work/x": true,
		"/var/work": false, "/var": false, "/etc": false, "/var/work/../../etc": false, "/var/workers/x": false,
		"relative": false, "": false, "/var/work/a\x00b": false,
	} {
		if s.ours(dir) != want {
			t.Errorf("%q: %v", dir, !want)
		}
	}
}

// A supervisor that is root starts nothing as root for somebody who is not.
func TestRootIsNotLent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, caller int
		user, runAs string
		refused     bool
	}{
		{0, 990, "", "", true},
		{0, 990, "nobody", "", false},
		{0, 990, "", "nobody", false},
		{0, 0, "", "", false},
		{991, 990, "", "", false},
	} {
		s := &supervisor{cfg: Config{Work: "/w", User: c.user}, users: &users{uid: c.own}}
		err := (&call{s: s, uid: c.caller}).mayStart(&executor.Task{Dir: "/w/r/1", RunAs: c.runAs})
		var start *executor.StartError
		if c.refused != (err != nil) || err != nil && (!errors.As(err, &start) || start.Name != "run_as") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
