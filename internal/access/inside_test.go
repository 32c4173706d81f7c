package access_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/regie-dev/regie/internal/access"
)

// TestInsider: a part of the process may what its role may in its namespace, with
// its own token, and nothing that is for users.
func TestInsider(t *testing.T) {
	t.Parallel()
	s := newPlace(t)
	secret, err := s.Insider("worker", access.Worker, "ns")
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Insider("worker", access.Worker, "other")
	if err != nil || other == secret {
		t.Fatalf("two have the token %q, %v", other, err)
	}
	id, err := s.Authenticate(http.Header{"Authorization": {"Bearer " + secret}}, "", false)
	if err != nil || id.Actor() != "system/worker" {
		t.Fatalf("identity %+v, %v", id, err)
	}
	for _, c := range []struct {
		p         access.Permission
		namespace string
		allowed   bool
	}{
		{access.TasksWork, "ns", true}, {access.TasksWork, "other", false}, {access.TasksWork, "", false},
		{access.RunsRead, "ns", false}, {access.Known, "", false},
	} {
		if err := id.Allow(c.p, c.namespace, true); (err == nil) != c.allowed || err != nil && !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s in %q: %v", c.p, c.namespace, err)
		}
	}
	select {
	case <-s.Watch(t.Context(), id):
		t.Error("its watch has ended")
	default:
	}
}
