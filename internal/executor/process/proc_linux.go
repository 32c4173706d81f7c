package process

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what is read from /proc.
const (
	maxProcBytes = 4 << 20 // of one file; an environment can have 2 MiB and more
	maxTree      = 4096    // processes of one task whose memory is added up

	// A task that ran shorter than this is searched for by the numbers given
	// out since it began, if they are few: reading the whole table would cost
	// more than the task.
	recentTime = 500 * time.Millisecond
	recentPIDs = 512

	// A process in the middle of an exec is looked at again after execTime, and
	// taken for a stranger's after execRounds looks.
	execTime   = time.Millisecond
	execRounds = 5
)

func readProc(pid int, name string) []byte {
	return readKernel("/proc/" + strconv.Itoa(pid) + "/" + name)
}

// readKernel reads a file of /proc; nil if it cannot be opened. It is called
// several times for each task, and so does without what os.Open does for
// files that may block.
func readKernel(name string) []byte {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	text := make([]byte, 0, 1024) // not nil
	for len(text) < maxProcBytes {
		text = slices.Grow(text, 512)
		n, err := unix.Read(fd, text[len(text):cap(text)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			break
		}
		text = text[:len(text)+n]
	}
	return text
}

// stat is what we use of /proc/PID/stat.
type stat struct {
	state          byte
	group, session int
	kernel         bool   // a thread of the kernel
	start          string // clock ticks after boot
}

// ended reports whether the process is a zombie or dead.
func (s stat) ended() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (stat, bool) {
	text := readProc(pid, "stat")
	// The second field is the name in brackets, which may hold anything.
	i := bytes.LastIndexByte(text, ')')
	if i < 0 {
		return stat{}, false
	}
	fields := strings.Fields(string(text[i+1:]))
	if len(fields) < 20 {
		return stat{}, false
	}
	const kernelThread = 0x00200000 // PF_KTHREAD of linux/sched.h
	flags, _ := strconv.ParseUint(fields[6], 10, 64)
	s := stat{state: fields[0][0], kernel: flags&kernelThread != 0, start: fields[19]}
	s.group, _ = strconv.Atoi(fields[2])
	s.session, _ = strconv.Atoi(fields[3])
	return s, true
}

// leftover is a process that a task left running.
type leftover struct {
	pid     int
	pidfd   int // -1 where the system has none
	start   string
	leader  bool // of a session
	inGroup bool // of the task's main process
}

func (l leftover) close() {
	if l.pidfd >= 0 {
		_ = unix.Close(l.pidfd)
	}
}

func (l leftover) signal(sig unix.Signal) {
	switch {
	case l.pidfd >= 0:
		_ = unix.PidfdSendSignal(l.pidfd, sig, nil, 0)
	case !l.ended():
		_ = unix.Kill(l.pid, sig)
	}
}

func (l leftover) ended() bool {
	s, ok := readStat(l.pid)
	return !ok || s.ended() || s.start != l.start
}

// leftovers finds living processes of a task: those of the session (0: none),
// and others whose environment has the marker. since is the start of the task's
// main process, empty if not known: what is older is not looked at. ran is how
// long the task ran, 0 if not known. The caller closes them.
func leftovers(session int, since, marker string, ran time.Duration) []leftover {
	var out []leftover
	pids := candidates(session, ran)
	for round := 0; len(pids) > 0 && round < execRounds; round++ {
		if round > 0 {
			<-time.After(execTime)
		}
		var unclear []int
		for _, pid := range pids {
			s, is := belongs(pid, session, since, marker)
			switch is {
			case no:
			case unknown:
				unclear = append(unclear, pid)
			case yes:
				if l, ok := pin(pid, s); ok {
					l.inGroup = session > 0 && s.group == session
					out = append(out, l)
				}
			}
		}
		pids = unclear
	}
	return out
}

// pin holds on to a process, so that it cannot be taken for another one.
func pin(pid int, s stat) (leftover, bool) {
	l := leftover{pid: pid, start: s.start, leader: pid == s.session}
	var err error
	switch l.pidfd, err = unix.PidfdOpen(pid, 0); {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		l.pidfd = -1
	case err != nil: // gone, or the number of a thread
		return l, false
	}
	if l.ended() { // also: the number has gone to another process meanwhile
		l.close()
		return l, false
	}
	return l, true
}

type answer uint8

const (
	no answer = iota
	yes
	unknown
)

// belongs reports whether a process belongs to a task. In the middle of an
// exec a process has no environment, and the answer is unknown.
func belongs(pid, session int, since, marker string) (stat, answer) {
	s, ok := readStat(pid)
	if !ok || s.ended() || s.kernel || pid == os.Getpid() || older(s.start, since) {
		return s, no
	}
	if session > 0 && s.session == session {
		return s, yes
	}
	environ := readProc(pid, "environ")
	if environ == nil {
		return s, no
	}
	if len(environ) == 0 {
		return s, unknown
	}
	for more := true; more; {
		var entry []byte
		entry, environ, more = bytes.Cut(environ, []byte{0})
		if string(entry) == marker {
			return s, yes
		}
	}
	return s, no
}

// older compares two starts; what cannot be compared is not older.
func older(start, since string) bool {
	a, errA := strconv.ParseUint(start, 10, 64)
	b, errB := strconv.ParseUint(since, 10, 64)
	return errA == nil && errB == nil && a < b
}

// candidates are the processes that may belong to a task with that main
// process.
func candidates(main int, ran time.Duration) []int {
	if ran > 0 && ran < recentTime {
		if last := lastPID(); last >= main && last-main <= recentPIDs {
			pids := make([]int, 0, last-main)
			for pid := main + 1; pid <= last; pid++ {
				pids = append(pids, pid)
			}
			return pids
		}
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != main {
			pids = append(pids, pid)
		}
	}
	return pids
}

// lastPID is the number that was given out last; 0 if not known.
func lastPID() int {
	fields := strings.Fields(string(readKernel("/proc/loadavg")))
	if len(fields) < 5 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[4])
	return pid
}

// treeMemory adds up the memory of a process and its descendants, in bytes, and
// calls see for each descendant. Pages that they share count for each.
func treeMemory(pid int, see func(pid int)) int64 {
	var pages int64
	tree := []int{pid}
	for i := 0; i < len(tree) && i < maxTree; i++ {
		if i > 0 {
			see(tree[i])
		}
		if fields := strings.Fields(string(readProc(tree[i], "statm"))); len(fields) > 1 {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			pages += n
		}
		threads, _ := os.ReadDir("/proc/" + strconv.Itoa(tree[i]) + "/task")
		for _, thread := range threads {
			tree = append(tree, childrenOf(tree[i], thread.Name())...)
		}
	}
	return pages * int64(os.Getpagesize())
}

// childrenOf lists the children of one thread of a process.
func childrenOf(pid int, thread string) []int {
	var pids []int
	for field := range strings.FieldsSeq(string(readProc(pid, "task/"+thread+"/children"))) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}
