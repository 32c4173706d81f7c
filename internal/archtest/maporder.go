package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// MapOrder type-checks the Ordered packages of the module in dir and returns
// the places where a result may depend on the order of a map: every range over
// a map, and every iterator of package maps that is not sorted at once. It runs
// the go command, which must find all modules that the packages need.
func MapOrder(ctx context.Context, dir string, rules Rules) ([]Violation, error) {
	listed, err := listOrdered(ctx, dir, rules)
	if err != nil || len(listed) == 0 {
		return nil, err
	}
	c := &checker{rules: rules, fset: token.NewFileSet()}
	exports := map[string]string{}
	for _, p := range listed {
		exports[p.ImportPath] = p.Export
	}
	imp := importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	for _, p := range listed {
		if p.DepOnly {
			continue
		}
		if err := c.mapOrder(dir, p, imp); err != nil {
			return nil, err
		}
	}
	return c.found, nil
}

// A listedPackage is what `go list -json` says of a package.
type listedPackage struct {
	ImportPath string
	Dir        string
	Export     string // file with the types it exports
	GoFiles    []string
	DepOnly    bool // listed because another one imports it
}

// listOrdered lists the Ordered packages that exist, and all they import.
func listOrdered(ctx context.Context, dir string, rules Rules) ([]listedPackage, error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}
	fixed := len(args)
	for _, pattern := range rules.Ordered {
		folder := strings.TrimSuffix(pattern, "/...")
		if _, err := os.Stat(filepath.Join(dir, folder)); err == nil {
			args = append(args, "./"+pattern)
		}
	}
	if len(args) == fixed {
		return nil, nil
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w: %s", err, stderr.String())
	}
	var listed []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return listed, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		listed = append(listed, p)
	}
}

func (c *checker) mapOrder(dir string, p listedPackage, imp types.Importer) error {
	var files []*ast.File
	for _, name := range p.GoFiles {
		full := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(full)
		if err != nil {
			return fmt.Errorf("check map order: %w", err)
		}
		shown, err := filepath.Rel(dir, full)
		if err != nil {
			shown = full
		}
		file, err := parser.ParseFile(c.fset, filepath.ToSlash(shown), text, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("check map order: %w", err)
		}
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: imp}).Check(p.ImportPath, c.fset, files, info); err != nil {
		return fmt.Errorf("check map order of %s: %w", p.ImportPath, err)
	}
	for _, file := range files {
		c.mapOrderOf(file, info)
	}
	return nil
}

func (c *checker) mapOrderOf(file *ast.File, info *types.Info) {
	sorted := map[ast.Expr]bool{} // arguments of slices.Sorted and its kin
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if _, ok := info.TypeOf(n.X).Underlying().(*types.Map); ok {
				c.atf(n.Pos(), "ranges over a map, whose order differs each time; range over slices.Sorted(maps.Keys(m))")
			}
		case *ast.CallExpr:
			if isCall(n, info, "slices", "Sorted", "SortedFunc", "SortedStableFunc") && len(n.Args) > 0 {
				sorted[n.Args[0]] = true
			}
			if isCall(n, info, "maps", "Keys", "Values", "All") && !sorted[n] {
				c.atf(n.Pos(), "iterates over a map, whose order differs each time; wrap it in slices.Sorted")
			}
		}
		return true
	})
}

// isCall reports whether a call is of one of the functions of a package.
func isCall(call *ast.CallExpr, info *types.Info, pkg string, names ...string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	used := info.Uses[selector.Sel]
	return used != nil && used.Pkg() != nil && used.Pkg().Path() == pkg && slices.Contains(names, used.Name())
}
