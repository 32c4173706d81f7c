package access_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// disk keeps objects and entries as a store does. Fault is what the next writes
// return; written says whether they happened all the same.
type disk struct {
	mu      sync.Mutex
	objects map[store.ObjectID]store.Object
	entries []store.Entry
	batch   uint64
	fault   error
	written bool
}

func (d *disk) Write(_ context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil && !d.written {
		return 0, d.fault
	}
	for _, o := range objects {
		if have := d.objects[o.ObjectID].Revision; o.Revision != have+1 {
			return 0, &store.RevisionError{ID: o.ObjectID, Have: have, Want: o.Revision}
		}
	}
	d.batch++
	b := store.Batch{Sequence: d.batch, Incarnation: 1, At: start, Objects: objects, Entries: entries}
	if err := b.Check(); err != nil {
		return 0, err
	}
	for _, o := range objects {
		d.objects[o.ObjectID] = o
	}
	d.entries = append(d.entries, entries...)
	return d.batch, d.fault
}

func (d *disk) Object(_ context.Context, id store.ObjectID) (store.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o, there := d.objects[id]; there && !o.Deleted {
		return o, nil
	}
	return store.Object{}, store.ErrNotFound
}

func (d *disk) Objects(_ context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []store.Object
	for id, o := range d.objects {
		if id.Kind == kind && !o.Deleted && id.Name > after.Name {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(len(out), limit)], nil
}

// sessions is how many sessions there are.
func (d *disk) sessions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for id, o := range d.objects {
		if id.Kind == "session" && !o.Deleted {
			n++
		}
	}
	return n
}

// record is the audit log as lines of actor, action, object and outcome.
func (d *disk) record() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, e := range d.entries {
		out = append(out, strings.Join([]string{e.Actor, e.Action, e.Object, e.Outcome}, " "))
	}
	return out
}

// text is all that is stored.
func (d *disk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for id, o := range d.objects {
		b.WriteString(id.Kind + id.Name + string(o.Data))
	}
	for _, e := range d.entries {
		b.WriteString(e.Object + e.Reason + string(e.Detail))
	}
	return b.String()
}

var start = time.Date(2030, 3, 1, 9, 0, 0, 0, time.UTC)

// place is a service with what is around it.
type place struct {
	*access.Service

	t      *testing.T
	disk   *disk
	header http.Header // of a session, for tests that need one

	mu  sync.Mutex
	now time.Time
}

func (p *place) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *place) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// open opens a service on the disk, as a start of the server does; passwords cost
// next to nothing.
func (p *place) open(seed byte) {
	p.t.Helper()
	p.openAt(seed, access.Cost{Memory: 8, Passes: 1, Threads: 1})
}

func (p *place) openAt(seed byte, cost access.Cost) {
	p.t.Helper()
	s, err := access.New(access.Config{Now: p.time, Random: rand.NewChaCha8([32]byte{seed}), Cost: cost})
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := registry.Open(p.t.Context(), p.disk, p.disk, s.Tables()...)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Begin(r)
	p.Service = s
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, disk: &disk{objects: map[store.ObjectID]store.Object{}}, now: start}
	p.open(1)
	return p
}

// root acts in the tests.
var root = access.System("test")

// installed is a place with the namespaces default, risk and fin and these
// users, each with grants such as "viewer@risk author@fin".
func installed(t *testing.T, users map[string]string) *place {
	t.Helper()
	p := newPlace(t)
	for _, name := range []string{"default", "risk", "fin"} {
		if _, err := p.PutNamespace(t.Context(), root, access.Namespace{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for name, grants := range users {
		n := access.NewUser{Name: name, Password: passwordOf(name), Grants: grantsOf(grants)}
		if _, _, err := p.CreateUser(t.Context(), root, n); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func passwordOf(name string) string {
	return "correct horse " + strings.ToUpper(name[:1]) + " battery"
}

func grantsOf(text string) []access.Grant {
	var out []access.Grant
	for one := range strings.FieldsSeq(text) {
		role, namespace, _ := strings.Cut(one, "@")
		out = append(out, access.Grant{Role: access.Role(role), Namespace: namespace})
	}
	return out
}

func bearer(secret string) http.Header {
	return http.Header{"Authorization": {"Bearer " + secret}}
}

// token makes a token of a user.
func (p *place) token(n access.NewToken) (access.Token, http.Header) {
	p.t.Helper()
	t, secret, _, err := p.CreateToken(p.t.Context(), p.full(n.User), n)
	if err != nil {
		p.t.Fatal(err)
	}
	return t, bearer(secret)
}

// login opens a session and returns its cookie as a header.
func (p *place) login(user string) http.Header {
	p.t.Helper()
	l, err := p.Login(p.t.Context(), access.Attempt{User: user, Password: passwordOf(user), Remote: "192.0.2.1:1234"})
	if err != nil {
		p.t.Fatal(err)
	}
	return http.Header{"Cookie": {l.Cookie.Name + "=" + l.Cookie.Value}}
}

// full is a user as they are right after login.
func (p *place) full(user string) access.Identity {
	p.t.Helper()
	return p.who(p.login(user))
}

// who authenticates, which must go well.
func (p *place) who(header http.Header) access.Identity {
	p.t.Helper()
	id, err := p.Authenticate(header, "192.0.2.1:1234", false)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// out authenticates, which must be refused, and returns the words.
func (p *place) out(header http.Header) string {
	p.t.Helper()
	id, err := p.Authenticate(header, "192.0.2.1:1234", false)
	if !errors.Is(err, access.ErrUnauthenticated) || id.User != "" || id.May(access.Known, "") {
		p.t.Errorf("%.60q: %+v, %v", header, id, err)
		return ""
	}
	return err.Error()
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// deleteNamespace deletes a namespace that is not in use.
func (p *place) deleteNamespace(name string) error {
	_, err := p.DeleteNamespace(p.t.Context(), root, name, func() error { return nil })
	return err
}
