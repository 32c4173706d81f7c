package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Bounds of the server; it serves one example on one machine.
const (
	maxBody         = 1 << 20
	readTimeout     = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

func main() {
	failures := flag.Int("failures", 2, "answer the first `N` calls of each batch with 503")
	retryAfter := flag.Int("retry-after", 1, "`SECONDS` that a 503 asks to wait")
	listen := flag.String("listen", "127.0.0.1:0", "`ADDRESS` to listen on; port 0 picks a free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, os.Stdout, *listen, newBank(*failures, *retryAfter, os.Getenv("BANK_TOKEN")))
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bank: %v\n", err)
		os.Exit(1)
	}
}

// serve prints the bank's URL to out and serves it until ctx ends.
func serve(ctx context.Context, out io.Writer, address string, b *bank) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: b.routes(), ReadTimeout: readTimeout, WriteTimeout: readTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
