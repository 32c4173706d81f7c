package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// Errors of a catalog.
var (
	// ErrNotFound: there is no such workflow or version.
	ErrNotFound = errors.New("there is no such workflow")
	// ErrMixed: definitions name another namespace than the request.
	ErrMixed = errors.New("definitions of several namespaces in one request")
	// ErrPrune: what to remove is not said by a label.
	ErrPrune = errors.New("prune takes a label, as KEY=VALUE")
	// ErrLimit: a limit cannot be like that.
	ErrLimit = errors.New("no such limit can be")
	// ErrFiles: the files themselves cannot be taken.
	ErrFiles = errors.New("files cannot be taken")
)

// Programs stores compiled programs.
type Programs interface {
	StorePrograms(ctx context.Context, programs ...store.Program) error
}

// Config is what a catalog is made with. All is needed.
type Config struct {
	Store    store.Reader
	Programs Programs
	Machines *runtime.Machines
	// Definitions is what the languages of definitions know.
	Definitions project.Config
	// TempDir is where the files of a request lie while they are read.
	TempDir string
	// Now tells the time.
	Now func() time.Time
}

// Workflow is the state of a workflow.
type Workflow struct {
	InForce

	// Coming are the versions that come in force later, in that order.
	Coming []Coming `json:"coming,omitempty"`
	// Versions lists the versions, the newest last.
	Versions  []string `json:"versions"`
	UpdatedBy string   `json:"updated_by"`
}

// From is when a version comes in force, zero if it is not to come.
func (w *Workflow) From(version string) time.Time {
	for i := range w.Coming {
		if w.Coming[i].Version == version {
			return w.Coming[i].From
		}
	}
	return time.Time{}
}

// hashOf reads a hash.
func hashOf(program string) (hash [32]byte) {
	_, _ = hex.Decode(hash[:], []byte(program)) // written by us
	return hash
}

// Labels picks the labels out of what a program says about itself.
func Labels(about map[string]string) map[string]string {
	labels := map[string]string{}
	for key, text := range about {
		if name, ok := strings.CutPrefix(key, "label."); ok {
			labels[name] = text
		}
	}
	return labels
}

// Version is one version of a workflow.
type Version struct {
	Workflow string `json:"workflow"`
	Program  string `json:"program"`
	// Source is the definition file.
	Source    SourceText `json:"source"`
	CreatedBy string     `json:"created_by"`
	// AppliedBy are the others who put it in force, each once.
	AppliedBy []string `json:"applied_by,omitempty"`
	Reason    string   `json:"reason,omitempty"`
}

// Hash is the hash of the version's program.
func (v *Version) Hash() [32]byte { return hashOf(v.Program) }

// SourceText is a definition file.
type SourceText struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Object is a connection, channel or limit.
type Object struct {
	Kind      string            `json:"kind"`
	Type      string            `json:"type"`
	Fields    *workflow.Data    `json:"fields,omitempty"`
	Breaker   *breaker.Policy   `json:"breaker,omitempty"` // of a connection; nil: none
	Limit     *gate.Limit       `json:"limit,omitempty"`   // of a limit
	Labels    map[string]string `json:"labels,omitempty"`
	UpdatedBy string            `json:"updated_by"`
	TaskType  *native.TaskType  `json:"task_type,omitempty"` // of an object of that kind
}

// Text is the text of a field that is constant, "" if it is not.
func (o *Object) Text(field string) string {
	if o.Fields == nil {
		return ""
	}
	if text, ok := o.Fields.Const.Get(field).Str(); ok {
		return text
	}
	for i := range o.Fields.Object {
		if m := &o.Fields.Object[i]; m.Key == field {
			text, _ := m.Data.Const.Str()
			return text
		}
	}
	return ""
}

// Catalog keeps definitions. Safe for concurrent use.
type Catalog struct {
	cfg       Config
	registry  *registry.Registry
	workflows *registry.Table[Workflow]
	versions  *registry.Table[Version]
	objects   *registry.Table[Object]
}

// New returns a catalog that needs Begin before anything else but Tables.
func New(cfg Config) *Catalog {
	return &Catalog{
		cfg:       cfg,
		workflows: registry.NewTable[Workflow]("workflow"),
		versions:  registry.NewTable[Version]("version"),
		objects:   registry.NewTable[Object]("definition"),
	}
}

// Tables are the catalog's tables, for [registry.Open].
func (c *Catalog) Tables() []registry.AnyTable {
	return []registry.AnyTable{c.workflows, c.versions, c.objects}
}

// Begin gives the catalog the registry that its tables belong to.
func (c *Catalog) Begin(r *registry.Registry) { c.registry = r }

// Changed returns a channel that is closed at the next change of a workflow.
func (c *Catalog) Changed() <-chan struct{} { return c.workflows.Changed() }

// Workflow finds a workflow, as it is now.
func (c *Catalog) Workflow(namespace, name string) (registry.Item[Workflow], bool) {
	item, ok := c.workflows.Item(namespace, name)
	return c.now(item), ok
}

// Workflows lists the workflows of a namespace by name, as they are now.
func (c *Catalog) Workflows(namespace string) []registry.Item[Workflow] {
	return c.allNow(c.workflows.List(namespace))
}

// All lists all workflows by namespace and name, as they are now.
func (c *Catalog) All() []registry.Item[Workflow] { return c.allNow(c.workflows.All()) }

func (c *Catalog) allNow(items []registry.Item[Workflow]) []registry.Item[Workflow] {
	for i := range items {
		items[i] = c.now(items[i])
	}
	return items
}

// Version finds a version of a workflow; an empty name is the one in force, or
// else the first to come.
func (c *Catalog) Version(namespace, name, version string) (registry.Item[Version], error) {
	w, ok := c.Workflow(namespace, name)
	if !ok {
		return registry.Item[Version]{}, fmt.Errorf("%w: %s/%s", ErrNotFound, namespace, name)
	}
	if version == "" {
		version = w.Value.Version
	}
	if version == "" && len(w.Value.Coming) > 0 {
		version = w.Value.Coming[0].Version
	}
	v, ok := c.versions.Item(namespace, versionName(name, version))
	if !ok {
		return registry.Item[Version]{}, fmt.Errorf("%w: %s/%s has no version %q", ErrNotFound, namespace, name, version)
	}
	return v, nil
}

// Object finds a connection or channel.
func (c *Catalog) Object(kind, namespace, name string) (Object, bool) {
	return c.objects.Get(namespace, kind+"/"+name)
}

// Objects lists connections and channels of a namespace, named KIND/NAME.
func (c *Catalog) Objects(namespace string) []registry.Item[Object] { return c.objects.List(namespace) }

// Prepared returns the program of a workflow that is in force, ready for runs.
func (c *Catalog) Prepared(ctx context.Context, namespace, name string) (*runtime.Prepared, error) {
	return c.Program(ctx, namespace, name, "", c.cfg.Now())
}

func versionName(name, version string) string { return name + "@" + version }
