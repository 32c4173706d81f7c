package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// Limits of what there may be.
const (
	MaxGrants   = 100  // of a user, of a group, in the scopes of a token
	MaxMembers  = 1000 // of a group
	MaxTokens   = 100  // of a user, with those that have expired but are still listed
	MaxSessions = 20   // of a user; a further one ends that which was not used for longest
)

// Config is what a service is made with.
type Config struct {
	Now    func() time.Time // needed
	Random io.Reader        // needed: unpredictable bytes
	// Cost is what hashing a password takes; default PasswordMemory,
	// PasswordPasses and PasswordThreads.
	Cost Cost
}

// Service keeps identities. Safe for concurrent use.
type Service struct {
	clock     func() time.Time
	passwords *hasher
	users     *registry.Table[account]
	retired   *registry.Table[retired]
	groups    *registry.Table[group]
	tokens    *registry.Table[token]
	sessions  *registry.Table[session]
	spaces    *registry.Table[Namespace]
	admins    *registry.Table[adminToken]
	registry  *registry.Registry

	perUser, perRemote *buckets
	denials            denials

	randomMu sync.Mutex
	random   io.Reader

	mu sync.Mutex // guards what follows
	// used and seen are when tokens and sessions were used, by ID and key, where
	// that is news to the registry.
	used, seen map[string]time.Time
	watchers   map[*watcher]struct{}
	insiders   map[string]insider // parts of this process, by the IDs of their tokens
}

// account is a user as stored.
type account struct {
	DisplayName string    `json:"display_name,omitempty"`
	Disabled    bool      `json:"disabled,omitempty"`
	Password    string    `json:"password,omitempty"` // its hash; empty: none
	Grants      []Grant   `json:"grants,omitempty"`
	Groups      []string  `json:"groups,omitempty"` // in order
	CreatedAt   time.Time `json:"created_at"`
	LastLoginAt time.Time `json:"last_login_at,omitzero"`
}

// retired is what is left of a deleted user: the name.
type retired struct {
	At time.Time `json:"at"`
}

// group is a group as stored; who is in it stands with the users, which answers
// the question of every request without a search.
type group struct {
	Description string  `json:"description,omitempty"`
	Grants      []Grant `json:"grants,omitempty"`
}

// token is a token as stored.
type token struct {
	User       string    `json:"user"`
	Name       string    `json:"name,omitempty"`
	Hash       string    `json:"hash"`
	Scopes     []Grant   `json:"scopes,omitempty"`
	ReadOnly   bool      `json:"read_only,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// session is a session as stored, by the hash of its cookie.
type session struct {
	User      string    `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	SeenAt    time.Time `json:"seen_at"`
}

// New returns a service that needs [Service.Begin] before anything else but
// Tables.
func New(cfg Config) (*Service, error) {
	if cfg.Now == nil || cfg.Random == nil {
		return nil, errors.New("make access service: it needs a clock and randomness")
	}
	if cfg.Cost == (Cost{}) {
		cfg.Cost = Cost{Memory: PasswordMemory, Passes: PasswordPasses, Threads: PasswordThreads}
	}
	if cfg.Cost.Passes == 0 || cfg.Cost.Threads == 0 {
		return nil, fmt.Errorf("make access service: %+v is no cost of passwords", cfg.Cost)
	}
	return &Service{
		clock: cfg.Now, random: cfg.Random, passwords: newHasher(cfg.Cost),
		users:     registry.NewTable[account]("user"),
		retired:   registry.NewTable[retired]("retired-user"),
		groups:    registry.NewTable[group]("group"),
		tokens:    registry.NewTable[token]("token"),
		sessions:  registry.NewTable[session]("session"),
		spaces:    registry.NewTable[Namespace]("namespace"),
		admins:    registry.NewTable[adminToken]("admin-token"),
		perUser:   newBuckets(UserAttempts, UserAttemptEvery, MaxBuckets),
		perRemote: newBuckets(RemoteAttempts, RemoteAttemptEvery, MaxBuckets),
		denials:   denials{counts: map[string]*denialCount{}},
		used:      map[string]time.Time{}, seen: map[string]time.Time{},
		watchers: map[*watcher]struct{}{}, insiders: map[string]insider{},
	}, nil
}

// Tables are the tables of the service, for [registry.Open].
func (s *Service) Tables() []registry.AnyTable {
	return []registry.AnyTable{s.users, s.retired, s.groups, s.tokens, s.sessions, s.spaces, s.admins}
}

// Begin gives the service the registry that its tables belong to.
func (s *Service) Begin(r *registry.Registry) { s.registry = r }

// now is the present instant as it is stored.
func (s *Service) now() time.Time { return store.Time(s.clock()) }

// bytes returns n unpredictable bytes.
func (s *Service) bytes(n int) ([]byte, error) {
	s.randomMu.Lock()
	defer s.randomMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return b, nil
}

// draft is a change of users and groups within a transaction, which sees its own
// writes.
type draft struct {
	s      *Service
	tx     *registry.Tx
	users  map[string]*account // nil: deleted
	groups map[string]*group   // nil: deleted
}

// change runs a transaction on users and groups. It is refused if it takes away
// the last admin. Streams of those who lost rights end.
func (s *Service) change(ctx context.Context, f func(d *draft) error) (uint64, error) {
	defer s.recheck()
	return s.registry.Update(ctx, func(tx *registry.Tx) error {
		d := &draft{s: s, tx: tx, users: map[string]*account{}, groups: map[string]*group{}}
		if err := f(d); err != nil {
			return err
		}
		return d.write()
	})
}

func (d *draft) user(name string) (account, bool) {
	if a, drafted := d.users[name]; drafted {
		if a == nil {
			return account{}, false
		}
		return *a, true
	}
	return d.s.users.Get("", name)
}

// active is a user who may log in.
func (d *draft) active(name string) (account, error) {
	a, there := d.user(name)
	switch {
	case !there:
		return account{}, unauthenticated("", "user %s was deleted", name)
	case a.Disabled:
		return account{}, disabled(name)
	}
	return a, nil
}

func disabled(user string) *Error {
	return unauthenticated("an admin can enable the user", "user %s is disabled", user)
}

func (d *draft) group(name string) (group, bool) {
	if g, drafted := d.groups[name]; drafted {
		if g == nil {
			return group{}, false
		}
		return *g, true
	}
	return d.s.groups.Get("", name)
}

func (d *draft) put(name string, a account)    { d.users[name] = &a }
func (d *draft) putGroup(name string, g group) { d.groups[name] = &g }

// write puts what was drafted, if an admin remains.
func (d *draft) write() error {
	if len(d.users) == 0 && len(d.groups) == 0 {
		return nil
	}
	if d.s.anyAdmin(d.s.account, d.s.groupOf) && !d.s.anyAdmin(d.user, d.group) {
		return conflict("give another user the role admin on all namespaces first",
			"this would leave nobody who has the role admin on all namespaces and is not disabled")
	}
	for _, name := range slices.Sorted(maps.Keys(d.users)) {
		if a := d.users[name]; a != nil {
			d.s.users.Put(d.tx, "", name, *a)
		} else {
			d.s.users.Delete(d.tx, "", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.groups)) {
		if g := d.groups[name]; g != nil {
			d.s.groups.Put(d.tx, "", name, *g)
		} else {
			d.s.groups.Delete(d.tx, "", name)
		}
	}
	return nil
}

// anyAdmin reports whether one of the stored users is an admin. One that is only
// drafted cannot be what makes the difference: it would have to be made by the
// change that takes the last one away.
func (s *Service) anyAdmin(user func(string) (account, bool), group func(string) (group, bool)) bool {
	for _, item := range s.users.All() {
		a, ok := user(item.Name)
		if ok && !a.Disabled && slices.Contains(grantsOf(&a, group), Grant{Role: Admin, Namespace: All}) {
			return true
		}
	}
	return false
}

func (s *Service) account(name string) (account, bool) { return s.users.Get("", name) }
func (s *Service) groupOf(name string) (group, bool)   { return s.groups.Get("", name) }

// grantsOf are the grants of a user and their groups.
func grantsOf(a *account, group func(string) (group, bool)) []Grant {
	if len(a.Groups) == 0 {
		return a.Grants
	}
	all := slices.Clone(a.Grants)
	for _, name := range a.Groups {
		if g, ok := group(name); ok {
			all = append(all, g.Grants...)
		}
	}
	return ordered(all)
}

// checkSpaces says which namespace of the grants does not exist. Within a
// transaction.
func (s *Service) checkSpaces(field string, grants []Grant) error {
	for _, g := range grants {
		if _, there := s.spaces.Get("", g.Namespace); !there && g.Namespace != All {
			e := invalid(field, "there is no namespace %s", g.Namespace)
			e.Hint = "make it first"
			return e
		}
	}
	return nil
}
