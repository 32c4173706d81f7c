package egress_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/egress"
)

// Connections are shared by those with the same rules only.
func TestClients(t *testing.T) {
	t.Parallel()
	clients := egress.NewClients(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{})})
	defer clients.CloseIdle()
	first, err := clients.Client("a", []string{"10.0.0.1:80"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if same, _ := clients.Client("a", []string{"10.0.0.1:80"}, ""); same != first {
		t.Error("the same rules have another client")
	}
	for _, other := range []struct {
		owner string
		allow []string
	}{{"b", []string{"10.0.0.1:80"}}, {"a", []string{"10.0.0.1:81"}}, {"a", nil}, {"", nil}} {
		if client, _ := clients.Client(other.owner, other.allow, ""); client == first {
			t.Errorf("%v: shares connections with other rules", other)
		}
	}
	if _, err := clients.Client("a", []string{"10.0.0.1"}, ""); err == nil {
		t.Error("a place without a port was allowed")
	}
	if _, err := clients.Client("a", nil, "no certificate"); err == nil {
		t.Error("a text was taken for a certificate")
	}
	clients.CloseIdle()
	if client, _ := clients.Client("a", []string{"10.0.0.1:80"}, ""); client == first {
		t.Error("a closed client is still handed out")
	}
}
