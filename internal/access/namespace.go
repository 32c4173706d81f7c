package access

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/value"
)

// DefaultNamespace is the namespace that there always is.
const DefaultNamespace = "default"

// Limits of a namespace.
const (
	MaxVars     = 1000
	MaxVarBytes = 64 << 10 // of one variable
	MaxVarsSize = 1 << 20  // of all, with their names
	MaxRunAs    = 100
	MaxChannels = 100
	MaxCallers  = 100
	MaxQuota    = 1_000_000 // runs or steps at once
)

// Namespace is a namespace with what holds for all that is in it.
type Namespace struct {
	Name        string `json:"-"`
	Description string `json:"description,omitempty"`
	// Vars are what vars.NAME means: names to JSON texts.
	Vars map[string]string `json:"vars,omitempty"`
	// RunAs are the users of the machine that tasks may run as.
	RunAs []string `json:"run_as,omitempty"`
	// AlertChannels are names of the channels that alerts are sent to.
	AlertChannels []string `json:"alert_channels,omitempty"`
	// Callers are the namespaces whose runs may start runs here and wait for them.
	Callers []string `json:"callers,omitempty"`
	// Environment is its name, such as prod; empty: that of the server.
	Environment string `json:"environment,omitempty"`
	// MaxRuns and MaxSteps are how many runs may be live that have begun, and how
	// many attempts at once; 0: no bound.
	MaxRuns  uint32 `json:"max_runs,omitempty"`
	MaxSteps uint32 `json:"max_steps,omitempty"`
	// Retention is how long what runs have left is kept.
	Retention Retention `json:"retention,omitzero"`
}

func viewNamespace(name string, n Namespace) Namespace {
	return Namespace{
		Name: name, Description: n.Description, Vars: maps.Clone(n.Vars), RunAs: slices.Clone(n.RunAs),
		AlertChannels: slices.Clone(n.AlertChannels), Environment: n.Environment, Retention: n.Retention,
		Callers: slices.Clone(n.Callers), MaxRuns: n.MaxRuns, MaxSteps: n.MaxSteps,
	}
}

// Namespace finds a namespace.
func (s *Service) Namespace(name string) (Namespace, bool) {
	n, ok := s.spaces.Get("", name)
	return viewNamespace(name, n), ok
}

// Namespaces are all namespaces by name.
func (s *Service) Namespaces() []Namespace {
	items := s.spaces.All()
	out := make([]Namespace, len(items))
	for i := range items {
		out[i] = viewNamespace(items[i].Name, items[i].Value)
	}
	return out
}

// NamespacesChanged returns a channel that is closed at the next change of a
// namespace.
func (s *Service) NamespacesChanged() <-chan struct{} { return s.spaces.Changed() }

// PutNamespace makes a namespace or replaces all of one. Errors: ErrInvalid.
func (s *Service) PutNamespace(ctx context.Context, by Identity, n Namespace) (uint64, error) {
	if err := checkNamespace(&n); err != nil {
		return 0, err
	}
	n = viewNamespace(n.Name, n) // the caller keeps theirs
	return s.registry.Update(ctx, func(tx *registry.Tx) error {
		s.putNamespace(tx, by, n)
		return nil
	})
}

func (s *Service) putNamespace(tx *registry.Tx, by Identity, n Namespace) {
	s.spaces.Put(tx, "", n.Name, n)
	// Values of variables may be large, and are nobody's business who only reads
	// the audit log.
	tx.Record(by.Done(Act{Action: "namespace.put", Namespace: n.Name, Object: "namespace/" + n.Name, Detail: map[string]any{
		"vars": slices.Sorted(maps.Keys(n.Vars)), "run_as": n.RunAs, "alert_channels": n.AlertChannels, "environment": n.Environment, "retention": n.Retention,
		"callers": n.Callers, "max_runs": n.MaxRuns, "max_steps": n.MaxSteps,
	}}))
}

// DeleteNamespace deletes a namespace, unless free, which is called within the
// transaction, returns an error, such as that workflows are in it. Grants in the
// namespace are taken away, so that a later one of the same name begins without
// any. Errors: ErrNotFound, ErrConflict.
func (s *Service) DeleteNamespace(ctx context.Context, by Identity, name string, free func() error) (uint64, error) {
	return s.change(ctx, func(d *draft) error {
		if _, there := s.spaces.Get("", name); !there {
			return notFound("namespace", name)
		}
		if name == DefaultNamespace {
			return conflict("", "the namespace %s is always there", name)
		}
		if err := free(); err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				return e
			}
			return conflict("", "the namespace %s is in use: %v", name, err)
		}
		s.spaces.Delete(d.tx, "", name)
		taken := map[string][]Role{}
		for _, item := range s.users.All() {
			a := item.Value
			if kept := without(taken, "user/"+item.Name, a.Grants, name); len(kept) < len(a.Grants) {
				a.Grants = kept
				d.put(item.Name, a)
			}
		}
		for _, item := range s.groups.All() {
			g := item.Value
			if kept := without(taken, "group/"+item.Name, g.Grants, name); len(kept) < len(g.Grants) {
				g.Grants = kept
				d.putGroup(item.Name, g)
			}
		}
		d.tx.Record(by.Done(Act{
			Action: "namespace.delete", Namespace: name, Object: "namespace/" + name, Detail: map[string]any{"grants_removed": taken},
		}))
		return nil
	})
}

// without returns the grants that are not in the namespace, and notes the others.
func without(taken map[string][]Role, subject string, grants []Grant, namespace string) []Grant {
	var kept []Grant
	for _, g := range grants {
		if g.Namespace != namespace {
			kept = append(kept, g)
		} else {
			taken[subject] = append(taken[subject], g.Role)
		}
	}
	return kept
}

// userForm is what names of users of a machine look like, those of directories
// included.
var userForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]{0,63}$`)

func checkNamespace(n *Namespace) error {
	if err := checkName("name", "namespace", n.Name); err != nil {
		return err
	}
	if err := checkText("description", n.Description, MaxDescription); err != nil {
		return err
	}
	if n.Environment != "" {
		if err := checkName("environment", "environment", n.Environment); err != nil {
			return err
		}
	}
	if err := checkVars(n.Vars); err != nil {
		return err
	}
	if _, err := n.Retention.Times(); err != nil {
		return err
	}
	if n.MaxRuns > MaxQuota || n.MaxSteps > MaxQuota {
		return invalid("max_runs", "a quota is at most %d", MaxQuota)
	}
	if len(n.RunAs) > MaxRunAs {
		return invalid("run_as", "%d users are more than %d", len(n.RunAs), MaxRunAs)
	}
	for _, user := range n.RunAs {
		if !userForm.MatchString(user) {
			return invalid("run_as", "%s is not the name of a user of a machine", shown(user))
		}
	}
	if len(n.AlertChannels) > MaxChannels {
		return invalid("alert_channels", "%d channels are more than %d", len(n.AlertChannels), MaxChannels)
	}
	for _, channel := range n.AlertChannels {
		if err := checkName("alert_channels", "channel", channel); err != nil {
			return err
		}
	}
	if len(n.Callers) > MaxCallers {
		return invalid("callers", "%d namespaces are more than %d", len(n.Callers), MaxCallers)
	}
	for _, caller := range n.Callers {
		if err := checkName("callers", "namespace", caller); err != nil {
			return err
		}
	}
	return nil
}

// Calls reports whether runs of the namespace caller may start runs in another
// one, and wait for runs there.
func (s *Service) Calls(caller, namespace string) bool {
	if caller == namespace {
		return true
	}
	n, ok := s.spaces.Get("", namespace)
	return ok && slices.Contains(n.Callers, caller)
}

func checkVars(vars map[string]string) error {
	if len(vars) > MaxVars {
		return invalid("vars", "%d variables are more than %d", len(vars), MaxVars)
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		text := vars[name]
		size += len(name) + len(text)
		if !descriptor.ValidIdentifier(name) {
			return invalid("vars", "%s is not a name of a variable: those have letters, digits and underscores, and do not begin with a digit", shown(name))
		}
		if len(text) > MaxVarBytes {
			return invalid("vars", "variable %s has %d bytes and may have %d", name, len(text), MaxVarBytes)
		}
		if _, err := value.Parse([]byte(text)); err != nil {
			return invalid("vars", "variable %s is not JSON: %v", name, err)
		}
	}
	if size > MaxVarsSize {
		return invalid("vars", "all variables together have %d bytes and may have %d", size, MaxVarsSize)
	}
	return nil
}
