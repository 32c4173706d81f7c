// Package deploy holds what an operator installs beside the binary: units of
// systemd, an example of the server's configuration, a container file; README.md
// has the steps. The package has tests only, which read these files as Regie and
// systemd do; it must not be imported.
//
//	regie server --config deploy/server.yaml
package deploy
