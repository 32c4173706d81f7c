package api

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
)

// porter lets those in who may: it is what the transport asks for every request.
type porter struct {
	api    *API
	origin *http.CrossOriginProtection
}

var _ transport.Access = (*porter)(nil)

// Gate returns what the transport asks who may call what.
func (a *API) Gate() transport.Access {
	return &porter{api: a, origin: http.NewCrossOriginProtection()}
}

// Identify says who calls.
func (g *porter) Identify(ctx context.Context, route *routes.Route, r transport.Request) (context.Context, error) {
	if route.Write {
		// The protection looks at the method, the host and headers that browsers
		// set; of the request nothing else is needed.
		if err := g.origin.Check(&http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host}); err != nil {
			return ctx, problem.New(connect.CodePermissionDenied, "cross_origin", "a browser sends this for a page of another site", "")
		}
	}
	service := g.api.cfg.Access
	identity, err := service.Authenticate(r.Header, r.Remote, r.TLS)
	identity.Request = call.From(ctx).RequestID
	if err != nil && route.Permission != regiev1.Permission_PERMISSION_PUBLIC {
		if !asks(route, r) {
			g.api.denied(ctx, identity, route.Name, "", err)
		}
		return ctx, accessFailure(err)
	}
	ctx = context.WithValue(ctx, headerKey{}, r)
	ctx = WithIdentity(ctx, identity)
	if !route.Stream() || identity.User == "" {
		return ctx, nil
	}
	watched, end := context.WithCancelCause(ctx)
	over := service.Watch(watched, identity)
	go func() {
		select {
		case <-over:
			end(problem.New(connect.CodeUnauthenticated, "credential_ended", "the token or session has ended, or may less than before", "log in again"))
		case <-watched.Done():
			end(nil)
		}
	}()
	return watched, nil
}

// asks reports whether a request without any credential only asks who it is of, as
// a console does before it shows the login: nobody tries anything with it, so that
// it is refused without a word in the audit log.
func asks(route *routes.Route, r transport.Request) bool {
	return route.Name == "regie.v1.IdentityService/WhoAmI" && r.Header.Get("Authorization") == "" && r.Header.Get("Cookie") == ""
}

// headerKey is where the context has the request.
type headerKey struct{}

// requestOf is what is known of the request.
func requestOf(ctx context.Context) transport.Request {
	r, _ := ctx.Value(headerKey{}).(transport.Request)
	return r
}

// Authorize refuses who may not call the route in the namespace.
func (g *porter) Authorize(ctx context.Context, route *routes.Route, namespace string) error {
	identity := identityOf(ctx)
	permission := access.Permission(route.Permission)
	if route.Many && namespace == "-" {
		all, names := identity.Namespaces(permission)
		if (all || len(names) > 0) && (!route.Write || !identity.ReadOnly) {
			return nil
		}
		namespace = ""
	}
	err := identity.Allow(permission, namespace, route.Write)
	if err == nil {
		return nil
	}
	g.api.denied(ctx, identity, route.Name, namespace, err)
	return accessFailure(err)
}

// denied puts a refusal on record. That it cannot be recorded changes nothing
// about it.
func (a *API) denied(ctx context.Context, identity access.Identity, route, namespace string, reason error) {
	err := a.cfg.Access.Denied(ctx, identity, access.Act{Action: "api.call", Namespace: namespace, Object: route, Reason: reason.Error()})
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "a refusal could not be recorded", "route", route, "error", err)
	}
}

// refused is an error of package access as one of the API. What no table of
// routes can refuse, such as a token that may do more than the one that makes
// it, is put on record here.
func (a *API) refused(ctx context.Context, err error) error {
	if errors.Is(err, access.ErrDenied) {
		if info := call.From(ctx); info.Route != nil {
			a.denied(ctx, identityOf(ctx), info.Route.Name, "", err)
		}
	}
	return accessFailure(err)
}

// accessFailure is an error of package access as one of the API.
func accessFailure(err error) error {
	var e *access.Error
	if !errors.As(err, &e) {
		return failure(err)
	}
	code, slug := connect.CodeInternal, "internal"
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		code, slug = connect.CodeUnauthenticated, "unauthenticated"
	case errors.Is(err, access.ErrDenied):
		code, slug = connect.CodePermissionDenied, "permission_denied"
	case errors.Is(err, access.ErrNotFound):
		code, slug = connect.CodeNotFound, "not_found"
	case errors.Is(err, access.ErrExists):
		code, slug = connect.CodeAlreadyExists, "exists"
	case errors.Is(err, access.ErrConflict):
		code, slug = connect.CodeFailedPrecondition, "conflict"
	case errors.Is(err, access.ErrLimited), errors.Is(err, access.ErrBusy):
		code, slug = connect.CodeResourceExhausted, "busy"
	case errors.Is(err, access.ErrInvalid):
		code, slug = connect.CodeInvalidArgument, problem.CodeInvalid
	}
	p := &regiev1.Problem{Code: slug, Hint: e.Hint}
	if e.Field != "" {
		p.Violations = append(p.Violations, &regiev1.Violation{Field: e.Field, Message: e.Text})
	}
	return problem.With(code, e.Text, p)
}
