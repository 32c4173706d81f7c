package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// DefaultListen is where a server listens unless it is told otherwise.
const DefaultListen = "127.0.0.1:7373"

// Bounds of a server.
const (
	// DefaultProcesses and DefaultCalls are how many processes, and calls of
	// connectors, run at once.
	DefaultProcesses = 16
	DefaultCalls     = 64
	// StopTimeout bounds how long the last commit is waited for.
	StopTimeout = 10 * time.Second
	// DefaultDrain is how long running work is waited for when the server is
	// asked to end; tasks of processes go on without it.
	DefaultDrain = 5 * time.Second
)

// Config is what a server is made with. Dir is needed.
type Config struct {
	// Dir is the data folder.
	Dir string
	// Build names this program.
	Build, Version string
	// Holder says who locks the data folder, for whoever finds it locked.
	Holder string
	// Listen is host:port; default DefaultListen. Off loopback TLS is needed.
	Listen string
	TLS    TLS
	// Environment names the installation, such as prod.
	Environment string
	// Secrets is a folder with a folder for each namespace, in which each file
	// is a secret; empty: there are none but those of the environment.
	Secrets string
	// Environ is the environment of the server, of which tasks get PATH and the
	// like.
	Environ []string
	// AllowHosts are the places that connectors may call beside public ones.
	AllowHosts []egress.HostPort
	// ObjectFolders are the folders, absolute, which, or folders below which,
	// connections may use as object stores.
	ObjectFolders []string
	// SQLiteFolders are the folders, absolute, in which SQLite files of
	// connections may lie.
	SQLiteFolders []string
	// Archive is the folder that runs are copied to before retention takes
	// anything of them away, in namespaces that want it; empty: there is none.
	Archive string
	// MaxBlob and MaxRunBlobs bound the large data of runs, in bytes: of one
	// artifact, and of all that a run has; 0: the defaults of package
	// blob/folder.
	MaxBlob, MaxRunBlobs int64
	// Processes and Calls are how many run at once.
	Processes, Calls int
	Supervisor       Supervisor
	Anchors          []auditlog.Anchor
	Trace            Trace
	// Drain is how long running work is waited for at the end.
	Drain time.Duration
	Log   *slog.Logger
	// Clock is the time; default the machine's.
	Clock clock.Clock
	// Ready is told the address once the server listens.
	Ready func(Ready)
	// Inside, if not nil, runs in this process from then on until ctx ends, which
	// it does before the server ends; it is waited for no longer than Drain.
	Inside func(ctx context.Context, reach *Inside) error
}

// Ready is what there is to tell when a server listens.
type Ready struct {
	URL string
	// AdminToken is the one-time token of the first start, empty later.
	AdminToken string
	// Fingerprint is the SHA-256 of the certificate, in lower-case hexadecimal;
	// empty without TLS.
	Fingerprint string
	Warnings    []string
}

// Trace says where OpenTelemetry traces go.
type Trace struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP; empty: there
	// are none.
	Endpoint string
	Headers  map[string]string
}

// TLS says how connections are encrypted.
type TLS struct {
	Cert, Key string // files
	// SelfSigned makes a certificate of the server's own, kept in its folder.
	SelfSigned bool
}

func (t TLS) on() bool { return t.SelfSigned || t.Cert != "" }

// Supervisor says who runs tasks.
type Supervisor struct {
	// Socket is that of a supervisor that somebody else starts; empty: the
	// server starts one of its own.
	Socket string
	// UIDs are the users as whom that one may run.
	UIDs []int
	// RunAs are the users that tasks may run as, for a supervisor of its own.
	RunAs []string
	// User is as whom tasks run that name nobody, if the server is root.
	User string
}

// ErrConfig: the server cannot be started so.
var ErrConfig = errors.New("configuration refused")

// check refuses what would put the server at risk.
func (c *Config) check() error {
	if c.Dir == "" {
		return fmt.Errorf("%w: no data folder: give --data", ErrConfig)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("%w: listen address %q is not HOST:PORT: %w", ErrConfig, c.Listen, err)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return fmt.Errorf("%w: give both --tls-cert and --tls-key, or none", ErrConfig)
	}
	if c.TLS.SelfSigned && c.TLS.Cert != "" {
		return fmt.Errorf("%w: --tls-self-signed makes a certificate of its own: leave --tls-cert and --tls-key out", ErrConfig)
	}
	if !loopback(host) && !c.TLS.on() {
		return fmt.Errorf("%w: %s can be reached from other machines, and passwords and tokens would travel unencrypted: "+
			"give --tls-cert and --tls-key, or --tls-self-signed to begin with, or listen on 127.0.0.1", ErrConfig, c.Listen)
	}
	return nil
}

// lookupEnv finds a variable of the server's environment.
func (c *Config) lookupEnv(name string) (string, bool) {
	for _, entry := range slices.Backward(c.Environ) {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			return text, true
		}
	}
	return "", false
}

// loopback reports whether only this machine reaches a host. A name is not
// looked up: what it means can change.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Processes <= 0 {
		c.Processes = DefaultProcesses
	}
	if c.Calls <= 0 {
		c.Calls = DefaultCalls
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Holder == "" {
		c.Holder = "regie server"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	if c.Ready == nil {
		c.Ready = func(Ready) {}
	}
	return c
}
