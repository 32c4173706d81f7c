package access

import "fmt"

// viaProcess is how a part of this process is known.
const viaProcess = "process"

// insider is a part of this process with a token of its own.
type insider struct {
	hash     string
	identity Identity
}

// Insider gives a part of this process, such as a worker that was built into it, a
// token: a role in one namespace, as system/NAME. It is kept in memory only, and
// ends with the process. It is no user, so that what everybody who is known may do
// is not for it. Errors: those of the source of randomness.
func (s *Service) Insider(name string, role Role, namespace string) (string, error) {
	id, secret, err := s.newToken()
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", name, err)
	}
	grants := []Grant{{Role: role, Namespace: namespace}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insiders[id] = insider{hash: digest(secret), identity: Identity{
		Via: viaProcess, Grants: grants, system: name, rights: rightsOf(grants), token: id,
	}}
	return secret, nil
}

// inside finds the part of this process that has a token, by its ID.
func (s *Service) inside(id string) (insider, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.insiders[id]
	return found, ok
}
