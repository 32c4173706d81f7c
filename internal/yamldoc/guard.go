package yamldoc

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// limitError says which limit a text passes.
type limitError struct {
	limit int
	what  string
}

func (e limitError) Error() string { return fmt.Sprintf("more than %d %s", e.limit, e.what) }

// guard makes the library stop where a limit is passed, before it has built
// the tree: by depth while it scans, by anchors and aliases while it composes.
type guard struct {
	anchors  map[string]*yaml.Node
	defined  int
	resolved int
	passed   error // the limit that made it stop; nil for none
}

func (g *guard) stop(limit int, what string) error {
	g.passed = limitError{limit, what}
	return g.passed
}

func (g *guard) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > MaxDepth {
		return g.stop(MaxDepth, "levels of nesting")
	}
	return nil
}

// CheckAlias is asked when aliases are expanded, which Regie does itself.
func (g *guard) CheckAlias(int, int) error { return nil }

func (g *guard) NewAliasDataContext(yaml.AliasDataServices) (yaml.AliasDataContext, error) {
	return g, nil
}

func (g *guard) BeginDocument() error {
	g.anchors = map[string]*yaml.Node{}
	return nil
}

func (g *guard) DefineAnchor(name string, node *yaml.Node) error {
	if g.defined++; g.defined > MaxAnchors {
		return g.stop(MaxAnchors, "anchors")
	}
	g.anchors[name] = node
	return nil
}

func (g *guard) ResolveAlias(name string) (*yaml.Node, bool, error) {
	if g.resolved++; g.resolved > MaxAliases {
		return nil, false, g.stop(MaxAliases, "aliases")
	}
	node, found := g.anchors[name]
	return node, found, nil
}

func (g *guard) EndDocument() error { return nil }
