// Package testpg gives tests a PostgreSQL of their own: one private server per
// test program, one fresh database per test, gone with the program. It is fast
// because it never syncs to disk, so it says nothing about durability.
//
// The server listens on a loopback port and a socket of its own. It runs as an
// unprivileged user where the tests run as root, since PostgreSQL refuses root.
// The package imports nothing of Regie; only tests import it.
//
//	func TestStore(t *testing.T) {
//		dsn := testpg.Start(t)
//		…
//	}
package testpg
