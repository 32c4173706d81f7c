package local

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/executor/process"
)

// connectors makes the connectors of a launch: they may call public places and
// those that allow names. Tasks of this process may reach every file of its
// user, and so may SQLite; relative paths start where Regie was called.
func connectors(allow, environ []string) (madeConnectors, error) {
	deps := all.Deps{SQLiteFolders: []string{"/"}}
	for _, text := range allow {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return madeConnectors{}, fmt.Errorf("allow host: %w", err)
		}
		deps.Egress.Policy = deps.Egress.Policy.With(place)
	}
	for _, v := range environ {
		if dir, ok := strings.CutPrefix(v, process.CalledFrom+"="); ok {
			deps.SQLiteFolders = slices.Insert(deps.SQLiteFolders, 0, dir)
		}
	}
	list := all.Connectors(deps)
	made := madeConnectors{
		connectors:  make(map[string]connector.Connector, len(list)),
		connections: all.ConnectionTypes(),
		channels:    all.ChannelTypes(),
		closers:     []io.Closer{closeAll(list)},
	}
	for _, c := range list {
		made.connectors[c.Describe().Name] = c
	}
	return made, nil
}

// closeAll closes the connectors that keep connections open.
type closeAll []connector.Connector

func (c closeAll) Close() error { return all.Close(c) }
