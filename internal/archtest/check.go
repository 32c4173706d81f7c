package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Violation is one broken rule.
type Violation struct {
	// File is where; the folder when it is a whole package.
	File string
	// Line counts from 1; 0 when it is a whole package.
	Line int
	// What says what is wrong and what to do.
	What string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return v.File + ": " + v.What
	}
	return v.File + ":" + strconv.Itoa(v.Line) + ": " + v.What
}

// Check reads every Go package below the root of tree and returns the rules
// that are broken, in order of place. It leaves out testdata, hidden folders
// and nested modules, and files for other systems are checked like all others.
// The error says that the tree could not be read or parsed.
func Check(tree fs.FS, rules Rules) ([]Violation, error) {
	c := &checker{rules: rules, fset: token.NewFileSet()}
	for _, pattern := range rules.twice() {
		c.addf("rules", "%s stands in the table twice; keep one", pattern)
	}
	packages, err := load(tree, c.fset)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		c.documentation(p)
		layer := rules.layer(p.path)
		if layer < 0 {
			c.addf(p.path, "package is in no layer; add it to the table in internal/archtest/rules.go and, if it is a new kind, to docs/design.md")
			continue
		}
		for _, f := range p.files {
			c.imports(p, f, layer)
			if rules.Layers[layer].Pure && !f.test {
				c.purity(f)
			}
		}
	}
	slices.SortStableFunc(c.found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return c.found, nil
}

// A sourcePackage is one folder with Go files.
type sourcePackage struct {
	path  string // below the module
	files []sourceFile
}

type sourceFile struct {
	name string // without folder
	test bool
	ast  *ast.File
}

// load parses the packages of a module, ordered by path.
func load(tree fs.FS, fset *token.FileSet) ([]sourcePackage, error) {
	byPath := map[string]*sourcePackage{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(tree, name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		if outsideBuild(file) {
			return nil
		}
		folder := path.Dir(name)
		p := byPath[folder]
		if p == nil {
			p = &sourcePackage{path: folder}
			byPath[folder] = p
		}
		base := path.Base(name)
		p.files = append(p.files, sourceFile{name: base, test: strings.HasSuffix(base, "_test.go"), ast: file})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read packages: %w", err)
	}
	packages := make([]sourcePackage, 0, len(byPath))
	for _, p := range byPath {
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, func(a, b sourcePackage) int { return cmp.Compare(a.path, b.path) })
	return packages, nil
}

// enter decides whether a folder belongs to the module.
func enter(tree fs.FS, folder string) error {
	if folder == "." {
		return nil
	}
	base := path.Base(folder)
	if base == "testdata" || base == "vendor" || base == "node_modules" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, folder+"/go.mod"); err == nil {
		return fs.SkipDir
	}
	return nil
}

// outsideBuild reports whether a file is for the go command alone: a program
// that go:generate runs, or a list of modules to keep.
func outsideBuild(file *ast.File) bool {
	for _, group := range file.Comments {
		if group.Pos() > file.Package {
			break
		}
		for _, comment := range group.List {
			expr, err := constraint.Parse(comment.Text)
			if err != nil {
				continue
			}
			if tag, ok := expr.(*constraint.TagExpr); ok && slices.Contains([]string{"ignore", "deps", "tools"}, tag.Tag) {
				return true
			}
		}
	}
	return false
}

type checker struct {
	rules Rules
	fset  *token.FileSet
	found []Violation
}

// addf adds a violation of a whole package.
func (c *checker) addf(folder, format string, args ...any) {
	c.found = append(c.found, Violation{File: folder, What: fmt.Sprintf(format, args...)})
}

// atf adds a violation at a place in a file.
func (c *checker) atf(pos token.Pos, format string, args ...any) {
	p := c.fset.Position(pos)
	c.found = append(c.found, Violation{File: p.Filename, Line: p.Line, What: fmt.Sprintf(format, args...)})
}

// documentation demands a doc.go with a package comment.
func (c *checker) documentation(p sourcePackage) {
	i := slices.IndexFunc(p.files, func(f sourceFile) bool { return f.name == "doc.go" })
	if i < 0 {
		c.addf(p.path, "package has no doc.go; write what it knows, what it must not import, and a small example")
		return
	}
	file := p.files[i].ast
	want := "Package " + file.Name.Name + " "
	if file.Name.Name == "main" {
		want = "Command " + path.Base(p.path) + " "
	}
	if !strings.HasPrefix(file.Doc.Text(), want) {
		c.atf(file.Package, "doc.go needs a package comment that begins with %q", strings.TrimSpace(want))
	}
}

// imports checks one file of a package of the layer.
func (c *checker) imports(p sourcePackage, f sourceFile, layer int) {
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepts only quoted paths
		}
		target, ours := strings.CutPrefix(imported, c.rules.Module+"/")
		if !ours {
			continue
		}
		other := c.rules.layer(target)
		if other < 0 {
			continue // reported where the package is
		}
		from, to := c.rules.Layers[layer], c.rules.Layers[other]
		switch {
		case to.TestOnly && (f.test || from.TestOnly):
		case to.TestOnly:
			c.atf(spec.Pos(), "%s is test support and imported by code that ships; import it in tests only", target)
		case other < layer:
			c.atf(spec.Pos(), "layer %q imports %s of layer %q above it; imports point down only: move the shared part below both, or pass it in", from.Name, target, to.Name)
		case other == layer && !from.Neighbours && !f.test && !within(target, p.path) && !within(p.path, target):
			c.atf(spec.Pos(), "packages of layer %q must not import each other (%s); move the shared part below both", from.Name, target)
		}
	}
}
