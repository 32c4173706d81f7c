package call

import (
	"context"

	"github.com/regie-dev/regie/internal/api/routes"
)

// Info describes a request.
type Info struct {
	// RequestID names the request in the log, the audit log and answers.
	RequestID string
	// Route is what was called.
	Route *routes.Route
	// Protocol is connect, grpc, grpc-web, rest or http.
	Protocol string
	// Remote is the address of the other end of the connection, with its port;
	// empty or "@" on a Unix socket.
	Remote string
}

type key struct{}

// With returns a context that carries the info.
func With(ctx context.Context, info Info) context.Context { return context.WithValue(ctx, key{}, info) }

// From returns the info of the request, and the zero Info outside of one.
func From(ctx context.Context) Info {
	info, _ := ctx.Value(key{}).(Info)
	return info
}
