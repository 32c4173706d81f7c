// Package connectortest knows what every connector has to keep: one suite that
// each implementation runs, and a call to build tests on.
//
// Only tests import it. It imports the contract and pure packages.
//
//	connectortest.Run(t, connectortest.Suite{New: newLog, Call: func(t *testing.T) connector.Call {
//		return connectortest.Call(t, `{"message": "hello"}`)
//	}})
package connectortest
