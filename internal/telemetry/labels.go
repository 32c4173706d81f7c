package telemetry

import "sync"

// labels bounds the values of a label. Safe for concurrent use.
type labels struct {
	mu    sync.RWMutex
	known map[string]bool
}

func newLabels() *labels { return &labels{known: map[string]bool{}} }

// of is the value itself, for the first MaxLabels that are asked for.
func (l *labels) of(value string) string {
	l.mu.RLock()
	known, full := l.known[value], len(l.known) >= MaxLabels
	l.mu.RUnlock()
	switch {
	case known:
		return value
	case full:
		return OtherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[value] && len(l.known) >= MaxLabels {
		return OtherLabel
	}
	l.known[value] = true
	return value
}
