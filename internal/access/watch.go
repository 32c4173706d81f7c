package access

import "context"

// watcher is a stream that must end when its identity does.
type watcher struct {
	id   Identity
	done chan struct{}
}

// Watch returns a channel that is closed when the identity may not do any more
// what it may now: its token was revoked or has expired, its session has ended,
// its user was disabled or deleted, or a right was taken away. Changes close it
// at once, the passing of time within [TickEvery]. An open stream does not keep
// a session from becoming idle. The watch ends with the context.
func (s *Service) Watch(ctx context.Context, id Identity) <-chan struct{} {
	w := &watcher{id: id, done: make(chan struct{})}
	s.mu.Lock()
	s.watchers[w] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
	})
	// What changed before the watcher stood in the list was told to nobody.
	s.recheckOne(w)
	return w.done
}

// recheck ends the watches of those who lost rights.
func (s *Service) recheck() {
	s.mu.Lock()
	watchers := make([]*watcher, 0, len(s.watchers))
	for w := range s.watchers {
		watchers = append(watchers, w)
	}
	s.mu.Unlock()
	for _, w := range watchers {
		s.recheckOne(w)
	}
}

func (s *Service) recheckOne(w *watcher) {
	if s.stands(w.id) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.done:
	default:
		delete(s.watchers, w)
		close(w.done)
	}
}

// stands reports whether the identity may still do all that it may.
func (s *Service) stands(id Identity) bool {
	if _, inside := s.inside(id.token); inside {
		return true
	}
	var now Identity
	err := ErrUnauthenticated
	if t, there := s.tokens.Get("", id.token); there && id.token != "" {
		now, err = s.currentToken(id.token, &t, s.now())
	} else if v, there := s.sessions.Get("", id.session); there && id.session != "" {
		now, err = s.currentSession(id.session, &v, s.now())
	}
	return err == nil && now.User == id.User && now.rights.covers(id.rights)
}
