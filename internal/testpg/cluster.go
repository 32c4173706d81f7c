package testpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a running server.
type cluster struct {
	dir  string
	port uint16
	// alive ends the server when it is closed: by the system, when this
	// process ends in whatever way. Kept here so that it is not closed before.
	alive io.WriteCloser
}

// ErrNotInstalled says that the programs of PostgreSQL were not found.
var ErrNotInstalled = errors.New("PostgreSQL is not installed: run make test, which installs it, or apt-get install postgresql")

// keeper makes the cluster, runs the server in the background and waits for
// the end of its own input, which is held open by the test program; then it
// ends the server and removes its folder. Arguments: folder, folder of the
// programs, user, port. A file "failed" says that there is no cluster.
const keeper = `
dir=$1 bin=$2 user=$3 port=$4
"$bin/initdb" -D "$dir/data" -U "$user" --pwfile "$dir/password" -A scram-sha-256 \
	-E UTF8 --locale=C --no-sync --no-instructions >"$dir/log" 2>&1 || : >"$dir/failed"
"$bin/postgres" -D "$dir/data" -F -h 127.0.0.1 -p "$port" -k "$dir" \
	-c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \
	-c shared_buffers=32MB -c max_connections=100 -c log_min_messages=warning >>"$dir/log" 2>&1 &
exec >/dev/null 2>&1
read -r line
kill -QUIT $!
wait $!
cd /
rm -rf "$dir"
`

const startAttempts = 5 // in case that another program takes the free port

func startCluster(ctx context.Context) (*cluster, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	attr, err := unprivileged()
	if err != nil {
		return nil, err
	}
	for range startAttempts {
		var c *cluster
		if c, err = newCluster(ctx, bin, attr); err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func newCluster(ctx context.Context, bin string, attr *syscall.SysProcAttr) (*cluster, error) {
	dir, err := makeFolder(attr)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := c.start(ctx, bin, attr); err != nil {
		if c.alive == nil {
			_ = os.RemoveAll(dir) // nobody else does
		}
		return nil, err
	}
	return c, nil
}

// findPrograms returns the folder with initdb and postgres: of the PATH, else
// the newest of those where Debian puts them.
func findPrograms() (string, error) {
	var folders []string
	if found, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	slices.SortFunc(versions, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(folders, versions...) {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", ErrNotInstalled
}

func version(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// unprivileged returns how to run programs: as another user if this one is
// root, and always in a process group of their own, out of reach of Ctrl-C.
func unprivileged() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user nobody: %w", err)
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user nobody: %w", err)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}
	return attr, nil
}

// makeFolder makes the server's folder. It lies in /tmp, which every user can
// reach and whose path leaves room for the name of a socket (107 bytes).
func makeFolder(attr *syscall.SysProcAttr) (string, error) {
	dir, err := os.MkdirTemp("/tmp", "regie-pg-")
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	if attr.Credential != nil {
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return "", fmt.Errorf("make folder: %w", err)
		}
	}
	return dir, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// writePassword writes the superuser's password where initdb reads it.
func (c *cluster) writePassword(attr *syscall.SysProcAttr) error {
	path := filepath.Join(c.dir, "password")
	if err := os.WriteFile(path, []byte(Password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write password: %w", err)
	}
	if attr.Credential != nil {
		if err := os.Chown(path, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return fmt.Errorf("write password: %w", err)
		}
	}
	return nil
}

// environment is what the programs get: nothing of the caller's, so that its
// PG variables do not reach them.
func environment() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"} }

// start starts the server on a free port and waits until it answers.
func (c *cluster) start(ctx context.Context, bin string, attr *syscall.SysProcAttr) error {
	if err := c.writePassword(attr); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.port = port
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", c.dir, bin, User, strconv.Itoa(int(port))) //nolint:noctx // it outlives the test that starts it
	cmd.SysProcAttr, cmd.Dir, cmd.Env = attr, c.dir, environment()
	alive, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	c.alive = alive
	return c.await(ctx)
}

func freePort() (uint16, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port), nil
}

// await waits until the server answers.
func (c *cluster) await(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := c.check(ctx)
		if err == nil {
			return nil
		}
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		_, failed := os.Stat(filepath.Join(c.dir, "failed"))
		if ctx.Err() != nil || failed == nil || errors.Is(err, errOtherServer) || bytes.Contains(log, []byte("could not create any TCP/IP sockets")) {
			_ = c.alive.Close()
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, log)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

var errOtherServer = errors.New("the port belongs to another server")

// check connects to the server and makes sure that it is this one: between
// finding the port and using it, another test program may have taken it.
func (c *cluster) check(ctx context.Context) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if data != c.data() {
		return errOtherServer
	}
	return nil
}

func (c *cluster) database(name string) Database {
	return Database{Host: "127.0.0.1", Port: c.port, Name: name, SocketDir: c.dir}
}

func (c *cluster) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, c.database("postgres").DSN())
}
