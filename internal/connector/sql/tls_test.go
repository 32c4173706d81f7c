package sql_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/testpg"
	"github.com/regie-dev/regie/internal/value"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a *authority) issue(t *testing.T, host string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// tlsServer speaks TLS as a PostgreSQL server does and passes on what is in it.
func tlsServer(t *testing.T, server string, cert tls.Certificate) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	serve := func(client net.Conn) {
		defer client.Close()
		request := make([]byte, 8)
		if _, err := io.ReadFull(client, request); err != nil || string(request) != "\x00\x00\x00\x08\x04\xd2\x16\x2f" {
			return // this server wants encryption
		}
		_, _ = client.Write([]byte("S"))
		inner := tls.Server(client, &tls.Config{Certificates: []tls.Certificate{cert}})
		if inner.Handshake() != nil {
			return
		}
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer upstream.Close()
		go func() { _, _ = io.Copy(inner, upstream) }()
		_, _ = io.Copy(upstream, inner)
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go serve(client)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// Which certificates each sslmode takes.
func TestPostgresTLS(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	server := fmt.Sprintf("127.0.0.1:%d", pg.Port)
	known, unknown := newAuthority(t), newAuthority(t)
	right := tlsServer(t, server, known.issue(t, "localhost"))
	otherHost := tlsServer(t, server, known.issue(t, "other.example.org"))
	stranger := tlsServer(t, server, unknown.issue(t, "localhost"))
	for _, c := range []struct {
		mode string
		ca   bool
		port int
		want string // "" for success
	}{
		{"", false, stranger, ""},
		{"prefer", false, stranger, ""},
		{"require", false, stranger, ""},
		{"require", true, right, ""},
		{"require", true, otherHost, ""},
		{"require", true, stranger, "certificate"},
		{"verify-ca", true, right, ""},
		{"verify-ca", true, otherHost, ""},
		{"verify-ca", true, stranger, "certificate"},
		{"verify-ca", false, right, "certificate"},
		{"verify-full", true, right, ""},
		{"verify-full", true, otherHost, "certificate"},
		{"verify-full", true, stranger, "certificate"},
		{"verify-full", false, right, "certificate"},
		{"disable", false, right, "connect to"},
		{"verify-full", true, int(pg.Port), "TLS"},
	} {
		fields := value.MustParse(fmt.Sprintf(`{"host": "localhost", "port": %d, "database": %q, "user": %q, "password": %q}`,
			c.port, pg.Name, testpg.User, testpg.Password))
		if c.mode != "" {
			fields = fields.With("sslmode", value.String(c.mode))
		}
		if c.ca {
			fields = fields.With("ca", value.String(known.pem))
		}
		d := db{newSQL(t), postgresConnection(t, fields)}
		_, err := d.query(t, `{"statement": "select 1"}`)
		what := fmt.Sprintf("%s, authority %v, port %d", c.mode, c.ca, c.port)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case c.want != "":
			wantError(t, what, err, "sql.connect", c.want)
		}
		if strings.Contains(fmt.Sprint(err), testpg.Password) {
			t.Errorf("%s: the error shows the password: %v", what, err)
		}
	}
}
