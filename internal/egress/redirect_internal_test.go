package egress

import (
	"net/url"
	"testing"
)

func TestSamePlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"http://a.example/x", "http://A.example/y", true},
		{"http://a.example:8080", "http://a.example:8080", true},
		{"http://a.example", "https://a.example", true}, // encryption added
		{"https://a.example", "http://a.example", false},
		{"http://a.example:8080", "https://a.example:8443", false},
		{"http://a.example", "http://a.example:8080", false},
		{"https://a.example", "https://b.example", false},
		{"https://a.example", "https://sub.a.example", false},
		{"https://sub.a.example", "https://a.example", false},
	} {
		a, _ := url.Parse(c.a)
		b, _ := url.Parse(c.b)
		if got := samePlace(a, b); got != c.want {
			t.Errorf("%s to %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
