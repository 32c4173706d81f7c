package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
)

// selfSignedLife is how long a certificate of the server's own is good, and
// selfSignedRenew how long before its end a start makes another.
const (
	selfSignedLife  = 365 * 24 * time.Hour
	selfSignedRenew = 30 * 24 * time.Hour
)

// Names of the server's own certificate and key in the data folder.
const (
	certName = "tls-cert.pem"
	keyName  = "tls-key.pem"
)

// certificate reads the certificate, or makes one of the server's own.
func (s *Server) certificate() (tls.Certificate, error) {
	if !s.cfg.TLS.SelfSigned {
		cert, err := tls.LoadX509KeyPair(s.cfg.TLS.Cert, s.cfg.TLS.Key)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("%w: read the certificate: %w", ErrConfig, err)
		}
		return cert, nil
	}
	root := s.home.Dir.Root()
	certPEM, err := root.ReadFile(certName)
	keyPEM, keyErr := root.ReadFile(keyName)
	if err := errors.Join(err, keyErr); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("read the server's own certificate: %w", err)
	}
	// Two that do not fit are what is left of a server that was killed between
	// writing one and the other.
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err == nil && s.clock.Now().Before(cert.Leaf.NotAfter.Add(-selfSignedRenew)) && s.covers(cert.Leaf) {
		return cert, nil
	}
	return s.selfSign()
}

// fingerprint is that of the certificate which connections get, empty if they
// are not encrypted.
func fingerprint(secure *tls.Config) string {
	if secure == nil {
		return ""
	}
	sum := sha256.Sum256(secure.Certificates[0].Certificate[0])
	return hex.EncodeToString(sum[:])
}

// names are what the certificate is for.
func (s *Server) names() (dns []string, ips []net.IP) {
	dns, ips = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if host, err := os.Hostname(); err == nil {
		dns = append(dns, host)
	}
	host, _, _ := net.SplitHostPort(s.cfg.Listen) // checked before
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		ips = append(ips, ip)
	} else if ip == nil && host != "" && host != "localhost" {
		dns = append(dns, host)
	}
	return dns, ips
}

func (s *Server) covers(cert *x509.Certificate) bool {
	dns, ips := s.names()
	for _, name := range dns {
		if cert.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range ips {
		if cert.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

func (s *Server) selfSign() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	dns, ips := s.names()
	now := s.clock.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Regie, self-signed"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife), DNSNames: dns, IPAddresses: ips,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("encode a key: %w", err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	root := s.home.Dir.Root()
	err = datadir.WriteSecret(root, keyName, string(keyPEM))
	if err == nil {
		err = datadir.WriteSecret(root, certName, string(certPEM))
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("keep the server's own certificate: %w", err)
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}
