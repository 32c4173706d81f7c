package project

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/resources"
	"github.com/regie-dev/regie/internal/workflow"
)

// ResourcesName is the name of the resources file beside a definition.
const ResourcesName = "resources.yaml"

// machines loads definitions in Amazon States Language.
type machines struct {
	cfg  Config
	list diag.List
	set  *Set
	// files are the resources files by the folder of the definitions, the one of
	// Config.Resources under ""; one without a path has errors.
	files map[string]*resources.File
	// nested are the definitions that resources files name; nil for one that
	// cannot be used.
	nested map[nestedKey]*asl.Machine
}

// nestedKey names a definition and the type that it is read under, on which its
// faults depend.
type nestedKey struct {
	path string
	kind asl.MachineType
}

// machine loads one definition.
func (l *machines) machine(s *Source) {
	file, ok := l.resources(s.Path)
	if !ok {
		return
	}
	kind := l.cfg.Type
	if kind == "" && file != nil {
		kind = file.Type
	}
	if kind == "" {
		kind = asl.Standard
	}
	m := l.read(s.Path, s.Text, kind)
	if m == nil {
		return
	}
	name := MachineName(s.Path)
	if l.taken(name, m.Pos) {
		return
	}
	var used []*resources.Resource
	program, problems := asl.Compile(asl.CompileConfig{
		Name: name, JSONata: l.cfg.JSONata, Type: kind, Machines: l.others(file, kind),
		Target: func(called asl.Resource) (asl.Target, bool) {
			r, ok := file.Find(called)
			if !ok || r.Machine != "" {
				return asl.Target{}, false
			}
			if !slices.Contains(used, r) {
				used = append(used, r)
			}
			return r.Target(called), true
		},
	}, m)
	for _, p := range problems {
		if p.Code != asl.CodeUnmapped {
			l.list.Add(p.Diag())
			continue
		}
		l.set.Unmapped = append(l.set.Unmapped, Unmapped{Program: program, State: p.State, Listed: file != nil, Problem: p.Diag()})
	}
	program.Definition = &workflow.Definition{File: filepath.Base(s.Path), Text: string(s.Text)}
	l.finish(program, file, used)
	l.set.Workflows = append(l.set.Workflows, &native.Compiled{Program: program, Pos: m.Pos})
}

// read reads a definition; nil if it has errors.
func (l *machines) read(path string, text []byte, kind asl.MachineType) *asl.Machine {
	m, problems := asl.Read(asl.Config{JSONata: l.cfg.JSONata, Type: kind}, path, text)
	for _, p := range problems {
		d := p.Diag()
		if d.File == "" {
			d.File = path
		}
		l.list.Add(d)
	}
	if asl.HasErrors(problems) {
		return nil
	}
	return m
}

// taken refuses a name that another workflow has.
func (l *machines) taken(name string, pos diag.Pos) bool {
	for _, w := range l.set.Workflows {
		if w.Program.Name == name && w.Program.Namespace == "" {
			l.list.Errorf(pos, "duplicate_object", "the Workflow %q is already defined in %s, line %d", name, w.Pos.File, w.Pos.Line).
				WithHint("the name of a state machine is that of its file: rename it")
			return true
		}
	}
	return false
}

// resources is the resources file for a definition, nil if there is none; false
// if it has errors.
func (l *machines) resources(definition string) (*resources.File, bool) {
	folder := filepath.Dir(definition)
	if l.cfg.Resources != nil {
		folder = ""
	}
	if f, known := l.files[folder]; known {
		return f, f == nil || f.Path != ""
	}
	var file *resources.File
	source, ok := l.resourcesText(definition)
	switch {
	case !ok:
		file = &resources.File{}
	case source != nil:
		var problems []diag.Diagnostic
		l.set.Texts[source.Path] = string(source.Text)
		file, problems = resources.Parse(resources.Config{Expr: l.cfg.Native.Expr, Connectors: l.cfg.Native.Connectors}, source.Path, source.Text)
		l.list.Add(problems...)
		if diag.HasErrors(problems) {
			file = &resources.File{}
		}
	}
	if l.files == nil {
		l.files = map[string]*resources.File{}
	}
	l.files[folder] = file
	return file, file == nil || file.Path != ""
}

// resourcesText is the text of the resources file for a definition, nil if there
// is none; false if it cannot be read.
func (l *machines) resourcesText(definition string) (source *Source, ok bool) {
	if l.cfg.Resources != nil {
		return l.cfg.Resources, true
	}
	path := filepath.Join(filepath.Dir(definition), ResourcesName)
	files, faults := l.cfg.Native.Files(definition, []string{ResourcesName})
	for _, f := range faults {
		if f.Missing {
			return nil, true
		}
		l.list.Errorf(diag.Pos{File: path}, "resources", "read the resources file: %s", f.Message).
			WithHint("it must be a file in the folder of the definition, or a link to one there")
	}
	if len(files) == 0 {
		return nil, len(faults) == 0
	}
	return &Source{Path: path, Text: files[0].Data}, true
}

// others are the state machines that tasks may start.
func (l *machines) others(file *resources.File, kind asl.MachineType) []asl.Other {
	var out []asl.Other
	for _, r := range file.Machines() {
		if m := l.child(file, r, kind); m != nil {
			out = append(out, asl.Other{ARN: r.Pattern, Name: MachineName(r.Machine), Machine: m})
		}
	}
	return out
}

// child reads the definition that a resource is, once for each type.
func (l *machines) child(file *resources.File, r *resources.Resource, kind asl.MachineType) *asl.Machine {
	path := filepath.Join(filepath.Dir(file.Path), filepath.FromSlash(r.Machine))
	key := nestedKey{path, kind}
	if m, known := l.nested[key]; known {
		return m
	}
	var m *asl.Machine
	files, faults := l.cfg.Native.Files(file.Path, []string{r.Machine})
	switch {
	case len(files) == 1:
		l.set.Texts[path] = string(files[0].Data)
		m = l.read(path, files[0].Data, kind)
	case len(faults) > 0:
		l.list.Errorf(r.MachinePos, "not_found", "%s", faults[0].Message).WithLength(len(r.Machine)).Hint = faults[0].Hint
	default:
		l.list.Errorf(r.MachinePos, "not_found", "%s is not one definition", r.Machine).WithLength(len(r.Machine))
	}
	if l.nested == nil {
		l.nested = map[nestedKey]*asl.Machine{}
	}
	l.nested[key] = m
	return m
}

// finish puts what its resources need into a program.
func (l *machines) finish(p *workflow.Program, file *resources.File, used []*resources.Resource) {
	var arguments []string
	for _, r := range used {
		arguments = append(arguments, r.Arguments...)
		p.Secrets = append(p.Secrets, r.Secrets...)
		for i := range r.Objects {
			l.object(p, &r.Objects[i])
		}
	}
	slices.Sort(p.Secrets)
	p.Secrets = slices.Compact(p.Secrets)
	if len(arguments) == 0 {
		return
	}
	p.Files = l.bundle(file, arguments)
}

// bundle is the files that programs need: those that arguments name, whether
// there are such or not, and those that the resources file lists.
func (l *machines) bundle(file *resources.File, arguments []string) []workflow.File {
	slices.Sort(arguments)
	var out []workflow.File
	add := func(files []workflow.File) {
		for _, f := range files {
			if !slices.ContainsFunc(out, func(old workflow.File) bool { return old.Path == f.Path }) {
				out = append(out, f)
			}
		}
	}
	for _, a := range slices.Compact(arguments) {
		if a == "" || strings.ContainsAny(a, `*?[\`) || filepath.IsAbs(a) {
			continue
		}
		files, _ := l.cfg.Native.Files(file.Path, []string{a})
		add(files)
	}
	if len(file.Files) > 0 {
		files, faults := l.cfg.Native.Files(file.Path, file.Files)
		add(files)
		for _, f := range faults {
			n := file.FilesNode.Items[f.Pattern]
			l.list.Errorf(n.Pos, "files", "%s", f.Message).WithLength(n.Length()).Hint = f.Hint
		}
	}
	slices.SortFunc(out, func(a, b workflow.File) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// object notes an object that a program uses.
func (l *machines) object(p *workflow.Program, ref *resources.ObjectRef) {
	if slices.Contains(p.Objects, ref.ObjectRef) {
		return
	}
	p.Objects = append(p.Objects, ref.ObjectRef)
	o := l.set.Object(ref.Kind, p.Namespace, ref.Name)
	switch {
	case o == nil:
		l.list.Warnf(ref.Pos, "unknown_object", "the %s %q is not in these files", ref.Kind, ref.Name).WithLength(ref.Length)
	case len(ref.Types) > 0 && !slices.Contains(ref.Types, o.Type):
		l.list.Errorf(ref.Pos, "wrong_connection", "the connection %q is of type %s, not %s", ref.Name, o.Type, strings.Join(ref.Types, " or ")).WithLength(ref.Length)
	}
}

// maxNameSize is the length of the longest name of an object.
const maxNameSize = 63

var notInName = regexp.MustCompile(`[^a-z0-9._-]+`)

// MachineName is the name of the workflow that a definition in Amazon States
// Language is: the name of its file without its end, in small letters, with "-"
// for what no name has.
func MachineName(path string) string {
	name := filepath.Base(path)
	end := filepath.Ext(name)
	for _, e := range aslEnds {
		if strings.HasSuffix(name, e) {
			end = e
		}
	}
	name = notInName.ReplaceAllString(strings.ToLower(strings.TrimSuffix(name, end)), "-")
	name = strings.TrimLeft(name, "-._")
	name = strings.TrimRight(name[:min(len(name), maxNameSize)], "-")
	if name == "" {
		return "machine"
	}
	return name
}
