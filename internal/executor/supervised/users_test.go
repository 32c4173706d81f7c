package supervised

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// usersConfig is that of a supervisor that may run tasks of namespace pay as
// nobody, whose folder others may pass.
func usersConfig(t *testing.T) (c Config, data string) {
	t.Helper()
	c = config(t)
	base := filepath.Dir(c.Dir)
	if err := os.Chmod(base, 0o711); err != nil {
		t.Fatal(err)
	}
	data = filepath.Join(base, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(data, "key"), []byte("hush"), 0o644)); err != nil {
		t.Fatal(err)
	}
	c.Spawn.Work, c.Spawn.RunAs = "", []string{"pay/nobody"}
	return c, data
}

// A task of another user than the server's cannot read the server's data, nor
// what the supervisor keeps. Who cannot become another user runs nothing as one.
func TestTasksOfAnotherUser(t *testing.T) {
	t.Parallel()
	c, data := usersConfig(t)
	x := open(t, c)
	script := `id -un; echo "$HOME $USER $LOGNAME"; cat lib/data; lib/tool; echo out=1 >$REGIE_OUTPUT; cat $REGIE_CHECKPOINT; echo new >$REGIE_CHECKPOINT; : >$TMPDIR/x; : >here; : >lib/there
for f in ` + data + `/key ../state ../spool ` + filepath.Dir(c.Dir) + `/s/control/journal; do cat $f && echo "read $f"; true >>$f && echo "changed $f"; done 2>/dev/null
ls ../.. && echo listed; true >../../x && echo made; exit 0`
	task := executor.Task{
		Script: script, RunAs: "nobody", Namespace: "pay", Dir: filepath.Join(x.Work(), "run", "1-1"), Checkpoint: []byte("point\n"),
		Files: []executor.File{{Path: "lib/data", Data: []byte("data\n")}, {Path: "lib/tool", Mode: 0o755, Data: []byte("#!/bin/sh\necho tool\n")}},
	}
	p := newPrinted()
	task.Output = p.add
	h, err := x.Start(t.Context(), task)
	if os.Geteuid() != 0 {
		var start *executor.StartError
		if !errors.As(err, &start) || start.Name != "run_as" || !strings.Contains(err.Error(), "start it as root") {
			t.Errorf("a supervisor that is not root runs a task as nobody: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	r, err := wait(t, x, h)
	if err != nil || r.ErrorName != "" || r.Output.Get("out").String() != `"1"` || string(r.Checkpoint) != "new\n" {
		t.Errorf("got %+v, %v", r, err)
	}
	if want := "nobody\n" + nobody.HomeDir + " nobody " + "nobody\ndata\ntool\npoint\n"; !strings.HasPrefix(p.String(), want) {
		t.Errorf("printed %q, want %q", p, want)
	}
	for _, bad := range []string{"hush", "read ", "changed ", "listed", "made"} {
		if strings.Contains(p.String(), bad) {
			t.Errorf("printed %q: the task got at what is not its own", p)
		}
	}
	if err := x.Release(h); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(x.Work()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Row B70 of the list of bad inputs, from the start of a task.
func TestRunAsIsDenied(t *testing.T) {
	t.Parallel()
	c, _ := usersConfig(t)
	x := open(t, c)
	for _, name := range []string{"root", "0", "+0", "nobody ", "65534", "Nobody", "daemon", "pay/nobody", "\x00", "nobody\n"} {
		_, err := x.Start(t.Context(), executor.Task{Script: "exit 0", RunAs: name, Namespace: "pay", Dir: filepath.Join(x.Work(), "r", "1")})
		var start *executor.StartError
		if !errors.As(err, &start) || start.Name != "run_as" {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err := x.Start(t.Context(), executor.Task{Script: "exit 0", RunAs: "nobody", Namespace: "other", Dir: filepath.Join(x.Work(), "r", "1")})
	if err == nil || !strings.Contains(err.Error(), `not allowed to tasks of namespace "other"`) {
		t.Errorf("of another namespace: %v", err)
	}
	if left, err := os.ReadDir(x.Work()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Nobody but those who are allowed may speak to a supervisor, whatever the
// modes of its socket.
func TestOtherUsersAreRefused(t *testing.T) {
	t.Parallel()
	c := config(t)
	if err := os.Chmod(filepath.Dir(c.Dir), 0o711); err != nil {
		t.Fatal(err)
	}
	const stranger = 65533
	c.Socket, c.UIDs = filepath.Join(filepath.Dir(c.Dir), "socket"), []int{65532}
	x := open(t, c)
	if info := x.Last(); !info.SameUser || info.UID != os.Geteuid() || info.PID == os.Getpid() {
		t.Errorf("the supervisor says %+v", info)
	}
	probe := exec.Command("/proc/self/exe")
	probe.Dir = "/"
	probe.Env = append(os.Environ(), roleVariable+"=probe", socketVariable+"="+c.Socket)
	want := "<nil>\n"
	if os.Geteuid() == 0 { // else we can be nobody else
		probe.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
		want = "user " + strconv.Itoa(stranger) + " may not speak to this supervisor, which runs as user 0; start it with --allow-uid " + strconv.Itoa(stranger) + "\n"
	}
	if out, err := probe.CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("got %q, %v", out, err)
	}
}
