package resources

import (
	"cmp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Config is what the file's meaning depends on.
type Config struct {
	// Expr is the language of expressions, CEL. Required.
	Expr expr.Language
	// Connectors are what `uses` can name.
	Connectors []native.Connector
}

// File is a resources file. The zero File, and a nil one, map nothing.
type File struct {
	Path string
	// Type is the type of the state machines; empty where it is not said.
	Type asl.MachineType
	// Files are the patterns of `files`, which stand at FilesNode.
	Files     []string
	FilesNode *yamldoc.Node

	resources []*Resource
}

// Resource is what one resource is here.
type Resource struct {
	Pattern string
	Pos     diag.Pos
	target  asl.Target
	// Machine is the path of a definition, relative to the file; where it is set
	// there is no target.
	Machine    string
	MachinePos diag.Pos
	// Arguments are those of a program; some may name files.
	Arguments []string
	// Secrets and Objects are what the target uses.
	Secrets []string
	Objects []ObjectRef
}

// ObjectRef is a connection or channel that a resource names.
type ObjectRef struct {
	workflow.ObjectRef

	Pos    diag.Pos
	Length int
	// Types are those that the connection may have; empty: any.
	Types []string
}

// Parse reads a resources file. With errors the file must not be used.
func Parse(cfg Config, path string, text []byte) (*File, []diag.Diagnostic) {
	docs, problems := yamldoc.Parse(path, text)
	p := &parser{cfg: cfg, file: &File{Path: path}}
	p.list.Add(problems...)
	if len(problems) == 0 && len(docs) != 1 {
		p.list.Errorf(diag.Pos{File: path, Line: 1, Column: 1}, "resources_documents", "want one document with the key `resources`, got %d documents", len(docs))
	}
	if p.list.HasErrors() || len(docs) != 1 {
		return p.file, p.list.Sorted()
	}
	p.document(docs[0])
	return p.file, p.list.Sorted()
}

// parser reads one file.
type parser struct {
	cfg  Config
	file *File
	list diag.List
}

func (p *parser) document(n *yamldoc.Node) {
	descriptor.Check(n, Describe(), &p.list)
	if p.list.HasErrors() {
		return
	}
	f := p.file
	if t := n.Get(fieldType); t != nil {
		f.Type = asl.MachineType(strings.ToUpper(t.Text))
	}
	if f.FilesNode = n.Get(fieldFiles); f.FilesNode != nil {
		for _, item := range f.FilesNode.Items {
			f.Files = append(f.Files, item.Text)
		}
	}
	for _, e := range n.Get(fieldResources).Entries {
		f.resources = append(f.resources, p.resource(e.Key, e.Value))
	}
	slices.SortStableFunc(f.resources, func(a, b *Resource) int {
		if exactA, exactB := exact(a.Pattern), exact(b.Pattern); exactA != exactB {
			if exactA {
				return -1
			}
			return 1
		}
		return cmp.Compare(len(b.Pattern), len(a.Pattern))
	})
}

func exact(pattern string) bool { return !strings.Contains(pattern, "*") }

// resource reads one resource.
func (p *parser) resource(key, n *yamldoc.Node) *Resource {
	r := &Resource{Pattern: key.Text, Pos: key.Pos}
	idempotent := false
	if i := n.Get(fieldIdem); i != nil {
		idempotent, _ = i.Value.Bool()
	}
	for field, owner := range map[string]string{fieldEnv: fieldRun, fieldWith: fieldUses} {
		if e := n.Entry(field); e != nil && n.Get(owner) == nil {
			p.list.Errorf(e.Key.Pos, "misplaced_field", "`%s` belongs to `%s`, which this resource does not have", field, owner).WithLength(e.Key.Length())
		}
	}
	c := &compiler{parser: p, resource: r}
	switch {
	case n.Get(fieldRun) != nil:
		r.target = c.process(n)
	case n.Get(fieldHTTP) != nil:
		r.target = c.http(n.Get(fieldHTTP))
	case n.Get(fieldUses) != nil:
		r.target = c.uses(n.Get(fieldUses), n.Get(fieldWith))
	case n.Get(fieldStore) != nil:
		store := n.Get(fieldStore)
		r.target = asl.Target{Store: store.Text}
		c.names("Connection", store, nil)
	default:
		m := n.Get(fieldMachine)
		r.Machine, r.MachinePos = m.Text, m.Pos
	}
	r.target.Idempotent = r.target.Idempotent || idempotent
	return r
}

// Find finds what a task calls; false if nothing says what it is.
func (f *File) Find(called asl.Resource) (*Resource, bool) {
	if f == nil {
		return nil, false
	}
	for _, r := range f.resources {
		if fits(r.Pattern, &called) {
			return r, true
		}
	}
	return nil, false
}

// Machines are the resources that are state machines, those that count before
// others first.
func (f *File) Machines() []*Resource {
	if f == nil {
		return nil
	}
	var out []*Resource
	for _, r := range f.resources {
		if r.Machine != "" {
			out = append(out, r)
		}
	}
	return out
}

// Target is what the compiler is to make of a task that calls the resource.
func (r *Resource) Target(called asl.Resource) asl.Target {
	t := r.target
	if called.Invokes() {
		t.Reply = workflow.ReplyInvoke
	}
	return t
}

func fits(pattern string, called *asl.Resource) bool {
	switch {
	case called.Invokes():
		return functionFits(pattern, called.Subject)
	case called.Subject != "":
		return mock.Fits(pattern, called.Subject)
	case called.Kind == asl.Function:
		return functionFits(pattern, called.Text)
	}
	return mock.Fits(pattern, called.Text)
}

// functionMark stands before the name of a function in its ARN.
const functionMark = ":function:"

// functionFits reports whether the pattern is that of a function, which is
// given by its name, account:function:name or ARN, each perhaps with a version
// or alias.
func functionFits(pattern, function string) bool {
	if mock.Fits(pattern, function) {
		return true
	}
	before, name, found := strings.Cut(function, functionMark)
	if !found {
		before, name = "", function
	}
	wantBefore, wantName, isFunction := strings.Cut(pattern, functionMark)
	if !isFunction {
		return !found && mock.Fits(pattern, "arn:aws:lambda:::function:"+name)
	}
	plain, _, _ := strings.Cut(name, ":")
	if !mock.Fits(wantName, name) && !mock.Fits(wantName, plain) {
		return false
	}
	account := wantBefore[strings.LastIndexByte(wantBefore, ':')+1:]
	return before == "" || mock.Fits(wantBefore, before) || !strings.Contains(before, ":") && mock.Fits(account, before)
}
