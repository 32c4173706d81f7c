package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/resources"
	"github.com/regie-dev/regie/internal/server"
	"github.com/regie-dev/regie/internal/suite"
)

//go:generate go run . -root ../..

// page is a generated file.
type page struct {
	path string // below the root of the repository
	text string
}

// config is the language with everything that Regie ships.
func config() native.Config { return local.Native(local.Languages()) }

// configuration begins the page about the server's configuration.
const configuration = `# Configuration of the server

` + "`regie server --config FILE`" + ` reads one YAML document. This page is generated from its description. Every field may be
left out; flags of the command go before the file (` + "`regie server --help`" + `). Paths are relative to the folder of the file.
Mistakes are reported all at once, with their places, and the server then does not start (exit code 2).

[server.md](server.md) says how to use them, and [deploy/server.yaml](../deploy/server.yaml) is an example. What
concerns one namespace (variables, alert channels) is set with ` + "`regie namespaces`" + `.

`

// pages makes all generated files.
func pages() []page {
	cfg := config()
	return []page{
		{"schema/regie.schema.json", native.Schema(cfg).Indent() + "\n"},
		{"docs/reference.md", native.Reference(cfg) + "\n" + descriptor.Markdown(suite.Describe()) + "\n" + descriptor.Markdown(resources.Describe())},
		{"docs/configuration.md", configuration + descriptor.Markdown(server.Describe())},
	}
}

func main() {
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	for _, p := range pages() {
		path := filepath.Join(*root, filepath.FromSlash(p.path))
		if err := os.WriteFile(path, []byte(p.text), 0o644); err != nil { //nolint:gosec // read by everybody
			fmt.Fprintln(os.Stderr, "regie-docs:", err)
			os.Exit(1)
		}
	}
}
