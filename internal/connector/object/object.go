package object

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
)

// Config says how object stores are reached.
type Config struct {
	// Dialer opens connections to S3. Required.
	Dialer *egress.Dialer
	// Proxy names the proxy for a request; nil means none, see
	// [egress.HTTPConfig].
	Proxy func(*http.Request) (*url.URL, error)
	// Folders are the folders, absolute, which, or folders below which, may be
	// stores; relative paths start at the first. None: no folders.
	Folders []string
	// Pause is the time before a request to S3 is sent for a second time,
	// doubled for the third; 0 means half a second.
	Pause time.Duration
}

// Stores makes the connectors, which share connections. Safe for concurrent
// use.
type Stores struct {
	config  Config
	clients *egress.Clients
}

// New returns the connectors' maker. Close it after the last call.
func New(config Config) *Stores {
	return &Stores{config: config, clients: egress.NewClients(egress.HTTPConfig{Dialer: config.Dialer, Proxy: config.Proxy})}
}

// Close closes idle connections. Idempotent.
func (s *Stores) Close() error {
	s.clients.CloseIdle()
	return nil
}

// Connectors returns the connectors.
func (s *Stores) Connectors() []*Object {
	return []*Object{
		{stores: s, descriptor: describeDelete(), work: remove},
		{stores: s, descriptor: describeGet(), work: get},
		{stores: s, descriptor: describeItems(), work: readItems},
		{stores: s, descriptor: describeList(), work: list},
		{stores: s, descriptor: describePut(), work: put},
		{stores: s, descriptor: describeResults(), work: writeResults},
		{stores: s, descriptor: describeWatch(), work: watch},
	}
}

// Object is one of the connectors.
type Object struct {
	stores     *Stores
	descriptor *connector.Descriptor
	work       func(ctx context.Context, s store, in connector.Input, call connector.Call) (connector.Result, error)
}

var (
	_ connector.Connector = (*Object)(nil)
	_ io.Closer           = (*Object)(nil)
)

// Describe returns the descriptor.
func (o *Object) Describe() *connector.Descriptor { return o.descriptor }

// Close closes the connections that the connectors of a [Stores] share.
func (o *Object) Close() error { return o.stores.Close() }

// Call does what the connector is for.
func (o *Object) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, o.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	if err := checkBucket(in.Text("bucket")); err != nil {
		return connector.Result{}, err
	}
	timeout := in.Duration("timeout")
	if timeout <= 0 || timeout > MaxTimeout {
		return connector.Result{}, connector.Errorf(connector.InvalidInput, "timeout: want more than 0 and at most %s", MaxTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := o.stores.open(call)
	if err != nil {
		return connector.Result{}, err
	}
	defer s.close()
	start := call.Now()
	result, err := o.work(ctx, s, in, call)
	if err != nil {
		return connector.Result{}, err
	}
	call.Log(fmt.Sprintf("%s: %d bytes in, %d bytes out, %s", o.descriptor.Name, result.BytesIn, result.BytesOut, call.Now().Sub(start).Round(time.Millisecond)))
	return result, nil
}

// open returns the store of a call's connection.
func (s *Stores) open(call connector.Call) (store, error) {
	if call.Connection.Type == "folder" {
		return s.newFolder(call.Connection)
	}
	return s.newS3(call.Connection, call.Now)
}
