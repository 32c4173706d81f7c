package supervised

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

// helloTime is how long a supervisor may take to welcome a caller.
const helloTime = 10 * time.Second

// line is a connection to the supervisor, on which one operation is made at a
// time.
type line struct {
	conn    *net.UnixConn
	reader  *bufio.Reader
	welcome wire.Welcome
}

// refusedError says that a supervisor answered and will never do what is asked:
// it makes no sense to try again.
type refusedError struct{ message string }

func (e *refusedError) Error() string { return e.message }

// dial connects once. The other side must be our own user, root, or one of the
// users: tasks and their secrets are told to nobody else.
func dial(ctx context.Context, socket string, uids []int) (*line, error) {
	address, done, err := wire.Address(socket)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn.(*net.UnixConn), reader: bufio.NewReader(conn)}
	if err := l.hello(uids); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *line) hello(uids []int) error {
	uid, err := wire.PeerUID(l.conn)
	if err != nil {
		return err
	}
	if uid != os.Geteuid() && uid != 0 && !slices.Contains(uids, uid) {
		return &refusedError{fmt.Sprintf("what listens there runs as user %d, which is not named as the supervisor's user", uid)}
	}
	_ = l.conn.SetDeadline(time.Now().Add(helloTime))
	// One that refuses us may say so, and be gone, before we have said anything.
	sendErr := l.send(wire.Hello{Version: wire.Version, Oldest: wire.Oldest})
	kind, payload, err := wire.ReadFrame(l.reader)
	if err != nil {
		return errors.Join(sendErr, err)
	}
	if kind != wire.KindMessage {
		return errors.New("it answers with output")
	}
	if _, err := wire.DecodeMessage(payload, &l.welcome); err != nil {
		return err
	}
	if l.welcome.Error != nil {
		return &refusedError{l.welcome.Error.Message}
	}
	return l.conn.SetDeadline(time.Time{})
}

func (l *line) close() { _ = l.conn.Close() }

// send sends one message.
func (l *line) send(header any, attachments ...[]byte) error {
	payload, err := wire.EncodeMessage(header, attachments...)
	if err != nil {
		return &refusedError{err.Error()}
	}
	_, err = l.conn.Write(wire.AppendFrame(make([]byte, 0, len(payload)+8), wire.KindMessage, payload))
	return err
}

// receive reads the next response, or a piece of output.
func (l *line) receive() (r wire.Response, attachments [][]byte, output []byte, err error) {
	kind, payload, err := wire.ReadFrame(l.reader)
	if err != nil {
		return r, nil, nil, err
	}
	if kind == wire.KindOutput {
		return r, nil, payload, nil
	}
	attachments, err = wire.DecodeMessage(payload, &r)
	return r, attachments, nil, err
}

// ask makes an operation that has one answer.
func (l *line) ask(r wire.Request) (wire.Response, error) {
	if err := l.send(r); err != nil {
		return wire.Response{}, err
	}
	answer, _, output, err := l.receive()
	if err == nil && output != nil {
		err = errors.New("the supervisor answers with output")
	}
	return answer, err
}
