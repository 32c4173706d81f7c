package access

import "golang.org/x/crypto/argon2"

// Sealed makes a text with a checksum out of one, as tokens are.
func Sealed(text string) string { return sealed(text) }

// Known is a user with all their grants, the zero value if there is none.
func (s *Service) Known(user string) Identity {
	id, _ := s.holder(user)
	return id
}

// Watchers is how many streams are watched.
func (s *Service) Watchers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watchers)
}

// Remembered is how many last uses are in memory.
func (s *Service) Remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.used) + len(s.seen)
}

// OnHash calls f once, while the next password is being hashed.
func (s *Service) OnHash(f func() error) {
	s.passwords.derive = func(password, salt []byte, passes, memory uint32, threads uint8, size uint32) []byte {
		s.passwords.derive = argon2.IDKey
		if err := f(); err != nil {
			panic(err)
		}
		return argon2.IDKey(password, salt, passes, memory, threads, size)
	}
}

// Group finds a group.
func (s *Service) Group(name string) (Group, bool) {
	for _, g := range s.Groups() {
		if g.Name == name {
			return g, true
		}
	}
	return Group{}, false
}
