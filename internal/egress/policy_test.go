package egress_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/egress"
	"pgregory.net/rapid"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	const public, restricted, forbidden = "public", "restricted", "forbidden"
	for text, want := range map[string]string{
		"8.8.8.8": public, "1.1.1.1": public, "100.63.255.255": public, "100.128.0.0": public,
		"172.15.255.255": public, "172.32.0.0": public, "192.167.1.1": public, "223.255.255.255": public,
		"2606:4700::1111": public, "2a00::1": public, "64:ff9b::808:808": public,

		"127.0.0.1": restricted, "127.255.255.254": restricted, "0.0.0.0": restricted, "0.1.2.3": restricted,
		"10.0.0.1": restricted, "172.16.0.1": restricted, "172.31.255.255": restricted, "192.168.1.1": restricted,
		"100.64.0.1": restricted, "100.127.255.255": restricted, "224.0.0.1": restricted, "239.1.1.1": restricted,
		"255.255.255.255": restricted, "240.0.0.1": restricted, "198.18.0.1": restricted, "198.19.255.255": restricted,
		"192.0.2.1": restricted, "198.51.100.1": restricted, "203.0.113.1": restricted, "192.0.0.1": restricted,
		"192.88.99.1": restricted,
		"::":          restricted, "::1": restricted, "fc00::1": restricted, "fdff::1": restricted, "fec0::1": restricted,
		"ff02::1": restricted, "2001:db8::1": restricted, "3fff::1": restricted, "100::1": restricted,
		"5f00::1": restricted, "4000::1": restricted, "2001:2::1": restricted,
		"::ffff:127.0.0.1": restricted, "::ffff:10.0.0.1": restricted, "::127.0.0.1": restricted, "::8.8.8.8": restricted,
		"::ffff:0:10.0.0.1": restricted, "64:ff9b::7f00:1": restricted, "64:ff9b::a00:1": restricted,
		"64:ff9b:1::808:808": restricted, "2002:a00:1::1": restricted, "2002:808:808::1": restricted,
		"2001:0:1234::1": restricted,

		"169.254.169.254": forbidden, "169.254.0.1": forbidden, "169.254.170.2": forbidden, "fe80::1": forbidden,
		"fe80::1%eth0": forbidden, "febf::1": forbidden, "100.100.100.200": forbidden, "168.63.129.16": forbidden,
		"192.0.0.192": forbidden, "fd00:ec2::254": forbidden, "fd00:ec2::23": forbidden, "fd20:ce::254": forbidden,
		"fd00:42::42":            forbidden,
		"::ffff:169.254.169.254": forbidden, "::169.254.169.254": forbidden, "::ffff:0:169.254.169.254": forbidden,
		"64:ff9b::a9fe:a9fe": forbidden, "64:ff9b::6464:64c8": forbidden, "64:ff9b:1::a9fe:a9fe": forbidden,
		"64:ff9b:1:a9fe:a9:fe00::": forbidden, "2002:a9fe:a9fe::1": forbidden,
		"2001:0:1234:5678:0:0:5601:5601": forbidden, // Teredo writes the address inverted
	} {
		class := egress.Classify(netip.MustParseAddr(text))
		got := restricted
		switch {
		case class.Public():
			got = public
		case class.Forbidden:
			got = forbidden
		}
		if got != want {
			t.Errorf("%s is %s (%s), want %s", text, got, class.What, want)
		}
	}
}

// However an IPv4 address is put into IPv6, it is not treated more kindly than
// as itself.
func TestClassifyEmbedded(t *testing.T) {
	t.Parallel()
	rank := func(c egress.Class) int {
		switch {
		case c.Forbidden:
			return 2
		case !c.Public():
			return 1
		}
		return 0
	}
	rapid.Check(t, func(t *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 10, 100, 127, 169, 172, 192, 200, 254})), 4, 4).Draw(t, "v4"))
		plain := rank(egress.Classify(netip.AddrFrom4(b)))
		hi, lo := uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3])
		groups := func(g ...uint16) netip.Addr {
			var a [16]byte
			for i, v := range g {
				a[2*i], a[2*i+1] = byte(v>>8), byte(v)
			}
			return netip.AddrFrom16(a)
		}
		for name, a := range map[string]netip.Addr{
			"mapped":     groups(0, 0, 0, 0, 0, 0xffff, hi, lo),
			"translated": groups(0, 0, 0, 0, 0xffff, 0, hi, lo),
			"compatible": groups(0, 0, 0, 0, 0, 0, hi, lo),
			"NAT64":      groups(0x64, 0xff9b, 0, 0, 0, 0, hi, lo),
			"local /96":  groups(0x64, 0xff9b, 1, 0, 0, 0, hi, lo),
			"6to4":       groups(0x2002, hi, lo, 0, 0, 0, 0, 1),
			"Teredo":     groups(0x2001, 0, 1, 2, 0, 0, ^hi, ^lo),
		} {
			if got := rank(egress.Classify(a)); got < plain {
				t.Fatalf("%s form %s of %v: rank %d, plain %d", name, a, b, got, plain)
			}
		}
	})
}

func TestParseHostPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ledger.example.org:5432":    "ledger.example.org:5432",
		"Ledger.Example.ORG.:5432":   "ledger.example.org:5432",
		"10.0.0.5:80":                "10.0.0.5:80",
		"[::1]:8080":                 "[::1]:8080",
		"[::ffff:10.0.0.5]:80":       "10.0.0.5:80",
		"[FD00:0::1]:80":             "[fd00::1]:80",
		"0xdata.example:80":          "0xdata.example:80",
		"unix:/run/pg/.s.PGSQL.5432": "unix:/run/pg/.s.PGSQL.5432",
	} {
		got, err := egress.ParseHostPort(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v", text, got, err)
			continue
		}
		if again, err := egress.ParseHostPort(got.String()); err != nil || again != got {
			t.Errorf("%s: read again: %v, %v", text, again, err)
		}
	}
	for _, text := range []string{
		"", "host", "host:", ":80", "host:0", "host:65536", "host:http", "host:-1", "::1:80", "127.1:80", "0x7f.1:80",
		"2130706433:80", "0177.0.0.1:80", "a b:80", "a/b:80", "unix:relative", "unix:", "http://host:80",
	} {
		if got, err := egress.ParseHostPort(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	var p egress.Policy
	for _, text := range []string{
		"ledger.example.org:5432", "10.0.0.7:80", "metadata.google.internal:80", "169.254.169.254:80", "evil.example.org:80",
	} {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			t.Fatal(err)
		}
		p = p.With(place)
	}
	for _, c := range []struct {
		host, addr string
		want       string // part of the error, empty if allowed
	}{
		{"example.org", "8.8.8.8:443", ""},
		{"ledger.example.org", "10.0.0.5:5432", ""},
		{"LEDGER.example.org.", "10.0.0.5:5432", ""},
		{"ledger.example.org", "10.0.0.5:5433", "--allow-host ledger.example.org:5433"},
		{"other.example.org", "10.0.0.5:5432", `egress: {allow: ["other.example.org:5432"]}`},
		{"other.example.org", "10.0.0.7:80", ""}, // allowed by its address
		{"10.0.0.7", "10.0.0.7:80", ""},
		{"10.0.0.8", "10.0.0.8:80", "10.0.0.8 is a private address"},
		{"::1", "[::1]:80", "--allow-host [::1]:80"},
		// What is forbidden stays forbidden, even if it was allowed.
		{"evil.example.org", "169.254.169.254:80", "always denied"},
		{"169.254.169.254", "169.254.169.254:80", "always denied"},
		{"ledger.example.org", "[fe80::1]:5432", "always denied"},
	} {
		err := p.CheckAddress(c.host, netip.MustParseAddrPort(c.addr))
		checkDenied(t, c.host+" at "+c.addr, err, c.want)
	}
	for host, want := range map[string]string{
		"example.org":               "",
		"metadata.google.internal":  "always denied",
		"Metadata.Google.Internal.": "always denied",
		"127.1":                     "neither a host name nor an address",
		"0x7f.1":                    "neither a host name nor an address",
		"0177.0.0.1":                "neither a host name nor an address",
		"2130706433":                "neither a host name nor an address",
		"0x7f000001":                "neither a host name nor an address",
		"127.0.0.1.":                "neither a host name nor an address",
		"0":                         "neither a host name nor an address",
		"127.0.0.1":                 "a loopback address",
		"::ffff:169.254.169.254":    "always denied",
		"":                          "the host is missing",
		"a b":                       "not a host name",
		"10.0.0.7":                  "",
	} {
		checkDenied(t, host, p.CheckHost(host, 80), want)
	}
}

func checkDenied(t *testing.T, what string, err error, want string) {
	t.Helper()
	var denied *egress.DeniedError
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (!errors.As(err, &denied) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want %q", what, err, want)
	}
}
