package all

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/logline"
	"github.com/regie-dev/regie/internal/connector/message"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/connector/offer"
	"github.com/regie-dev/regie/internal/connector/sql"
	"github.com/regie-dev/regie/internal/connector/transform"
	"github.com/regie-dev/regie/internal/connector/web"
	"github.com/regie-dev/regie/internal/egress"
)

// Deps is what connectors need of the process that they run in.
type Deps struct {
	// Egress says which places may be called; the zero value allows public
	// ones only.
	Egress egress.Config
	// Proxy names the proxy for an HTTP request, see [egress.HTTPConfig]; nil
	// means none.
	Proxy func(*http.Request) (*url.URL, error)
	// SQLiteFolders are the folders, absolute, in which SQLite files may lie;
	// relative paths start at the first. None: no SQLite.
	SQLiteFolders []string
	// ObjectFolders are the folders, absolute, which, or folders below which,
	// may be object stores; relative paths start at the first. None: no such
	// stores.
	ObjectFolders []string
}

// Connectors returns all connectors by name. Making them opens nothing; close
// them with [Close] after the last call.
func Connectors(deps Deps) map[string]connector.Connector {
	dialer := egress.NewDialer(deps.Egress)
	database := sql.New(sql.Config{Dialer: dialer, SQLiteFolders: deps.SQLiteFolders})
	stores := object.New(object.Config{Dialer: dialer, Proxy: deps.Proxy, Folders: deps.ObjectFolders})
	connectors := map[string]connector.Connector{}
	for _, c := range stores.Connectors() {
		connectors[c.Describe().Name] = c
	}
	for _, c := range []connector.Connector{
		web.New(web.Config{Dialer: dialer, Proxy: deps.Proxy}),
		transform.New(),
		logline.New(),
		message.New(message.Config{Dialer: dialer, Proxy: deps.Proxy}),
		database.Execute(),
		database.Query(),
		offer.New(),
	} {
		connectors[c.Describe().Name] = c
	}
	return connectors
}

// Close closes those that keep connections open. Idempotent.
func Close(connectors map[string]connector.Connector) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(connectors)) {
		if closer, ok := connectors[name].(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

// Describe returns the descriptors of the connectors that steps may name, by
// name, for checking and documentation. It does no IO.
func Describe() []*connector.Descriptor {
	connectors := Connectors(Deps{})
	descriptors := make([]*connector.Descriptor, 0, len(connectors))
	for _, name := range slices.Sorted(maps.Keys(connectors)) {
		if d := connectors[name].Describe(); !d.Hidden {
			descriptors = append(descriptors, d)
		}
	}
	return descriptors
}

// ConnectionTypes returns the types of `kind: Connection` by name.
func ConnectionTypes() []connector.ObjectType {
	return []connector.ObjectType{
		object.FolderType(), web.ConnectionType(), sql.PostgresType(), object.S3Type(), message.SMTPType(), sql.SQLiteType(),
	}
}

// ChannelTypes returns the types of `kind: Channel` by name.
func ChannelTypes() []connector.ObjectType {
	return []connector.ObjectType{message.MailType(), message.WebhookType()}
}
