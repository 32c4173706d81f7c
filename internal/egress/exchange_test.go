package egress_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/egress"
)

const maxBytes = 64 << 10

func clientFor(t *testing.T, rawURL string) *http.Client {
	t.Helper()
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{
		Allow: []egress.HostPort{place(t, rawURL)},
	}})})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func exchange(ctx context.Context, t *testing.T, method, rawURL string) (*egress.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, rawURL, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	return egress.Exchange(clientFor(t, rawURL), r, maxBytes)
}

func zip(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text)
	_ = w.Close()
	return out.Bytes()
}

func TestExchange(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("text that packs well ", 100))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accepted", r.Header.Get("Accept-Encoding"))
		switch r.URL.Path {
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(text))
		case "/plain":
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write(text)
		case "/longest":
			_, _ = w.Write(bytes.Repeat([]byte("x"), maxBytes))
		}
	}))
	defer server.Close()
	for path, want := range map[string]struct {
		status, in int
		body       string
	}{
		"/zipped":  {200, len(zip(text)), string(text)},
		"/plain":   {418, len(text), string(text)},
		"/empty":   {200, 0, ""},
		"/longest": {200, maxBytes, strings.Repeat("x", maxBytes)},
	} {
		got, err := exchange(t.Context(), t, http.MethodGet, server.URL+path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got.Status != want.status || string(got.Body) != want.body || got.BytesIn != int64(want.in) ||
			got.Header.Get("X-Accepted") != "gzip" || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: status %d, %d bytes of body, %d in, header %v", path, got.Status, len(got.Body), got.BytesIn, got.Header)
		}
	}
	if got, err := exchange(t.Context(), t, http.MethodHead, server.URL+"/zipped"); err != nil || len(got.Body) != 0 {
		t.Errorf("HEAD: %v, %v", got, err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/zipped", nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	got, err := egress.Exchange(clientFor(t, server.URL), r, maxBytes)
	if err != nil || !bytes.Equal(got.Body, zip(text)) || got.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encoding asked for by the caller was undone: %v, %v", got, err)
	}
}

// rawServer answers each request with the bytes that answer writes.
func rawServer(t *testing.T, answer func(w net.Conn, requests int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 1; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					answer(conn, n)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// endless writes text until the other side closes.
func endless(w io.Writer, text []byte) {
	for {
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}

// Row B28: every way to answer without end ends.
func TestExchangeBounds(t *testing.T) {
	t.Parallel()
	bomb := zip(make([]byte, 5<<20))
	for name, c := range map[string]struct {
		answer func(w net.Conn, requests int)
		want   string
		status int
	}{
		"endless chunks": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			endless(w, []byte("400\r\n"+strings.Repeat("x", 1024)+"\r\n"))
		}, egress.NameTooLarge, 200},
		"10 GB announced": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nx")
		}, egress.NameTooLarge, 200},
		"one byte too long": {func(w net.Conn, _ int) {
			fmt.Fprintf(w, "HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n%s", strings.Repeat("x", maxBytes+1))
			_ = w.Close()
		}, egress.NameTooLarge, 500},
		"gzip bomb": {func(w net.Conn, _ int) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(bomb))
			_, _ = w.Write(bomb)
		}, egress.NameTooLarge, 200},
		"header of 1 MB": {func(w net.Conn, _ int) {
			fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 1<<20))
		}, egress.NameTooLarge, 0},
		"endless header": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\n")
			endless(w, []byte("X-More: x\r\n"))
		}, egress.NameTooLarge, 0},
		"no answer":     {func(net.Conn, int) { select {} }, egress.NameTimeout, 0},
		"half a header": {func(w net.Conn, _ int) { fmt.Fprint(w, "HTTP/1.1 200 OK\r\nX-"); select {} }, egress.NameTimeout, 0},
		"slow body": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
			select {}
		}, egress.NameTimeout, 200},
		"closed without answer": {func(w net.Conn, _ int) { _ = w.Close() }, egress.NameProtocol, 0},
		"not HTTP":              {func(w net.Conn, _ int) { fmt.Fprint(w, "SSH-2.0-OpenSSH_9.2\r\n\r\n") }, egress.NameProtocol, 0},
		"body breaks off": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
			_ = w.Close()
		}, egress.NameProtocol, 200},
		"not gzip": {func(w net.Conn, _ int) {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\nplain text")
		}, egress.NameProtocol, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 20 * time.Second
			if c.want == egress.NameTimeout {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := exchange(ctx, t, http.MethodPost, rawServer(t, c.answer)+"/?token=hunter2")
			var e *egress.ExchangeError
			if !errors.As(err, &e) || e.Name != c.want || e.Status != c.status || !e.Sent {
				t.Fatalf("got %+v, want %s with status %d", err, c.want, c.status)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

// A small answer that unpacks to much is stopped long before the limit, one
// that merely packs well is not.
func TestExchangeInflation(t *testing.T) {
	t.Parallel()
	var lines []byte
	for i := range 100_000 {
		lines = fmt.Appendf(lines, "INFO payment %d settled\n", i)
	}
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"bomb":       {make([]byte, 5<<20), egress.NameTooLarge},
		"small":      {make([]byte, 1<<20), ""},
		"packs well": {lines, ""},
	} {
		packed := zip(c.body)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}))
		defer server.Close()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		got, err := egress.Exchange(clientFor(t, server.URL), r, 100<<20)
		var e *egress.ExchangeError
		switch {
		case c.want == "" && (err != nil || !bytes.Equal(got.Body, c.body)):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.As(err, &e) || e.Name != c.want || !strings.Contains(err.Error(), "unpacks")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Faults before the request was sent say so.
func TestExchangeNotSent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx       context.Context
		url, want string
	}{
		"refused":       {t.Context(), closed, egress.NameConnect},
		"no TLS there":  {t.Context(), strings.Replace(plain.URL, "http:", "https:", 1), egress.NameConnect},
		"canceled":      {canceled, plain.URL, egress.NameCanceled},
		"unknown name":  {t.Context(), "http://does-not-exist.invalid", egress.NameConnect},
		"other address": {t.Context(), "http://169.254.169.254", egress.ErrorName},
	} {
		r, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.url, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = egress.Exchange(clientFor(t, c.url), r, maxBytes)
		var e *egress.ExchangeError
		if !errors.As(err, &e) || e.Name != c.want || e.Sent {
			t.Errorf("%s: got %+v, want %s, not sent", name, err, c.want)
		}
	}
}

// A request is sent once, also when an idle connection that is used for it
// breaks and the request has an idempotency key.
func TestExchangeSendsOnce(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	server := rawServer(t, func(w net.Conn, requests int) {
		if requests == 1 {
			fmt.Fprint(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		}
		posts.Add(1)
		_ = w.Close()
	})
	client := clientFor(t, server)
	for i, header := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		first, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server, nil)
		if _, err := egress.Exchange(client, first, maxBytes); err != nil {
			t.Fatal(err)
		}
		post, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server, strings.NewReader("pay"))
		post.Header.Set(header, "k")
		_, err := egress.Exchange(client, post, maxBytes)
		var e *egress.ExchangeError
		if !errors.As(err, &e) || !e.Sent || e.Name != egress.NameProtocol {
			t.Errorf("%s: %v", header, err)
		}
		if n := int(posts.Load()); n != i+1 {
			t.Errorf("%s: sent %d times", header, n-i)
		}
	}
}
