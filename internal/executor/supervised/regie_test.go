package supervised

import (
	"context"
	"fmt"
	"os"

	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const socketVariable = "SUPERVISED_TEST_SOCKET"

// regie is another Regie, which tells how a supervisor takes it.
func regie(string) int {
	l, err := dial(context.Background(), os.Getenv(socketVariable), []int{0})
	if err == nil {
		_, err = l.ask(wire.Request{Op: wire.OpInfo})
	}
	_, _ = fmt.Fprintln(os.Stdout, err)
	return 0
}
