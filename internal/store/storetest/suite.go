package storetest

import (
	"testing"
)

// Run runs the contract as subtests, each with a fresh harness.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"Fresh", testFresh},
		{"Sequence", testSequence},
		{"Atomic", testAtomic},
		{"Lease", testLease},
		{"Invalid", testInvalid},
		{"RecordOrder", testRecordOrder},
		{"RunIDTaken", testRunIDTaken},
		{"Keys", testKeys},
		{"KeysExpire", testKeysExpire},
		{"BatchIsNotKept", testBatchIsNotKept},
		{"Canceled", testCanceled},
		{"Closed", testClosed},
		{"Rows", testRows},
		{"RowPages", testRowPages},
		{"Events", testEvents},
		{"LongRun", testLongRun},
		{"Times", testTimes},
		{"Timers", testTimers},
		{"Programs", testPrograms},
		{"RunLists", testRunLists},
		{"Fixed", testFixed},
		{"Objects", testObjects},
		{"Revisions", testRevisions},
		{"ObjectPages", testObjectPages},
		{"ObjectsAreNotKept", testObjectsAreNotKept},
		{"Entries", testEntries},
		{"Forget", testForget},
		{"Evidence", testEvidence},
		{"Crash", testCrash},
		{"WholeBatches", testWholeBatches},
		{"UnknownFormat", testUnknownFormat},
		{"Erase", testErase},
		{"Prune", testPrune},
		{"Audit", testAudit},
		{"Verify", testVerify},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
	for _, what := range Tamperings() {
		t.Run("Tamper/"+string(what), func(t *testing.T) {
			t.Parallel()
			testTamper(t, open(t), what)
		})
	}
}
