package supervised

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
)

// roleVariable makes this test program something else: a supervisor, or a Regie
// that is killed.
const roleVariable = "SUPERVISED_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "supervisor":
		os.Exit(supervise(os.Args[1:]))
	default:
		os.Exit(regie(role))
	}
}

// supervise is what the command of the same name does.
func supervise(args []string) int {
	cfg := supervisor.Config{
		Environ: os.Environ(), Build: os.Getenv("SUPERVISED_TEST_BUILD"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	flags := flag.NewFlagSet("supervisor", flag.ContinueOnError)
	flags.StringVar(&cfg.Dir, "dir", "", "")
	flags.StringVar(&cfg.Work, "work", "", "")
	flags.StringVar(&cfg.Socket, "socket", "", "")
	flags.StringVar(&cfg.User, "user", "", "")
	flags.DurationVar(&cfg.Idle, "idle", 0, "")
	flags.Func("run-as", "", func(text string) error {
		cfg.RunAs = append(cfg.RunAs, strings.Split(text, ",")...)
		return nil
	})
	flags.Func("allow-uid", "", func(text string) error {
		uid, err := strconv.Atoi(text)
		cfg.UIDs = append(cfg.UIDs, uid)
		return err
	})
	err := flags.Parse(args)
	if err == nil {
		err = supervisor.Serve(context.Background(), cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
