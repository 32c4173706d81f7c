package deploy_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/server"
)

// The example is accepted as it is, and so it is with everything in it that is
// commented out.
func TestServerConfig(t *testing.T) {
	t.Parallel()
	text := read(t, "server.yaml")
	// A comment has one space after the #, what is commented out has none or several.
	all := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAllString(text, "$1")
	all = strings.Replace(all, "listen: 127.0.0.1:7373\n", "", 1)
	dir := t.TempDir()
	token := filepath.Join(dir, "witness_token")
	if err := os.WriteFile(token, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all = strings.Replace(all, "/etc/regie/witness_token", token, 1)
	for name, text := range map[string]string{"as it is": text, "with everything": all} {
		cfg, problems, err := server.ReadConfig("/etc/regie/server.yaml", []byte(text))
		if err != nil || len(problems) > 0 {
			t.Fatalf("%s: %v %v", name, problems, err)
		}
		if cfg.Dir != "/var/lib/regie" || cfg.Supervisor.Socket != "/run/regie-tasks/socket" || cfg.Environment != "prod" {
			t.Errorf("%s: got %+v", name, cfg)
		}
		if whole := name == "with everything"; (len(cfg.Anchors) == 1) != whole || (cfg.TLS.Cert != "") != whole || (cfg.Listen == "0.0.0.0:7373") != whole ||
			slices.Equal(cfg.ObjectFolders, []string{"/srv/regie/stores"}) != whole {
			t.Errorf("%s: got %+v", name, cfg)
		}
	}
}

// The units agree with each other and with the example about folders, and leave
// tasks alone when they are stopped.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file string
		want []string
		not  []string
	}{
		{"regie.service", []string{
			"KillMode=process", "Type=exec", "User=regie", "StateDirectory=regie", "StateDirectoryMode=0700",
			"Restart=on-failure", "RestartPreventExitStatus=2", "TimeoutStopSec=60s", "WantedBy=multi-user.target",
		}, nil},
		{"regie-supervisor.service", []string{
			"KillMode=process", "Type=exec", "User=regie-tasks", "StateDirectory=regie-tasks", "RuntimeDirectory=regie-tasks",
			"RuntimeDirectoryMode=0755", "Restart=always", "TimeoutStopSec=10min",
			// With a server that was stopped, or has another /tmp, tasks go on.
		}, []string{"PrivateTmp=", "PartOf=", "BindsTo=", "StopWhenUnneeded="}},
		{"regie-supervisor-root.conf", []string{"User=root", "StateDirectoryMode=0711", "ExecStart="}, nil},
	} {
		lines := strings.Split(read(t, filepath.Join("systemd", test.file)), "\n")
		for _, want := range test.want {
			if !slices.Contains(lines, want) {
				t.Errorf("%s lacks %s", test.file, want)
			}
		}
		for _, not := range test.not {
			if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, not) }) {
				t.Errorf("%s has %s", test.file, not)
			}
		}
	}
}

// The command line knows every flag that is written here.
func TestCommands(t *testing.T) {
	t.Parallel()
	flag := regexp.MustCompile(`--[a-z-]+`)
	found := 0
	for file, command := range map[string]string{
		"systemd/regie.service": "server", "systemd/regie-supervisor.service": "supervisor",
		"systemd/regie-supervisor-root.conf": "supervisor", "Containerfile": "server",
	} {
		help := helpOf(t, command)
		for line := range strings.Lines(read(t, file)) {
			if !strings.HasPrefix(line, "ExecStart=/") && !strings.HasPrefix(line, "CMD ") {
				continue
			}
			for _, name := range flag.FindAllString(line, -1) {
				if found++; !strings.Contains(help, " "+name+" ") {
					t.Errorf("%s: regie %s has no flag %s", file, command, name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d flags", found)
	}
}

func helpOf(t *testing.T, command string) string {
	t.Helper()
	var out strings.Builder
	code := cli.Main(context.Background(), cli.World{
		Args: []string{command, "--help"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard,
	})
	if code != 0 {
		t.Fatalf("regie %s --help ends with %d", command, code)
	}
	return out.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
