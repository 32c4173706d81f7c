package large

// Asked is how often memory was asked for.
func (s *Store) Asked() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
