package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/regie-dev/regie/internal/kill"
)

func main() { os.Exit(run(os.Stdout)) }

func run(out io.Writer) int {
	cfg := kill.Config{Out: out}
	flag.StringVar(&cfg.Binary, "binary", "bin/regie", "the server to kill")
	flag.IntVar(&cfg.Kills, "kills", 30, "how often to kill it")
	flag.IntVar(&cfg.Runs, "runs", 1000, "how many runs there are at least")
	flag.Uint64Var(&cfg.Seed, "seed", 1, "of the moments")
	keep := flag.Bool("keep", false, "leave the folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	dir, err := os.MkdirTemp("", "regie-kill-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "regie-kill:", err)
		return 3
	}
	cfg.Dir = dir
	report, err := kill.Run(ctx, cfg)
	if err != nil {
		fmt.Fprintf(os.Stderr, "regie-kill: %v (see %s)\n", err, dir)
		return 3
	}
	fmt.Fprintf(out, "at least %d attempts in flight at each kill, ready again within %s\n", report.Least, report.Ready.Round(1e6))
	for _, fault := range report.Faults {
		fmt.Fprintln(out, "FAULT:", fault)
	}
	fmt.Fprintln(out, report)
	if !report.OK() {
		fmt.Fprintln(os.Stderr, "regie-kill: see", filepath.Clean(dir))
		return 1
	}
	if *keep {
		fmt.Fprintln(out, "left in", dir)
	} else if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "regie-kill:", err)
	}
	return 0
}
