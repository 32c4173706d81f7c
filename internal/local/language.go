package local

import (
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/project"
)

// Languages are the expression languages that this Regie evaluates, by name.
func Languages() map[string]expr.Language {
	return map[string]expr.Language{
		cel.Name: cel.New(), jsonata.Name: jsonata.New(jsonata.Config{}), jsonpath.Name: jsonpath.New(),
		asl.Name: asl.NewLanguage(jsonata.New(jsonata.Config{AWS: true})),
	}
}

// Definitions is what the languages of definitions know from outside.
func Definitions(languages map[string]expr.Language) project.Config {
	return project.Config{Native: Native(languages), JSONata: jsonata.New(jsonata.Config{AWS: true})}
}

// Native is what the native language knows from outside: the connectors and
// types of connections that this Regie has. Runs are started once.
func Native(languages map[string]expr.Language) native.Config {
	return native.Config{
		Expr:        languages[cel.Name],
		Connectors:  project.Connectors(all.Describe()),
		Connections: project.ObjectTypes(all.ConnectionTypes()),
		Channels:    project.ObjectTypes(all.ChannelTypes()),
		RunOnce:     true,
	}
}
