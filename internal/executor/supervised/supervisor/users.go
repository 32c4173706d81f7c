package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/workflow"
)

// users decides as whom tasks run.
type users struct {
	uid     int    // our own
	name    string // our own, for messages
	def     string // of tasks that name none; empty: our own
	entries []string
	lookup  func(name string) (*process.User, error)
}

// newUsers checks the lists. An entry is a user's name, for tasks of every
// namespace, or NAMESPACE/NAME.
func newUsers(runAs []string, def string) (*users, error) {
	for _, entry := range runAs {
		_, name, found := strings.Cut(entry, "/")
		if !found {
			name = entry
		}
		if err := workflow.CheckUserName(name); err != nil {
			return nil, fmt.Errorf("list of users %q: %w", entry, err)
		}
	}
	u := &users{uid: os.Geteuid(), def: def, entries: runAs, lookup: lookupUser}
	u.name = strconv.Itoa(u.uid)
	if own, err := user.LookupId(u.name); err == nil {
		u.name = own.Username
	}
	if def == "" {
		return u, nil
	}
	if err := workflow.CheckUserName(def); err != nil {
		return nil, fmt.Errorf("user of tasks %q: %w", def, err)
	}
	if _, err := u.become(def); err != nil {
		return nil, err
	}
	return u, nil
}

// of is the user of a task; nil is our own.
func (u *users) of(t *executor.Task) (*process.User, error) {
	if t.RunAs == "" {
		if u.def == "" {
			return nil, nil
		}
		return u.become(u.def)
	}
	if err := workflow.CheckUserName(t.RunAs); err != nil {
		return nil, fmt.Errorf("user %q: %w", t.RunAs, err)
	}
	if !slices.Contains(u.entries, t.RunAs) && !slices.Contains(u.entries, t.Namespace+"/"+t.RunAs) {
		return nil, fmt.Errorf("user %q is not allowed to tasks of namespace %q; allow it with --run-as %s/%s where the supervisor is started", t.RunAs, t.Namespace, t.Namespace, t.RunAs)
	}
	return u.become(t.RunAs)
}

// become finds a user that we may change to; nil is our own.
func (u *users) become(name string) (*process.User, error) {
	found, err := u.lookup(name)
	if err != nil {
		return nil, err
	}
	switch {
	case found.Name != name:
		return nil, fmt.Errorf("user %q: the machine knows it as %q; write that", name, found.Name)
	case found.UID == 0 && name != "root":
		return nil, fmt.Errorf("user %q is root by another name; only root itself can be allowed", name)
	case int(found.UID) == u.uid:
		return nil, nil
	case u.uid != 0:
		return nil, fmt.Errorf("user %q: the supervisor runs as %q and cannot change to other users; start it as root", name, u.name)
	}
	return found, nil
}

// lookupUser asks the machine.
func lookupUser(name string) (*process.User, error) {
	found, err := user.Lookup(name)
	if err != nil {
		var unknown user.UnknownUserError
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("user %q: the machine has no such user", name)
		}
		return nil, fmt.Errorf("look user %q up: %w", name, err)
	}
	out := &process.User{Name: found.Username, Home: found.HomeDir}
	if out.UID, err = number(found.Uid); err == nil {
		out.GID, err = number(found.Gid)
	}
	if err != nil {
		return nil, fmt.Errorf("look user %q up: %w", name, err)
	}
	groups, err := found.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look the groups of user %q up: %w", name, err)
	}
	for _, text := range groups {
		id, err := number(text)
		if err != nil {
			return nil, fmt.Errorf("look the groups of user %q up: %w", name, err)
		}
		out.Groups = append(out.Groups, id)
	}
	return out, nil
}

func number(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}
