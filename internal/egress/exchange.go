package egress

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds of decompression: beyond freeInflation bytes a response may not be
// more than maxInflation times as long as what was sent.
const (
	freeInflation = 1 << 20
	maxInflation  = 200
)

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // decompressed
	// BytesIn are the bytes of the body as they were sent.
	BytesIn int64
}

// Names of the errors of [Exchange], beside [ErrorName].
const (
	NameTimeout    = "timeout"
	NameCanceled   = "canceled"
	NameInvalidURL = "invalid_input"
	NameConnect    = "http.connect"   // no connection: name, network, TLS
	NameProtocol   = "http.protocol"  // the answer is not sound, or broke off
	NameTooLarge   = "http.too_large" // header or body longer than it may be
)

// ExchangeError is a request without a complete answer.
type ExchangeError struct {
	// Name says what kind of fault it is.
	Name string
	// Sent says that the server may have received the request, so that it may
	// have had its effect.
	Sent bool
	// Status and Header are those of an answer of which the rest was not read;
	// 0 and nil if there was none.
	Status int
	Header http.Header
	Err    error
}

func (e *ExchangeError) Error() string { return e.Err.Error() }

func (e *ExchangeError) Unwrap() error { return e.Err }

// Exchange sends a request and reads the answer to its end, at most maxBytes
// of body after decompression; how long it may take is up to the request's
// context. It asks for gzip unless the request says itself what it accepts.
// Errors are *[ExchangeError]; their texts show no more of the URL than its
// host.
func Exchange(client *http.Client, r *http.Request, maxBytes int64) (*Response, error) {
	inflate := r.Header.Get("Accept-Encoding") == "" && r.Header.Get("Range") == "" && r.Method != http.MethodHead
	if inflate {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	forbidReplay(r)
	var sent atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	resp, err := client.Do(r.WithContext(ctx))
	if err != nil {
		if resp != nil && resp.Body != nil { // a redirect that was refused
			_ = resp.Body.Close()
		}
		return nil, exchangeError(ctx, err, sent.Load())
	}
	defer resp.Body.Close()
	out, err := read(resp, inflate, maxBytes)
	if err != nil {
		e := exchangeError(ctx, err, true)
		e.Status, e.Header = resp.StatusCode, resp.Header
		return nil, e
	}
	return out, nil
}

func read(resp *http.Response, inflate bool, maxBytes int64) (*Response, error) {
	out := &Response{Status: resp.StatusCode, Header: resp.Header}
	wire := &counter{r: resp.Body}
	var body io.Reader = wire
	if inflate && strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") && resp.ContentLength != 0 {
		unzipped, err := gzip.NewReader(wire)
		if err != nil {
			return nil, fmt.Errorf("decompress the answer: %w", err)
		}
		body = &inflation{r: unzipped, wire: wire}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
	}
	if resp.ContentLength > maxBytes {
		return nil, tooLong(maxBytes)
	}
	var err error
	out.Body, err = io.ReadAll(io.LimitReader(body, maxBytes+1))
	out.BytesIn = wire.n
	if err == nil && int64(len(out.Body)) > maxBytes {
		err = tooLong(maxBytes)
	}
	return out, err
}

// forbidReplay keeps net/http from sending a request twice: it takes one with
// an idempotency key for safe to repeat, whatever the server makes of the key.
// It looks for the canonical name, while servers read any case.
func forbidReplay(r *http.Request) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := r.Header[name]; ok {
			delete(r.Header, name)
			r.Header[strings.ToLower(name)] = values
		}
	}
}

var errTooLarge = errors.New("the answer is too large")

func tooLong(limit int64) error {
	return fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// inflation stops a small body that unpacks to a huge one.
type inflation struct {
	r    io.Reader
	wire *counter
	n    int64
}

func (i *inflation) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.n += int64(n)
	if i.n > freeInflation && i.n > maxInflation*i.wire.n {
		return n, fmt.Errorf("%w: it unpacks to more than %d times its size", errTooLarge, maxInflation)
	}
	return n, err
}

// RetryAfter reads the header Retry-After (RFC 9110, section 10.2.3): seconds,
// or an instant. 0 if it is absent, past or unreadable.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

func exchangeError(ctx context.Context, err error, sent bool) *ExchangeError {
	e := &ExchangeError{Name: NameConnect, Sent: sent, Err: err}
	var withURL *url.Error
	if errors.As(err, &withURL) {
		e.Err = withURL.Err // without the URL: its query may hold secrets
	}
	var denied *DeniedError
	var invalid *URLError
	switch {
	case errors.As(err, &denied):
		// Either nothing was sent, or it was answered by a redirect.
		e.Name, e.Err, e.Sent = ErrorName, denied, false
	case errors.As(err, &invalid):
		e.Name, e.Err, e.Sent = NameInvalidURL, invalid, false
	case errors.Is(err, ErrTooManyRedirects):
		e.Name, e.Sent = NameProtocol, false
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Name = NameTimeout
	case ctx.Err() != nil:
		e.Name = NameCanceled
	case errors.Is(err, errTooLarge), longHeader(err):
		e.Name = NameTooLarge
	case sent:
		e.Name = NameProtocol
	}
	return e
}

// longHeader recognises what net/http says of too long a header; it has no
// error to compare with.
func longHeader(err error) bool {
	return strings.Contains(err.Error(), "headers exceeded") || strings.Contains(err.Error(), "header list larger")
}
