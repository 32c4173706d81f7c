package local

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/egress"
)

// connectors makes the connectors of a launch.
func connectors(l *Launch, proxy func(*http.Request) (*url.URL, error)) (map[string]connector.Connector, error) {
	var policy egress.Policy
	for _, text := range l.AllowHosts {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return nil, fmt.Errorf("allow host %s: %w", text, err)
		}
		policy = policy.With(place)
	}
	return all.Connectors(all.Deps{Egress: egress.Config{Policy: policy}, Proxy: proxy, SQLiteFolders: l.Folders, ObjectFolders: l.Folders}), nil
}
