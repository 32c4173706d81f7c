// Package storetest knows what every implementation of a store must do, as
// tests. It is imported by tests only.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness { … })
//	}
package storetest
