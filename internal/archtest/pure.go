package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
)

// purity checks that a file of a pure package cannot reach a clock, chance,
// the machine or another goroutine by itself. It covers direct imports and
// names; what a pure library does inside is the library's affair.
func (c *checker) purity(f sourceFile) {
	packages := map[string]string{} // local name to import path
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepts only quoted paths
		}
		if !c.pureImport(imported) {
			c.atf(spec.Pos(), "pure package imports %s; pass in what it would give (now, IDs, seeds, bytes), or add it to the rules if it has no clock, randomness, IO, goroutines or logging", imported)
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			c.atf(spec.Pos(), "pure package imports %s into its own names; import it by name", imported)
		}
		packages[name] = imported
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		c.pureNode(n, packages)
		return true
	})
}

func (c *checker) pureImport(imported string) bool {
	if within(imported, c.rules.Module) {
		return true // the layers decide
	}
	return slices.Contains(c.rules.PureStd, imported) ||
		slices.ContainsFunc(c.rules.PureModules, func(root string) bool { return within(imported, root) })
}

func (c *checker) pureNode(n ast.Node, packages map[string]string) {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.atf(n.Pos(), "pure package starts a goroutine; return what is to be done instead")
	case *ast.SelectStmt:
		c.atf(n.Pos(), "pure package uses select; concurrency belongs to services")
	case *ast.SendStmt:
		c.atf(n.Pos(), "pure package sends on a channel; concurrency belongs to services")
	case *ast.ChanType:
		c.atf(n.Pos(), "pure package has a channel; concurrency belongs to services")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			c.atf(n.Pos(), "pure package receives from a channel; concurrency belongs to services")
		}
	case *ast.CallExpr:
		// A name without declaration in the file set is the builtin.
		if id, ok := n.Fun.(*ast.Ident); ok && id.Obj == nil && (id.Name == "print" || id.Name == "println") {
			c.atf(n.Pos(), "pure package prints; return the text instead")
		}
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.Name == "init" {
			c.atf(n.Pos(), "pure package has init(); compute the value where it is used or in its declaration")
		}
	case *ast.SelectorExpr:
		id, ok := n.X.(*ast.Ident)
		if !ok || id.Obj != nil { // Obj is set when the name is a local thing, not a package
			return
		}
		imported := packages[id.Name]
		if slices.Contains(c.rules.PureNames[imported], n.Sel.Name) {
			c.atf(n.Pos(), "pure package uses %s.%s; pass in what it would give", imported, n.Sel.Name)
		}
	}
}
