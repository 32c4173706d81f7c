package transport

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

const (
	// HeaderTimeout bounds the time in which the header of a request must arrive.
	HeaderTimeout = 10 * time.Second
	// IdleTimeout is how long a connection is kept without a request.
	IdleTimeout = 2 * time.Minute
	// MaxHeader bounds the header of a request, in bytes.
	MaxHeader = 64 << 10
	// MaxStreams bounds the requests at one time on one HTTP/2 connection.
	MaxStreams = 250
)

// Listening says how a server listens.
type Listening struct {
	// TLS is used for all connections; nil if the listener does it, or for
	// plaintext.
	TLS *tls.Config
	// Plaintext takes HTTP/2 without TLS too, for gRPC on loopback and sockets.
	Plaintext bool
	// Logger gets what net/http has to say; nil: nobody does.
	Logger *slog.Logger
}

// NewServer returns an HTTP server with the limits of this package. Its Shutdown
// waits for requests, and streams end with their context: cancel it with
// BaseContext. The caller serves and stops it.
func NewServer(handler http.Handler, l Listening) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(l.Plaintext)
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         l.TLS,
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeader,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: MaxStreams},
	}
	if l.Logger != nil {
		server.ErrorLog = slog.NewLogLogger(l.Logger.Handler(), slog.LevelDebug)
	} else {
		server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	}
	return server
}
