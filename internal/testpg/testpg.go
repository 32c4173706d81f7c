package testpg

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User and Password are those of the superuser of the server.
const (
	User     = "regie"
	Password = "only-for-tests"
)

// Bounds of what tests wait for.
const (
	startTimeout  = 2 * time.Minute // a busy machine makes a cluster slowly
	createTimeout = time.Minute
	pollInterval  = 20 * time.Millisecond
)

// Database is a database on the private server.
type Database struct {
	Host      string // the loopback address
	Port      uint16
	Name      string
	SocketDir string // folder of the server's local socket
}

// DSN is the URL of the database over TCP.
func (d Database) DSN() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password),
		Host: net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port))), Path: "/" + d.Name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SocketPath is the path of the server's local socket.
func (d Database) SocketPath() string {
	return fmt.Sprintf("%s/.s.PGSQL.%d", d.SocketDir, d.Port)
}

// The server lives as long as the test program; the first test that asks for
// a database starts it.
var shared struct {
	once    sync.Once
	cluster *cluster
	err     error

	mu   sync.Mutex
	next int
}

// Start returns the URL of a new, empty database on this test program's
// private server, and drops the database when the test ends. It fails the test
// when PostgreSQL is not installed.
func Start(t testing.TB) (dsn string) {
	t.Helper()
	return Open(t).DSN()
}

// Open is [Start] for tests that need the parts of the URL or the socket.
func Open(t testing.TB) Database {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.cluster, shared.err = startCluster(ctx)
	})
	if shared.err != nil {
		t.Fatalf("private PostgreSQL: %v", shared.err)
	}
	db := shared.cluster.database(name())
	if err := admin(fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0", db.Name)); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		if err := admin(fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", db.Name)); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return db
}

func name() string {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.next++
	return fmt.Sprintf("test_%d", shared.next)
}

// admin runs one statement on the server's own database.
func admin(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), createTimeout)
	defer cancel()
	conn, err := shared.cluster.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	return err
}
