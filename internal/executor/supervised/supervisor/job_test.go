package supervisor

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
)

// Who follows a task while it is being started is told when that fails.
func TestFailedStartIsTold(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	s, err := newSupervisor(Config{Dir: filepath.Join(base, "s")})
	if err == nil {
		err = s.open()
	}
	if err == nil {
		err = s.tasks.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	starting, fail := make(chan struct{}), make(chan struct{})
	s.tasks, err = process.New(process.Config{Users: func(*executor.Task) (*process.User, error) {
		close(starting)
		<-fail
		return nil, errors.New("no such user")
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	dir := filepath.Join(s.cfg.Work, "run", "attempt")
	answered := make(chan error, 1)
	go func() { answered <- s.start(&executor.Task{Dir: dir, Args: []string{"true"}}, true) }()
	<-starting
	follower := s.job(dir)
	if follower == nil || follower.ended() {
		t.Fatalf("the task that is being started is %+v", follower)
	}
	close(fail)
	var refused *executor.StartError
	if err := <-answered; !errors.As(err, &refused) {
		t.Errorf("the start said %v", err)
	}
	select {
	case <-follower.done:
		if !errors.As(follower.err, &refused) {
			t.Errorf("the follower was told %v", follower.err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the follower is told nothing")
	}
	if s.job(dir) != nil || s.knows(dir) {
		t.Error("a task that was not started is kept")
	}
}
