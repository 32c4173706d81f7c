package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/server"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

const serverHelp = `Runs the server: it starts runs on time, keeps their history, tells people, and
survives restarts. Everything is in one data folder.

At the first start it prints an admin token, which is good once, within a day:
` + "`regie context login`" + ` takes it. Processes that steps have started go on when the
server ends, is killed or is upgraded; the next start takes their results.`

type serverFlags struct {
	config    string
	file      server.Config // what flags say, before the file
	hosts     []string
	logFormat string
	logLevel  string
}

func (c *cli) serverCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		Long:  serverHelp,
		Example: `  regie server --data /var/lib/regie
  regie server --config /etc/regie/server.yaml
  regie server --data /var/lib/regie --listen 0.0.0.0:7373 --tls-self-signed`,
		GroupID: groupServer,
		Args:    arguments(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "configuration `FILE` (YAML); flags go before it")
	flags.StringVar(&f.file.Dir, "data", "", "data folder `DIR` (default: regie/server in the user's state folder)")
	flags.StringVar(&f.file.Listen, "listen", server.DefaultListen, "`HOST:PORT` to listen on; off loopback TLS is needed")
	flags.StringVar(&f.file.Environment, "environment", "", "`NAME` of what the installation is for, such as prod")
	flags.StringVar(&f.file.TLS.Cert, "tls-cert", "", "`FILE` of the certificate")
	flags.StringVar(&f.file.TLS.Key, "tls-key", "", "`FILE` of its key")
	flags.BoolVar(&f.file.TLS.SelfSigned, "tls-self-signed", false, "make a certificate of the server's own")
	flags.StringVar(&f.file.Secrets, "secrets", "", "folder `DIR` with a folder for each namespace, in which each file is a secret")
	flags.StringArrayVar(&f.hosts, "allow-host", nil, "`HOST:PORT` that connectors may call though it is local or private")
	flags.StringArrayVar(&f.file.ObjectFolders, "object-folder", nil, "folder `DIR` in which connections may use folders as object stores")
	flags.StringArrayVar(&f.file.SQLiteFolders, "sqlite-folder", nil, "folder `DIR` in which SQLite files of connections may lie")
	flags.IntVar(&f.file.Processes, "processes", server.DefaultProcesses, "how many processes run at once")
	flags.IntVar(&f.file.Calls, "calls", server.DefaultCalls, "how many calls of connectors run at once")
	flags.StringVar(&f.file.Supervisor.Socket, "supervisor-socket", "", "`SOCKET` of a supervisor that somebody else starts")
	flags.IntSliceVar(&f.file.Supervisor.UIDs, "supervisor-uid", nil, "user `ID` as whom that one may run")
	flags.StringSliceVar(&f.file.Supervisor.RunAs, "run-as", nil, "`[NAMESPACE/]USER` that steps may name with run_as")
	flags.StringVar(&f.file.Supervisor.User, "task-user", "", "`USER` of tasks whose step names none, if the server is root")
	flags.DurationVar(&f.file.Drain, "drain", server.DefaultDrain, "how long calls that run are waited for at the end")
	flags.StringVar(&f.logFormat, "log-format", "text", "form of the log: text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` of the log: debug, info, warn or error")
	return cmd
}

func (c *cli) serve(ctx context.Context, cmd *cobra.Command, f *serverFlags) error {
	cfg, err := c.serverConfig(cmd, f)
	if err != nil {
		return err
	}
	if cfg.Log, err = c.serverLog(f); err != nil {
		return err
	}
	cfg.Build, cfg.Version, cfg.Holder, cfg.Environ = c.Build.ID(), c.Build.Version, c.commandLine(), c.Environ()
	cfg.Ready = func(r server.Ready) { c.announce(&cfg, r) }
	cfg.Inside = c.Inside
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.interrupted(ctx, func(int) { cancel() })()
	s, err := server.Open(ctx, cfg)
	if errors.Is(err, server.ErrConfig) {
		return failf(exitInvalid, "config", "%w", err)
	}
	if err != nil {
		return folderFailure(err)
	}
	served := s.Serve(ctx)
	if errors.Is(served, server.ErrConfig) {
		served = failf(exitInvalid, "config", "%w", served)
	}
	if err := errors.Join(served, s.Close()); err != nil {
		var f *failure
		if errors.As(err, &f) {
			return f
		}
		return failf(exitInternal, "server", "%w", err)
	}
	return nil
}

// serverConfig is the file with what flags say before it.
func (c *cli) serverConfig(cmd *cobra.Command, f *serverFlags) (server.Config, error) {
	cfg := server.Config{}
	if f.config != "" {
		var err error
		if cfg, err = c.readServerConfig(f.config); err != nil {
			return cfg, err
		}
	}
	given := func(name string) bool { return f.config == "" || cmd.Flags().Changed(name) }
	for name, take := range map[string]func(){
		"data": func() { cfg.Dir = f.file.Dir }, "listen": func() { cfg.Listen = f.file.Listen },
		"environment": func() { cfg.Environment = f.file.Environment },
		"tls-cert":    func() { cfg.TLS.Cert = f.file.TLS.Cert }, "tls-key": func() { cfg.TLS.Key = f.file.TLS.Key },
		"tls-self-signed": func() { cfg.TLS.SelfSigned = f.file.TLS.SelfSigned }, "secrets": func() { cfg.Secrets = f.file.Secrets },
		"object-folder": func() { cfg.ObjectFolders = f.file.ObjectFolders },
		"sqlite-folder": func() { cfg.SQLiteFolders = f.file.SQLiteFolders }, "processes": func() { cfg.Processes = f.file.Processes },
		"calls": func() { cfg.Calls = f.file.Calls }, "supervisor-socket": func() { cfg.Supervisor.Socket = f.file.Supervisor.Socket },
		"supervisor-uid": func() { cfg.Supervisor.UIDs = f.file.Supervisor.UIDs }, "run-as": func() { cfg.Supervisor.RunAs = f.file.Supervisor.RunAs },
		"task-user": func() { cfg.Supervisor.User = f.file.Supervisor.User }, "drain": func() { cfg.Drain = f.file.Drain },
	} {
		if given(name) {
			take()
		}
	}
	for _, text := range f.hosts {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return cfg, usagef("--allow-host %s: %w", text, err)
		}
		cfg.AllowHosts = append(cfg.AllowHosts, place)
	}
	if cfg.Dir == "" {
		state, err := c.stateDir()
		if err != nil {
			return cfg, err
		}
		cfg.Dir = filepath.Join(state, "server")
	}
	err := c.absolute(&cfg)
	return cfg, err
}

// absolute makes all paths absolute.
func (c *cli) absolute(cfg *server.Config) error {
	paths := []*string{&cfg.Dir, &cfg.TLS.Cert, &cfg.TLS.Key, &cfg.Secrets, &cfg.Supervisor.Socket}
	for i := range cfg.ObjectFolders {
		paths = append(paths, &cfg.ObjectFolders[i])
	}
	for i := range cfg.SQLiteFolders {
		paths = append(paths, &cfg.SQLiteFolders[i])
	}
	for _, path := range paths {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = c.abs(*path); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) readServerConfig(path string) (server.Config, error) {
	text, err := c.readFile(path, yamldoc.MaxBytes)
	if err != nil {
		return server.Config{}, err
	}
	at, err := c.abs(path)
	if err != nil {
		return server.Config{}, err
	}
	cfg, problems, err := server.ReadConfig(at, text)
	if usable := c.usable(&definitions{problems: problems, texts: map[string]string{at: string(text)}}); usable != nil {
		return cfg, usable
	}
	if err != nil {
		return cfg, failf(exitInvalid, "config", "%w", err)
	}
	return cfg, nil
}

// serverLog makes the log of the server, on standard error.
func (c *cli) serverLog(f *serverFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usagef("--log-level %q is not debug, info, warn or error", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(c.Stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.Stderr, options)), nil
	}
	return nil, usagef("--log-format %q is not text or json", f.logFormat)
}

// announce says that the server listens. It goes to standard output, where the
// admin token is apart from the log.
func (c *cli) announce(cfg *server.Config, r server.Ready) {
	if c.output == outputJSON {
		c.printJSON(value.Object(
			value.M("url", value.String(r.URL)), value.M("data", value.String(cfg.Dir)), value.M("admin_token", value.String(r.AdminToken)),
			value.M("fingerprint", textOrNull(r.Fingerprint)),
		))
		return
	}
	fmt.Fprintf(c.Stdout, "Regie %s listens on %s\n", cfg.Version, r.URL)
	fmt.Fprintf(c.Stdout, "data folder %s\n", cfg.Dir)
	if r.Fingerprint != "" {
		fmt.Fprintf(c.Stdout, "certificate SHA256:%s\n", r.Fingerprint)
	}
	if r.AdminToken != "" {
		fmt.Fprintf(c.Stdout, "\nThis is the first start. The admin token, good once within 24 hours:\n\n  %s\n\nLog in, and give it when asked:\n\n  regie context login %s\n\n",
			r.AdminToken, r.URL)
	}
}
