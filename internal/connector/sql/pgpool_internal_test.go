package sql

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/regie-dev/regie/internal/egress"
	"go.uber.org/goleak"
)

// Connection objects are bounded: the least recently used one loses its
// connections, but not while a call uses them.
func TestPoolsAreBounded(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := &pools{open: map[string]*pool{}}
	config := pgConfig{host: "127.0.0.1", port: 1, sslmode: "disable", maxConnections: 1}
	open := func(key string) *pool {
		t.Helper()
		found, err := p.acquire(key, func() (*pgxpool.Pool, error) { return newPool(config, egress.NewDialer(egress.Config{})) })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	isClosed := func(used *pool) bool {
		_, err := used.Acquire(t.Context())
		return err != nil && strings.Contains(err.Error(), "closed pool")
	}
	busy := open("busy")
	idle := open("idle")
	p.release(idle)
	for i := range maxPools {
		p.release(open(strconv.Itoa(i)))
	}
	if len(p.open) != maxPools {
		t.Errorf("%d are open, want %d", len(p.open), maxPools)
	}
	if p.open["busy"] != nil || p.open["idle"] != nil || p.open["0"] == nil {
		t.Error("not the least recently used ones were forgotten")
	}
	if isClosed(busy) {
		t.Error("connections were closed while a call uses them")
	}
	if again := open("busy"); again == busy {
		t.Error("a forgotten pool is used again")
	} else {
		p.release(again)
	}
	p.release(busy)
	p.close()
	if len(p.open) != 0 {
		t.Errorf("%d are open after close", len(p.open))
	}
}
