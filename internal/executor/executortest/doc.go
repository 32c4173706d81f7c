// Package executortest knows what every executor has to do: a suite of tests
// for implementations of executor.Executor.
//
// The tasks are scripts for /bin/sh that use what Linux and macOS have in
// common. They see the test's folders, so an executor that runs them elsewhere
// has to share these. The package is imported by tests only.
//
//	func TestContract(t *testing.T) {
//		executortest.Run(t, func(t *testing.T) executor.Executor {
//			x, err := process.New(process.Config{})
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { _ = x.Close() })
//			return x
//		})
//	}
package executortest
