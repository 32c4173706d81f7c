package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/regie-dev/regie/internal/executor/supervised"
)

// readyTime bounds the start of a server, stopTime its end.
const (
	readyTime = 5 * time.Minute
	stopTime  = time.Minute
)

// server is a `regie server` of its own, started from Config.Binary as an
// operator would: with everything on that is on by default.
type server struct {
	data   string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
	url    string
	token  string        // of the first start
	ready  time.Duration // from its start until it listened
	client *caller
}

// startServer starts a server on a data folder and waits until it listens. What
// it logs goes to a file beside the folder.
func (b *run) startServer(ctx context.Context, data string, args ...string) (*server, error) {
	log, err := os.OpenFile(data+".log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	s := &server{data: data, ended: make(chan struct{})}
	s.cmd = exec.Command(b.cfg.Binary, append([]string{"server", "--data", data, "--listen", "127.0.0.1:0", "--output", "json"}, args...)...) //nolint:noctx // it is ended in order
	s.cmd.Env, s.cmd.Stderr = append([]string{}, b.cfg.Environ...), log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	said := make(chan error, 1)
	go func() {
		defer close(s.ended)
		var line struct {
			URL   string `json:"url"`
			Token string `json:"admin_token"`
		}
		err := json.NewDecoder(bufio.NewReader(out)).Decode(&line)
		s.url, s.token, s.ready = line.URL, line.Token, time.Since(began)
		said <- err
		_ = s.cmd.Wait() // how it ended is in its log
	}()
	late := time.NewTimer(readyTime)
	defer late.Stop()
	select {
	case err = <-said:
	case <-late.C:
		err = fmt.Errorf("it was not ready after %s", readyTime)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.kill()
		return nil, errors.Join(fmt.Errorf("start the server: %w; its log says: %s", err, lastWords(data+".log")), s.stopSupervisor())
	}
	return s, nil
}

// kill ends the server at once; what it started goes on.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// stop ends the server in order, and its supervisor with it, also where the
// server has ended already.
func (s *server) stop() error {
	defer s.client.close()
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("stop the server: %w", err)
	}
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-s.ended:
	case <-late.C:
		s.kill()
		err = errors.Join(err, fmt.Errorf("the server did not stop within %s", stopTime))
	}
	return errors.Join(err, s.stopSupervisor())
}

// stopSupervisor ends the process that ran the server's tasks, if there is one,
// and waits until it answers no more: then its folder can be removed.
func (s *server) stopSupervisor() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	where := supervised.Config{Dir: filepath.Join(s.data, "supervisor")}
	info, err := supervised.Status(ctx, where)
	if err != nil {
		return nil // none was started, or it has ended
	}
	if err := syscall.Kill(info.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the supervisor: %w", err)
	}
	looks := time.NewTicker(pollEvery)
	defer looks.Stop()
	for err == nil {
		select {
		case <-looks.C:
			_, err = supervised.Status(ctx, where)
		case <-ctx.Done():
			return fmt.Errorf("the supervisor did not stop within %s", stopTime)
		}
	}
	return nil
}

// memory is what the server has in memory, in MiB, with the most that it ever
// had; 0 where the system does not tell.
func (s *server) memory() (now, most float64) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		size, _ := strconv.ParseFloat(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 64)
		switch string(name) {
		case "VmRSS":
			now = size / 1024
		case "VmHWM":
			most = size / 1024
		}
	}
	return now, most
}

// ticksPerSecond is the unit in which Linux tells processor times: USER_HZ, the
// same on all machines.
const ticksPerSecond = 100

// cpu is the processor time that the server has used, in seconds; 0 where the
// system does not tell. Other work on the machine changes it less than it
// changes rates.
func (s *server) cpu() float64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") ")) // behind the name of the program
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(string(fields[11]), 64)
	system, _ := strconv.ParseFloat(string(fields[12]), 64)
	return (user + system) / ticksPerSecond
}

// lastWords is the end of a log.
func lastWords(name string) string {
	const shown = 1000
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-shown):]))
}
