package server_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// shared is the server that tests use unless they need one of their own.
var shared *world

func TestMain(m *testing.M) {
	if dir := os.Getenv(crewVariable); dir != "" {
		if err := beCrew(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Unless the command line says otherwise: each check starts runs, and tests
	// wait for the disk more than for the processor.
	_ = flag.Set("rapid.checks", "10")
	_ = flag.Set("test.parallel", "16")
	dir, err := os.MkdirTemp("", "regie-server")
	if err == nil {
		shared, err = open(options{dir: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
