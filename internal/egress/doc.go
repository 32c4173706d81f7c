// Package egress knows which places Regie itself may call: every outgoing
// connection of a connector goes through one [Dialer], which checks the address
// that is dialled after the name was resolved, so neither a name that points to
// a private address nor one that changes its mind gets through.
//
// Addresses are public, restricted (loopback, private networks and the like:
// denied unless a host and port are allowed) or forbidden (link-local and cloud
// metadata: always denied). See [Classify] for the table.
//
// Known limits: a translator of IPv6 to IPv4 that uses a prefix of the local
// network's own cannot be recognised, and behind an HTTP proxy only the proxy
// sees the address of a name.
//
// The package imports nothing of Regie.
//
//	dialer := egress.NewDialer(egress.Config{Policy: egress.Policy{Allow: allowed}})
//	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: dialer})
package egress
