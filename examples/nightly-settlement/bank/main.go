package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	if err := serve(*listen, newBank(*failures, *retryAfter, os.Getenv("BANK_TOKEN"))); err != nil {
		fmt.Fprintf(os.Stderr, "bank: %v\n", err)
		os.Exit(1)
	}
}

// serve prints the bank's URL and serves it until the process is asked to end.
func serve(address string, b *bank) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: b.routes(), ReadTimeout: readTimeout, WriteTimeout: readTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("http://%s\n", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
