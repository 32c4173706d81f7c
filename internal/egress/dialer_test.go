package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/regie-dev/regie/internal/egress"
)

// names is a name server: each lookup of a name takes the next of its answers,
// the last one stays.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

// serve answers one question over a stream: RFC 1035, section 4.
func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	var length uint16
	if binary.Read(conn, binary.BigEndian, &length) != nil {
		return
	}
	query := make([]byte, length)
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	var labels []string
	at := 12
	for query[at] != 0 {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
		at += 1 + int(query[at])
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	question := query[12 : at+5]

	addrs := n.next(strings.Join(labels, "."), kind)
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, question...)
	for _, a := range addrs {
		raw := a.AsSlice()
		answer = append(answer, 0xc0, 12, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
		answer = append(answer, raw...)
	}
	_ = binary.Write(conn, binary.BigEndian, uint16(len(answer)))
	_, _ = conn.Write(answer)
}

const kindA = 1

func (n *names) next(name string, kind uint16) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.answers[name]
	if kind != kindA || len(answers) == 0 {
		return nil
	}
	if len(answers) > 1 {
		n.answers[name] = answers[1:]
	}
	return answers[0]
}

func addrs(texts ...string) []netip.Addr {
	list := make([]netip.Addr, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParseAddr(text)
	}
	return list
}

// listen opens a port on the address and returns it; it accepts and closes.
func listen(t *testing.T, address string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func dial(t *testing.T, d *egress.Dialer, network, address string) error {
	t.Helper()
	conn, err := d.DialContext(t.Context(), network, address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// The address that is dialled is what counts: a name that first leads to an
// allowed address and then to another is let through once only (row B24).
func TestDialRebinding(t *testing.T) {
	t.Parallel()
	port := listen(t, "127.0.0.1:0")
	n := &names{answers: map[string][][]netip.Addr{
		"rebind.example.org": {addrs("127.0.0.1"), addrs("127.0.0.2")},
		"meta.example.org":   {addrs("169.254.169.254")},
		"local.example.org":  {addrs("127.0.0.1")},
		"mixed.example.org":  {addrs("169.254.169.254", "10.1.2.3", "127.0.0.1")},
	}}
	d := egress.NewDialer(egress.Config{Resolver: n.resolver(), Policy: egress.Policy{Allow: []egress.HostPort{
		{Host: "127.0.0.1", Port: port}, {Host: "meta.example.org", Port: port},
	}}})
	at := func(name string) string { return net.JoinHostPort(name, strconv.Itoa(int(port))) }

	checkDenied(t, "first answer", dial(t, d, "tcp", at("rebind.example.org")), "")
	checkDenied(t, "second answer", dial(t, d, "tcp", at("rebind.example.org")), "127.0.0.2 is a loopback address")
	checkDenied(t, "metadata behind an allowed name", dial(t, d, "tcp", at("meta.example.org")), "always denied")
	checkDenied(t, "denied addresses beside an allowed one", dial(t, d, "tcp", at("mixed.example.org")), "")

	strict := egress.NewDialer(egress.Config{Resolver: n.resolver()})
	checkDenied(t, "loopback behind a name", dial(t, strict, "tcp", at("local.example.org")), "--allow-host "+at("local.example.org"))
	checkDenied(t, "with more allowed", dial(t, strict.With(egress.HostPort{Host: "local.example.org", Port: port}), "tcp", at("local.example.org")), "")
	checkDenied(t, "With leaves the dialer as it was", dial(t, strict, "tcp", at("local.example.org")), "loopback")
}

func TestDial(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	strict := egress.NewDialer(egress.Config{})
	allowed := strict.With(egress.HostPort{Host: "unix:" + socket})
	checkDenied(t, "socket", dial(t, strict, "unix", socket), "--allow-host unix:"+socket)
	checkDenied(t, "allowed socket", dial(t, allowed, "unix", socket), "")
	for _, address := range []string{"[::]:80", "0.0.0.0:80", "127.0.0.1:80", "[::1]:80", "10.0.0.1:80", "255.255.255.255:80"} {
		checkDenied(t, address, dial(t, strict, "tcp", address), "--allow-host")
	}
	for _, c := range [][2]string{{"udp", "127.0.0.1:80"}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:http"}, {"ip", "127.0.0.1"}} {
		var denied *egress.DeniedError
		if err := dial(t, strict, c[0], c[1]); err == nil || errors.As(err, &denied) {
			t.Errorf("%s %s: %v", c[0], c[1], err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := strict.DialContext(ctx, "tcp", "example.org:80"); err == nil {
		t.Error("dials with a canceled context")
	}
}
