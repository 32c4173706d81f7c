package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// A Download is a stream of content: a log, a backup, an export.
type Download = connect.ServerStreamForClient[httpbody.HttpBody]

// WatchRun yields what happens in a run until it has ended. After a cut it goes
// on behind the last event; with steps it begins with those as they stand again.
// An error is the last thing that it yields.
func (c *Client) WatchRun(ctx context.Context, request *regiev1.WatchRunRequest) iter.Seq2[*regiev1.WatchRunResponse, error] {
	next := proto.CloneOf(request)
	return resume(ctx, c.cfg.Retry, func(ctx context.Context) (*connect.ServerStreamForClient[regiev1.WatchRunResponse], error) {
		return c.Runs.WatchRun(ctx, next)
	}, func(answer *regiev1.WatchRunResponse) bool {
		for _, event := range answer.GetEvents() {
			next.After = max(next.After, event.GetNumber())
		}
		return true
	})
}

// WatchRuns yields runs as they change, until the context ends. After a cut it
// goes on behind the last position. An error is the last thing that it yields.
func (c *Client) WatchRuns(ctx context.Context, request *regiev1.WatchRunsRequest) iter.Seq2[*regiev1.WatchRunsResponse, error] {
	next := proto.CloneOf(request)
	return resume(ctx, c.cfg.Retry, func(ctx context.Context) (*connect.ServerStreamForClient[regiev1.WatchRunsResponse], error) {
		return c.Runs.WatchRuns(ctx, next)
	}, func(answer *regiev1.WatchRunsResponse) bool {
		next.After = max(next.After, answer.GetPosition())
		return true
	})
}

// attempt names the log that a line is of.
type attempt struct {
	step   string
	number uint32
}

// WatchLog yields the lines of the log of an attempt, or of all attempts of a
// run, while it grows, until what it shows has ended. After a cut it goes on
// behind the last line. An error is the last thing that it yields.
func (c *Client) WatchLog(ctx context.Context, request *regiev1.WatchLogRequest) iter.Seq2[*regiev1.WatchLogResponse, error] {
	next := proto.CloneOf(request)
	// A stream of several attempts begins anew: what was seen of each is left out.
	one := request.GetStep() != "" && request.GetAttempt() != 0
	seen, skip := map[attempt]int{}, map[attempt]int{}
	return resume(ctx, c.cfg.Retry, func(ctx context.Context) (*connect.ServerStreamForClient[regiev1.WatchLogResponse], error) {
		if !one {
			clear(skip)
			maps.Copy(skip, seen)
		}
		return c.Runs.WatchLog(ctx, next)
	}, func(answer *regiev1.WatchLogResponse) bool {
		if one {
			next.Offset = answer.GetNextOffset()
			return true
		}
		lines := answer.GetLines()
		answer.Lines = nil
		for _, line := range lines {
			a := attempt{line.GetStep(), line.GetAttempt()}
			if skip[a] > 0 {
				skip[a]--
				continue
			}
			seen[a]++
			answer.Lines = append(answer.Lines, line)
		}
		return len(answer.GetLines()) > 0
	})
}

// resume yields the messages of a stream, opens it again after a cut, and gives
// up after too many tries in a row without a message. The function note
// remembers where to go on, and says whether the message is to be yielded.
func resume[T any](
	ctx context.Context, retry Retry,
	open func(context.Context) (*connect.ServerStreamForClient[T], error), note func(*T) bool,
) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for tries := 1; ; tries++ {
			got, stopped, err := once(ctx, open, func(message *T) bool { return !note(message) || yield(message, nil) })
			if stopped || err == nil {
				return
			}
			if got {
				tries = 0
			}
			if !isCut(ctx, err) || tries >= retry.Tries || retry.wait(ctx, max(tries, 1)) != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// once reads one stream to its end. It says whether there was a message, and
// whether take wanted no more.
func once[T any](
	ctx context.Context, open func(context.Context) (*connect.ServerStreamForClient[T], error), take func(*T) bool,
) (got, stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx) // else Close waits for the server
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return false, false, explain(err)
	}
	defer stream.Close()
	for stream.Receive() {
		got = true
		// The stream reads the next message into a new one.
		if !take(stream.Msg()) {
			return got, true, nil
		}
	}
	return got, false, explain(stream.Err())
}

// isCut says that a stream ended for a reason that is not the call's.
func isCut(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case connect.CodeUnavailable:
		return true
	case connect.CodeCanceled, connect.CodeUnknown, connect.CodeInternal, connect.CodeInvalidArgument, connect.CodeDeadlineExceeded:
		// The server names the request in all that it says; this is the network.
		return e.RequestID == ""
	default:
		return false
	}
}

// Save writes the content of a download, such as of DownloadLog, Backup or
// Export, and closes it. Without an error it is whole.
func Save(to io.Writer, download *Download) (written int64, err error) {
	defer download.Close()
	for download.Receive() {
		n, err := to.Write(download.Msg().GetData())
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, download.Err()
}
