package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/blob/folder"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func text() descriptor.Type { return descriptor.Type{Kind: descriptor.String} }

func texts() descriptor.Type {
	elem := text()
	return descriptor.Type{Kind: descriptor.List, Elem: &elem}
}

func mapping(o *descriptor.Object) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Struct, Object: o}
}

func number(least int64) descriptor.Type {
	return descriptor.Type{Kind: descriptor.Integer, Min: descriptor.Bound(least)}
}

// Describe returns the descriptor of a configuration file.
func Describe() *descriptor.Object {
	yes := descriptor.Type{Kind: descriptor.Boolean}
	id := number(0)
	return &descriptor.Object{
		Name: "server",
		Doc:  "The configuration of a server. Flags of `regie server` go before it.",
		Fields: []descriptor.Field{
			{Name: "data", Type: text(), Doc: "Data folder. Left out: `regie/server` in the state folder of the user (`$XDG_STATE_HOME`, `~/.local/state`)."},
			{Name: "listen", Type: text(), Default: value.String(DefaultListen), Doc: "HOST:PORT to listen on. Off loopback TLS is needed."},
			{Name: "environment", Type: text(), Doc: "What the installation is for, such as prod."},
			{Name: "tls", Type: mapping(&descriptor.Object{Name: "tls", Doc: "How connections are encrypted.", Fields: []descriptor.Field{
				{Name: "cert", Type: text(), Doc: "File of the certificate, with those that it leads to."},
				{Name: "key", Type: text(), Doc: "File of its key."},
				{Name: "self_signed", Type: yes, Doc: "Make a certificate of the server's own."},
			}}), Doc: "How connections are encrypted."},
			{Name: "secrets", Type: text(), Doc: "Folder with a folder for each namespace, in which each file is a secret."},
			{Name: "egress", Type: mapping(&descriptor.Object{Name: "egress", Doc: "What connectors may call.", Fields: []descriptor.Field{
				{Name: "allow", Type: texts(), Doc: "HOST:PORT that may be called though it is local or private."},
			}}), Doc: "What connectors may call."},
			{Name: "object_folders", Type: texts(), Doc: "Folders which, or folders below which, connections may use as object stores."},
			{Name: "sqlite_folders", Type: texts(), Doc: "Folders in which SQLite files of connections may lie."},
			{Name: "processes", Type: number(1), Default: value.Int(DefaultProcesses), Doc: "How many processes run at once."},
			{Name: "calls", Type: number(1), Default: value.Int(DefaultCalls), Doc: "How many calls of connectors run at once."},
			{Name: "supervisor", Type: mapping(&descriptor.Object{Name: "supervisor", Doc: "Who runs tasks.", Fields: []descriptor.Field{
				{Name: "socket", Type: text(), Doc: "Socket of a supervisor that somebody else starts."},
				{Name: "uids", Type: descriptor.Type{Kind: descriptor.List, Elem: &id}, Doc: "Users as whom that one may run, by number."},
				{Name: "run_as", Type: texts(), Doc: "[NAMESPACE/]USER that steps may name with `run_as`, for a supervisor of the server's own."},
				{Name: "user", Type: text(), Doc: "User of tasks whose step names none, if the server is root."},
			}}), Doc: "Who runs tasks."},
			{Name: "audit", Type: mapping(&descriptor.Object{Name: "audit", Doc: "The audit log.", Fields: []descriptor.Field{
				{Name: "anchor", Type: descriptor.Type{Kind: descriptor.List, Elem: anchorType()}, Doc: "Where signed checkpoints are kept outside."},
			}}), Doc: "The audit log."},
			{Name: "blobs", Type: mapping(&descriptor.Object{Name: "blobs", Doc: "Large data of runs, such as artifacts.", Fields: []descriptor.Field{
				{Name: "max_bytes", Type: number(1), Default: value.Int(folder.DefaultMaxBytes), Doc: "Most bytes of one artifact."},
				{Name: "max_run_bytes", Type: number(1), Default: value.Int(folder.DefaultMaxRunBytes), Doc: "Most bytes of all large data of a run."},
			}}), Doc: "Large data of runs, such as artifacts."},
			{Name: "archive", Type: mapping(&descriptor.Object{Name: "archive", Doc: "Where runs are copied to before retention takes anything of them away, in namespaces that want it.", Fields: []descriptor.Field{
				{Name: "folder", Type: text(), Required: true, Doc: "Folder of the copies. It is made if it is not there."},
			}}), Doc: "Where runs are copied to before retention takes anything of them away."},
			{Name: "trace", Type: mapping(&descriptor.Object{Name: "trace", Doc: "OpenTelemetry traces.", Fields: []descriptor.Field{
				{Name: "endpoint", Type: text(), Required: true, Doc: "URL of a collector that takes OTLP over HTTP."},
				{Name: "headers", Type: descriptor.Type{Kind: descriptor.Map, KeyKind: descriptor.String, Elem: new(text())}, Doc: "Headers of requests to it."},
			}}), Doc: "OpenTelemetry traces."},
			{Name: "drain", Type: descriptor.Type{Kind: descriptor.Duration}, Default: value.String(DefaultDrain.String()), Doc: "How long calls of connectors that run are waited for when the server ends; processes go on without it."},
		},
		Example: "data: /var/lib/regie\nlisten: 0.0.0.0:7373\ntls: {cert: /etc/regie/tls.crt, key: /etc/regie/tls.key}\nenvironment: prod\naudit:\n  anchor:\n    - file: /mnt/worm/regie-checkpoints\n",
	}
}

func anchorType() *descriptor.Type {
	t := mapping(&descriptor.Object{Name: "anchor", Doc: "Where signed checkpoints are kept outside: one of them.", Fields: []descriptor.Field{
		{Name: "file", Type: text(), Doc: "File to append to."},
		{Name: "http", Type: text(), Doc: "URL to post to."},
		{Name: "bearer_file", Type: text(), Doc: "File with the token for `http`."},
		{Name: "witness", Type: descriptor.Type{Kind: descriptor.Boolean}, Doc: "`http` is a witness as of C2SP tlog-witness."},
		{Name: "command", Type: texts(), Doc: "Program with its arguments, given checkpoints on its standard input."},
	}, OneOfGroups: []descriptor.Group{{Fields: []string{"file", "http", "command"}, Needed: true, What: "where it is"}}})
	return &t
}

// file is a configuration file as it was written.
type file struct {
	Data          string   `json:"data"`
	Listen        string   `json:"listen"`
	Environment   string   `json:"environment"`
	TLS           fileTLS  `json:"tls"`
	Secrets       string   `json:"secrets"`
	Egress        fileHost `json:"egress"`
	ObjectFolders []string `json:"object_folders"`
	SQLiteFolders []string `json:"sqlite_folders"`
	Processes     int      `json:"processes"`
	Calls         int      `json:"calls"`
	Supervisor    fileCrew `json:"supervisor"`
	Audit         struct {
		Anchor []fileAnchor `json:"anchor"`
	} `json:"audit"`
	Trace struct {
		Endpoint string            `json:"endpoint"`
		Headers  map[string]string `json:"headers"`
	} `json:"trace"`
	Blobs struct {
		MaxBytes    int64 `json:"max_bytes"`
		MaxRunBytes int64 `json:"max_run_bytes"`
	} `json:"blobs"`
	Archive struct {
		Folder string `json:"folder"`
	} `json:"archive"`
	Drain string `json:"drain"`
}

type fileTLS struct {
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	SelfSigned bool   `json:"self_signed"`
}

type fileHost struct {
	Allow []string `json:"allow"`
}

type fileCrew struct {
	Socket string   `json:"socket"`
	UIDs   []int    `json:"uids"`
	RunAs  []string `json:"run_as"`
	User   string   `json:"user"`
}

type fileAnchor struct {
	File       string   `json:"file"`
	HTTP       string   `json:"http"`
	BearerFile string   `json:"bearer_file"`
	Witness    bool     `json:"witness"`
	Command    []string `json:"command"`
}

// ReadConfig reads a configuration file. Paths in it are relative to its folder.
// With errors among the diagnostics the configuration is of no use.
func ReadConfig(path string, text []byte) (Config, []diag.Diagnostic, error) {
	docs, problems := yamldoc.Parse(path, text)
	var l diag.List
	l.Add(problems...)
	if !l.HasErrors() && len(docs) != 1 {
		l.Errorf(diag.Pos{File: path, Line: 1, Column: 1}, "config_documents", "a configuration has one document, not %d", len(docs))
	}
	if !l.HasErrors() {
		descriptor.Check(docs[0], Describe(), &l)
	}
	if l.HasErrors() {
		return Config{}, l.Sorted(), nil
	}
	var f file
	if err := json.Unmarshal([]byte(docs[0].ToValue().String()), &f); err != nil {
		return Config{}, l.Sorted(), fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	cfg, err := f.config(filepath.Dir(path))
	if err != nil {
		return Config{}, l.Sorted(), fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return cfg, l.Sorted(), nil
}

func (f *file) config(dir string) (Config, error) {
	at := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	cfg := Config{
		Dir: at(f.Data), Listen: f.Listen, Environment: f.Environment, Secrets: at(f.Secrets),
		TLS:       TLS{Cert: at(f.TLS.Cert), Key: at(f.TLS.Key), SelfSigned: f.TLS.SelfSigned},
		Processes: f.Processes, Calls: f.Calls,
		Supervisor: Supervisor{Socket: at(f.Supervisor.Socket), UIDs: f.Supervisor.UIDs, RunAs: f.Supervisor.RunAs, User: f.Supervisor.User},
		MaxBlob:    f.Blobs.MaxBytes, MaxRunBlobs: f.Blobs.MaxRunBytes,
		Archive: at(f.Archive.Folder),
		Trace:   Trace{Endpoint: f.Trace.Endpoint, Headers: f.Trace.Headers},
	}
	for _, path := range f.ObjectFolders {
		cfg.ObjectFolders = append(cfg.ObjectFolders, at(path))
	}
	for _, path := range f.SQLiteFolders {
		cfg.SQLiteFolders = append(cfg.SQLiteFolders, at(path))
	}
	for _, text := range f.Egress.Allow {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return Config{}, err
		}
		cfg.AllowHosts = append(cfg.AllowHosts, place)
	}
	if f.Drain != "" {
		var err error
		if cfg.Drain, err = duration.Parse(f.Drain); err != nil {
			return Config{}, err
		}
	}
	for i := range f.Audit.Anchor {
		anchor, err := f.Audit.Anchor[i].anchor(at)
		if err != nil {
			return Config{}, err
		}
		cfg.Anchors = append(cfg.Anchors, anchor)
	}
	return cfg, nil
}

func (a *fileAnchor) anchor(at func(string) string) (auditlog.Anchor, error) {
	switch {
	case a.File != "":
		return auditlog.NewFileAnchor(at(a.File)), nil
	case len(a.Command) > 0:
		return auditlog.NewCommandAnchor(a.Command), nil
	case a.HTTP == "":
		return nil, errors.New("an anchor needs `file`, `http` or `command`")
	}
	u, err := url.Parse(a.HTTP)
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	if err := egress.CheckURL(u); err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	client, err := clientTo(u)
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	cfg := auditlog.HTTPConfig{URL: u, Witness: a.Witness, Client: client}
	if a.BearerFile != "" {
		token, err := readFile(at(a.BearerFile))
		if err != nil {
			return nil, fmt.Errorf("anchor: %w", err)
		}
		cfg.Bearer = secret.New(strings.TrimRight(token, "\r\n"))
	}
	return auditlog.NewHTTPAnchor(cfg), nil
}

// readFile reads a small file.
func readFile(path string) (string, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer root.Close()
	text, err := root.ReadFile(filepath.Base(path))
	if len(text) > secret.MaxLength {
		return "", fmt.Errorf("%s is longer than %d bytes", path, secret.MaxLength)
	}
	return string(text), err
}
