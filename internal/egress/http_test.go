package egress_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/regie-dev/regie/internal/egress"
)

func place(t *testing.T, rawURL string) egress.HostPort {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	p, err := egress.PlaceOf(u)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(t *testing.T, client *http.Client, rawURL string, header http.Header) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	resp, err := client.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return resp, err
}

// Rows B21 to B23, B26 and B27.
func TestHTTPRefuses(t *testing.T) {
	t.Parallel()
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{
		Allow: []egress.HostPort{{Host: "metadata.google.internal", Port: 80}},
	}})})
	for _, u := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]", "http://[::1]", "http://0/",
		"http://0.0.0.0", "http://2130706433/", "http://0x7f.1", "http://0177.0.0.1", "http://127.1", "http://127.0.0.1:1",
		"http://[fd00:ec2::254]", "http://[64:ff9b::a9fe:a9fe]", "http://100.100.100.200", "http://metadata.google.internal",
		"https://metadata.google.internal./computeMetadata/v1/", "http://[fe80::1%25eth0]", "http://１２７.０.０.１/",
	} {
		_, err := get(t, client, u, nil)
		var denied *egress.DeniedError
		if !errors.As(err, &denied) {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{
		"file:///etc/passwd", "gopher://example.org/", "unix:/run/docker.sock", "ftp://example.org", "http:example.org",
		"http:///path", "http://example.org:0/", "http://example.org:99999/", "//example.org/",
	} {
		_, err := get(t, client, u, nil)
		var refused *egress.URLError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// Row B25: redirects are checked like first requests.
func TestHTTPRedirects(t *testing.T) {
	t.Parallel()
	var target atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		http.Redirect(w, r, target.Load().(string), http.StatusFound)
	}))
	defer server.Close()
	dialer := egress.NewDialer(egress.Config{Policy: egress.Policy{Allow: []egress.HostPort{place(t, server.URL)}}})
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: dialer})
	for _, to := range []string{"http://169.254.169.254/", "http://127.0.0.1:1/", "http://metadata.google.internal/", "http://127.1/"} {
		target.Store(to)
		var denied *egress.DeniedError
		if _, err := get(t, client, server.URL, nil); !errors.As(err, &denied) {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	target.Store("file:///etc/passwd")
	var refused *egress.URLError
	if _, err := get(t, client, server.URL, nil); !errors.As(err, &refused) {
		t.Errorf("redirect to a file: %v", err)
	}
	if _, err := get(t, client, server.URL+"/loop", nil); !errors.Is(err, egress.ErrTooManyRedirects) {
		t.Errorf("loop: %v", err)
	}
	stay := egress.WithoutRedirects(client)
	if resp, err := get(t, stay, server.URL, nil); err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("without redirects: %v, %v", resp, err)
	}
}

// Headers that may carry rights do not follow a redirect to another host, and
// stay off when the trail comes back (row B25).
func TestHTTPRedirectDropsRights(t *testing.T) {
	t.Parallel()
	var last http.Header
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		last = r.Header.Clone()
	})
	home := httptest.NewServer(handler)
	defer home.Close()
	other := httptest.NewServer(handler)
	defer other.Close()
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{
		Allow: []egress.HostPort{place(t, home.URL), place(t, other.URL)},
	}})})
	rights := []string{"Authorization", "Cookie", "X-Api-Key", "Idempotency-Key", "Referer"}
	for name, c := range map[string]struct {
		url  string
		kept bool
	}{
		"no redirect":    {home.URL, true},
		"same host":      {home.URL + "?to=" + url.QueryEscape(home.URL), true},
		"other port":     {home.URL + "?to=" + url.QueryEscape(other.URL), false},
		"away and back":  {home.URL + "?to=" + url.QueryEscape(other.URL+"?to="+url.QueryEscape(home.URL)), false},
		"away and other": {home.URL + "?to=" + url.QueryEscape(other.URL+"?to="+url.QueryEscape(other.URL)), false},
	} {
		header := http.Header{"Accept": {"application/json"}}
		for _, h := range rights {
			header.Set(h, "right")
		}
		if _, err := get(t, client, c.url, header); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if last.Get("Accept") != "application/json" {
			t.Errorf("%s: Accept is lost", name)
		}
		for _, h := range rights {
			if got := last.Get(h) != ""; got != c.kept {
				t.Errorf("%s: %s kept: %v, want %v", name, h, got, c.kept)
			}
		}
	}
}

// A proxy is used when it is configured and only then, must be allowed, and
// does not open a way around the policy.
func TestHTTPProxy(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store(r.URL.String()) }))
	defer proxy.Close()
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	strict := egress.NewDialer(egress.Config{})
	through := func(d *egress.Dialer) *http.Client {
		return egress.NewHTTPClient(egress.HTTPConfig{Dialer: d, Proxy: http.ProxyURL(proxyURL)})
	}
	allowed := through(strict.With(place(t, proxy.URL)))
	if _, err := get(t, allowed, "http://example.org/x", nil); err != nil || asked.Load() != "http://example.org/x" {
		t.Errorf("through the proxy: %v, it was asked for %v", err, asked.Load())
	}
	var denied *egress.DeniedError
	if _, err := get(t, through(strict), "http://example.org/x", nil); !errors.As(err, &denied) {
		t.Errorf("proxy that is not allowed: %v", err)
	}
	for _, u := range []string{"http://169.254.169.254/", "http://10.0.0.1/", "http://metadata.google.internal/", "http://127.1/"} {
		if _, err := get(t, allowed, u, nil); !errors.As(err, &denied) {
			t.Errorf("%s through the proxy: %v", u, err)
		}
	}
}

func TestHTTPProxyFromEnvironmentIsIgnored(t *testing.T) {
	var asked atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer proxy.Close()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	n := &names{answers: map[string][][]netip.Addr{"site.example.org": {addrs("127.0.0.1")}}}
	target := strings.Replace(server.URL, "127.0.0.1", "site.example.org", 1)
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{
		Resolver: n.resolver(), Policy: egress.Policy{Allow: []egress.HostPort{place(t, target)}},
	})})
	if _, err := get(t, client, target, nil); err != nil || asked.Load() {
		t.Errorf("error %v, proxy asked: %v", err, asked.Load())
	}
}

// A response with too long a header is refused (row B28).
func TestHTTPHeaderLimit(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", len(r.URL.Path)*1000))
	}))
	defer server.Close()
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{
		Allow: []egress.HostPort{place(t, server.URL)},
	}})})
	if _, err := get(t, client, server.URL+"/"+strings.Repeat("x", 100), nil); err != nil {
		t.Errorf("100 kB: %v", err)
	}
	if _, err := get(t, client, server.URL+"/"+strings.Repeat("x", 1000), nil); err == nil {
		t.Error("1 MB: no error")
	}
}

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for rawURL, want := range map[string]string{
		"http://Example.org/":      "example.org:80",
		"https://example.org":      "example.org:443",
		"https://example.org:8443": "example.org:8443",
		"http://[::1]/":            "[::1]:80",
	} {
		if got := place(t, rawURL); got.String() != want {
			t.Errorf("%s: %s, want %s", rawURL, got, want)
		}
	}
}
