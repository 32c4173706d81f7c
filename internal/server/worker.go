package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/supervised"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/telemetry"
	"github.com/regie-dev/regie/internal/telemetry/traceid"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// supervisorPatience is how long a start waits for a supervisor that somebody else
// starts, perhaps at the same time.
const supervisorPatience = 15 * time.Second

// workerName names the server's own worker.
const workerName = "local"

// dismissTime bounds how long the own supervisor is told that it may go.
const dismissTime = 2 * time.Second

// supervisorDir is the folder of the server's own supervisor in the data folder.
const supervisorDir = "supervisor"

// crew is the server's own worker with what it uses, between the runtime, the
// dispatcher and the supervisor.
type crew struct {
	worker     *worker.Worker
	tasks      *supervised.Executor
	connectors map[string]connector.Connector
	dispatch   *dispatch.Service
	own        bool // the supervisor was started here
}

var (
	_ worker.Listener = (*crew)(nil)
	_ runtime.Tasks   = attempts{}
)

// crewConfig is what a crew is made with.
type crewConfig struct {
	server    *Config
	home      *home.Folder
	catalog   *catalog.Catalog
	access    *access.Service
	languages map[string]expr.Language
	dispatch  *dispatch.Service
	clock     clock.Clock
	metrics   *telemetry.Metrics
	traced    bool // runs have traces
}

// open connects to the supervisor and makes the worker.
func (c *crew) open(ctx context.Context, cfg crewConfig) (err error) {
	c.dispatch, c.own = cfg.dispatch, cfg.server.Supervisor.Socket == ""
	if c.tasks, err = openSupervisor(ctx, cfg.server, cfg.home); err != nil {
		return fmt.Errorf("reach the supervisor of tasks: %w", err)
	}
	c.connectors = all.Connectors(all.Deps{
		Egress: egress.Config{Policy: egress.Policy{}.With(cfg.server.AllowHosts...)}, Proxy: http.ProxyFromEnvironment, SQLiteFolders: cfg.server.SQLiteFolders,
		ObjectFolders: cfg.server.ObjectFolders,
	})
	var traceparent func(run string, act engine.ActID, attempt int) string
	if cfg.traced {
		traceparent = traceid.Parent
	}
	c.worker = worker.New(worker.Config{
		AttemptEnded: cfg.metrics.AttemptEnded, Traceparent: traceparent,
		Executors:  map[string]executor.Executor{workflow.UsesProcess: c.tasks},
		Connectors: c.connectors, ConnectionTypes: all.ConnectionTypes(), ChannelTypes: all.ChannelTypes(),
		Objects: func(kind, namespace, name string) (worker.Object, bool) {
			o, ok := cfg.catalog.Object(kind, namespace, name)
			return worker.Object{Type: o.Type, Fields: o.Fields}, ok
		},
		OwnNamespace: true, RunAs: runAs(cfg.access), Vars: func(namespace string) value.Value { return varsOf(cfg.access, namespace) },
		Languages: cfg.languages, Secrets: secrets(cfg.server),
		Dir: c.tasks.Work(), Blobs: cfg.home.Blobs, Large: cfg.home.Large, Clock: cfg.clock,
		OpenLog: func(t *engine.Task) (worker.Log, error) {
			return cfg.home.OpenLog(store.RunID(t.Run), t.Act, t.Attempt)
		},
		HandleOf: func(_, dir string) (executor.Handle, error) { return supervised.HandleFor(dir) },
		Capacity: match.Capacity{match.Process: cfg.server.Processes, match.Connector: cfg.server.Calls},
	})
	c.worker.Listen(c)
	return nil
}

// runAs refuses users that the namespace does not name: what the supervisor
// allows holds besides.
func runAs(a *access.Service) func(namespace, user string) error {
	return func(namespace, user string) error {
		if n, _ := a.Namespace(namespace); !slices.Contains(n.RunAs, user) {
			return fmt.Errorf("namespace %s does not let tasks run as %q: `regie namespaces put %s --run-as` names those that may be", namespace, user, namespace)
		}
		return nil
	}
}

// clientTo makes a client for a place that whoever configures the server named:
// it may be local or private.
func clientTo(u *url.URL) (*http.Client, error) {
	place, err := egress.PlaceOf(u)
	if err != nil {
		return nil, err
	}
	return egress.NewHTTPClient(egress.HTTPConfig{
		Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{}.With(place)}), Proxy: http.ProxyFromEnvironment,
	}), nil
}

// openSupervisor connects to the supervisor, or starts it.
func openSupervisor(ctx context.Context, cfg *Config, folder *home.Folder) (*supervised.Executor, error) {
	if cfg.Supervisor.Socket != "" {
		return supervised.Open(ctx, supervised.Config{
			Socket: cfg.Supervisor.Socket, UIDs: cfg.Supervisor.UIDs, Build: cfg.Build, Patience: supervisorPatience,
		})
	}
	return supervised.Open(ctx, supervised.Config{
		Dir: filepath.Join(folder.Dir.Path(), supervisorDir), Build: cfg.Build,
		Spawn: &supervised.Spawn{Environ: cfg.Environ, Work: taskFolder(cfg), RunAs: cfg.Supervisor.RunAs, User: cfg.Supervisor.User},
	})
}

// taskFolder is where tasks of other users have their files: beside the data
// folder, which they may not enter. Empty: in it.
func taskFolder(cfg *Config) string {
	if len(cfg.Supervisor.RunAs) == 0 && cfg.Supervisor.User == "" {
		return ""
	}
	return cfg.Dir + "-tasks"
}

// secrets are the sources of the namespaces' secrets: a file in the folder of
// the namespace, and for the default namespace the environment too.
func secrets(cfg *Config) func(namespace string) secret.Source {
	warn := func(message string) { cfg.Log.Warn("secret", "what", message) }
	return func(namespace string) secret.Source {
		var sources []secret.Source
		if cfg.Secrets != "" {
			sources = append(sources, secret.Dir(filepath.Join(cfg.Secrets, namespace), warn))
		}
		if namespace == access.DefaultNamespace {
			sources = append(sources, secret.Env(cfg.lookupEnv, secret.EnvPrefix))
		}
		return secret.Chain(sources...)
	}
}

// varsOf are the variables of a namespace, an object.
func varsOf(a *access.Service, namespace string) value.Value {
	n, _ := a.Namespace(namespace)
	members := make([]value.Member, 0, len(n.Vars))
	for _, name := range slices.Sorted(maps.Keys(n.Vars)) {
		if v, err := value.Parse([]byte(n.Vars[name])); err == nil { // it was checked when it was set
			members = append(members, value.M(name, v))
		}
	}
	return value.Object(members...)
}

// close leaves the tasks to the supervisor, and ends the calls of connectors.
func (c *crew) close() error {
	var errs []error
	idle := c.own && c.worker != nil && c.worker.Attempts() == 0
	if c.worker != nil {
		c.worker.Detach()
	}
	if idle { // nobody is left behind who would wait for the next start
		ctx, cancel := context.WithTimeout(context.Background(), dismissTime)
		defer cancel()
		_ = c.tasks.Drain(ctx) // if it does not hear, it ends by itself
	}
	if c.tasks != nil {
		errs = append(errs, c.tasks.Close())
	}
	errs = append(errs, all.Close(c.connectors))
	return errors.Join(errs...)
}

// attempts is what the runtime hands its attempts to: the dispatcher.
type attempts struct {
	*dispatch.Service

	crew *crew
}

// Reattach has the worker look for the attempt: it always says how it ended, or
// that nobody can know. The dispatcher waits for that, and knows who has it.
func (a attempts) Reattach(task engine.Task) {
	a.ReattachTo(workerName, task)
	a.crew.worker.Reattach(task)
}

// Started, Beat and Ended pass on what the worker says.

func (c *crew) Beat(ref dispatch.Ref) { c.dispatch.Beat(workerName, ref) }

func (c *crew) Started(ref dispatch.Ref) { c.dispatch.Started(workerName, ref) }

func (c *crew) Ended(ref dispatch.Ref, outcome engine.TaskOutcome) {
	c.dispatch.Ended(workerName, ref, outcome)
}
