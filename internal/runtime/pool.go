package runtime

import "sync"

// pool does jobs in the order given, a bounded number at once. What waits is
// not bounded here: there is no more of it than there are activations.
type pool struct {
	mu     sync.Mutex
	wake   *sync.Cond
	jobs   []func()
	closed bool
}

// newPool starts workers that end after close; wg counts them.
func newPool(workers int, wg *sync.WaitGroup) *pool {
	p := &pool{}
	p.wake = sync.NewCond(&p.mu)
	for range workers {
		wg.Go(p.work)
	}
	return p
}

func (p *pool) do(job func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = append(p.jobs, job)
	p.wake.Signal()
}

// close lets the workers end once all jobs are done. A nil pool has none.
func (p *pool) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wake.Broadcast()
}

func (p *pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.jobs) == 0 {
			if p.closed {
				return
			}
			p.wake.Wait()
		}
		job := p.jobs[0]
		p.jobs = p.jobs[1:]
		p.mu.Unlock()
		job()
		p.mu.Lock()
	}
}
