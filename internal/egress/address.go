package egress

import "net/netip"

// Class says what kind of place an address is.
type Class struct {
	// What the address is, such as "a loopback address"; empty for a public
	// one.
	What string
	// Forbidden addresses are denied whatever is allowed.
	Forbidden bool
}

// Public reports whether the address may be called without being allowed.
func (c Class) Public() bool { return c.What == "" }

// The tables follow the special-purpose registries of IANA (RFC 6890 and its
// successors) and the documentation of the cloud providers.

func forbidden() []row {
	return []row{
		{"169.254.0.0/16", "a link-local or metadata address"},
		{"fe80::/10", "a link-local address"},
		{"100.100.100.200/32", "the metadata address of Alibaba Cloud"},
		{"168.63.129.16/32", "the platform address of Azure"},
		{"192.0.0.192/32", "the metadata address of Oracle Cloud"},
		{"fd00:ec2::/32", "a metadata address of AWS"},
		{"fd20:ce::254/128", "the metadata address of Google Cloud"},
		{"fd00:42::42/128", "the metadata address of Scaleway"},
	}
}

func restricted() []row {
	return []row{
		{"127.0.0.0/8", "a loopback address"},
		{"::1/128", "a loopback address"},
		{"0.0.0.0/8", "an unspecified address"},
		{"::/128", "an unspecified address"},
		{"10.0.0.0/8", "a private address"},
		{"172.16.0.0/12", "a private address"},
		{"192.168.0.0/16", "a private address"},
		{"fc00::/7", "a private address"},
		{"fec0::/10", "a private address"},
		{"100.64.0.0/10", "an address of a shared network"},
		{"224.0.0.0/4", "a multicast address"},
		{"ff00::/8", "a multicast address"},
		{"255.255.255.255/32", "the broadcast address"},
		{"198.18.0.0/15", "an address for benchmarks"},
		{"2001:2::/48", "an address for benchmarks"},
		{"192.0.0.0/24", "a reserved address"},
		{"192.0.2.0/24", "an address for documentation"},
		{"198.51.100.0/24", "an address for documentation"},
		{"203.0.113.0/24", "an address for documentation"},
		{"2001:db8::/32", "an address for documentation"},
		{"3fff::/20", "an address for documentation"},
		{"192.88.99.0/24", "a reserved address"},
		{"240.0.0.0/4", "a reserved address"},
		{"2001::/32", "a tunnel address"},
		{"2002::/16", "a tunnel address"},
		{"64:ff9b:1::/48", "an address of a local translator"},
	}
}

type row struct{ prefix, what string }

// wellKnown is the prefix of NAT64 (RFC 6052): what it holds decides, since
// networks without IPv4 reach every public IPv4 address through it.
var wellKnown = netip.MustParsePrefix("64:ff9b::/96")

// globalUnicast is all of IPv6 that is handed out for general use.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// table is the parsed form of the rows, in the order in which they are tried.
type table []struct {
	prefix netip.Prefix
	class  Class
}

func newTable() table {
	var t table
	for _, rows := range []struct {
		rows      []row
		forbidden bool
	}{{forbidden(), true}, {restricted(), false}} {
		for _, r := range rows.rows {
			t = append(t, struct {
				prefix netip.Prefix
				class  Class
			}{netip.MustParsePrefix(r.prefix), Class{What: r.what, Forbidden: rows.forbidden}})
		}
	}
	return t
}

// Classify says what kind of place an address is. IPv4 addresses that are
// written or carried inside of IPv6 ones count as what they are: the stricter
// of the two decides.
func Classify(addr netip.Addr) Class { return newTable().classify(addr) }

func (t table) classify(addr netip.Addr) Class {
	addr = addr.Unmap().WithZone("")
	class := t.lookup(addr)
	for _, inner := range embedded(addr) {
		carried := t.lookup(inner)
		if class.Forbidden || carried.Public() || !carried.Forbidden && !class.Public() {
			continue
		}
		class = Class{What: carried.What + " inside of IPv6", Forbidden: carried.Forbidden}
	}
	return class
}

func (t table) lookup(addr netip.Addr) Class {
	for _, r := range t {
		if r.prefix.Contains(addr) {
			return r.class
		}
	}
	if addr.Is6() && !globalUnicast.Contains(addr) && !wellKnown.Contains(addr) {
		return Class{What: "a reserved address"}
	}
	return Class{}
}

// embedded returns the IPv4 addresses that an IPv6 address may lead to: NAT64
// (RFC 6052; the prefix for local use of RFC 8215 in each of its layouts), 6to4
// (RFC 3056), Teredo (RFC 4380), and the compatible and translated forms (RFC
// 4291, RFC 2765).
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	within := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(addr) }
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case within("::/127"):
		return nil
	case wellKnown.Contains(addr), within("::/96"), within("::ffff:0:0:0/96"):
		return []netip.Addr{v4(12, 13, 14, 15)}
	case within("2002::/16"):
		return []netip.Addr{v4(2, 3, 4, 5)}
	case within("2001::/32"):
		return []netip.Addr{netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})}
	case within("64:ff9b:1::/48"):
		return []netip.Addr{v4(12, 13, 14, 15), v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12)}
	}
	return nil
}
