package sqlite

import (
	"crypto/cipher"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// cacheRuns is how many runs one generation of the cache holds; there are two,
// about 1 KiB a run.
const cacheRuns = 4096

// cachedRun is what the writer remembers of a run: nothing that the database
// does not say too.
type cachedRun struct {
	// aead encrypts payloads and next is the first event that is not there yet;
	// aead is nil while only the row is known.
	aead cipher.AEAD
	next uint64
	// row is the item hash of the row as it stands, zero if not known.
	row audit.Hash
}

// runCache remembers the runs that were written last, in two generations: when
// the young one is full it becomes the old one, and the old one goes.
type runCache struct {
	young, old map[store.RunID]*cachedRun
	limit      int // of a generation; 0 means cacheRuns
}

func (c *runCache) get(id store.RunID) *cachedRun {
	if run := c.young[id]; run != nil {
		return run
	}
	run := c.old[id]
	if run != nil {
		c.keep(id, run)
	}
	return run
}

// put makes a run that get did not find, or finds it.
func (c *runCache) put(id store.RunID) *cachedRun {
	run := c.get(id)
	if run == nil {
		run = &cachedRun{}
		c.keep(id, run)
	}
	return run
}

func (c *runCache) keep(id store.RunID, run *cachedRun) {
	limit := c.limit
	if limit == 0 {
		limit = cacheRuns
	}
	if len(c.young) >= limit {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = make(map[store.RunID]*cachedRun)
	}
	c.young[id] = run
}

func (c *runCache) drop(id store.RunID) {
	delete(c.young, id)
	delete(c.old, id)
}

// forget drops every run that the batch touches, after it was not written.
func (c *runCache) forget(b *store.Batch) {
	for i := range b.Records {
		c.drop(b.Records[i].Run)
	}
	for i := range b.Runs {
		c.drop(b.Runs[i].ID)
	}
	for _, id := range b.Erase {
		c.drop(id)
	}
}

func (c *runCache) clear() { c.young, c.old = nil, nil }
