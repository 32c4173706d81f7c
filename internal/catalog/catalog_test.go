package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// disk keeps what is written.
type disk struct {
	store.Reader

	objects  map[store.ObjectID]store.Object
	programs map[[32]byte][]byte
	entries  []store.Entry
	batch    uint64
	now      time.Time
}

func (d *disk) clock() time.Time { return d.now }

func (d *disk) Write(_ context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	for _, o := range objects {
		d.objects[o.ObjectID] = o
	}
	d.entries = append(d.entries, entries...)
	d.batch++
	return d.batch, nil
}

func (d *disk) StorePrograms(_ context.Context, programs ...store.Program) error {
	for _, p := range programs {
		d.programs[p.Hash] = p.Data
	}
	return nil
}

func (d *disk) Object(_ context.Context, id store.ObjectID) (store.Object, error) {
	o, ok := d.objects[id]
	if !ok {
		return o, store.ErrNotFound
	}
	return o, nil
}

func (d *disk) Objects(context.Context, string, store.ObjectID, int) ([]store.Object, error) {
	return nil, nil
}

func (d *disk) Program(_ context.Context, hash [32]byte) ([]byte, error) {
	if data, ok := d.programs[hash]; ok {
		return data, nil
	}
	return nil, store.ErrNotFound
}

func open(t *testing.T) (*catalog.Catalog, *disk) {
	t.Helper()
	d := &disk{objects: map[store.ObjectID]store.Object{}, programs: map[[32]byte][]byte{}}
	languages := map[string]expr.Language{cel.Name: cel.New()}
	c := catalog.New(catalog.Config{
		Store: d, Programs: d, Machines: runtime.NewMachines(languages), TempDir: t.TempDir(), Now: d.clock,
		Definitions: project.Config{JSONata: jsonata.New(jsonata.Config{AWS: true}), Native: native.Config{
			Expr: languages[cel.Name], Connectors: project.Connectors(all.Describe()),
			Connections: project.ObjectTypes(all.ConnectionTypes()), Channels: project.ObjectTypes(all.ChannelTypes()),
		}},
	})
	r, err := registry.Open(t.Context(), d, d, c.Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(r)
	return c, d
}

func definition(path, text string) catalog.File {
	return catalog.File{Path: path, Content: []byte(text), Definition: true}
}

func hello(more string) catalog.File {
	return definition("flows/hello.yaml", "kind: Workflow\nname: hello\nlabels: {app: x}\nsteps:\n  - run: echo hello\n"+more)
}

func apply(t *testing.T, c *catalog.Catalog, files ...catalog.File) string {
	t.Helper()
	return answer(t, c, catalog.Apply{Namespace: "default", Files: files, By: store.Entry{Actor: "user/ada"}})
}

func answer(t *testing.T, c *catalog.Catalog, a catalog.Apply) string {
	t.Helper()
	out, err := c.Apply(t.Context(), a)
	if err != nil || diag.HasErrors(out.Diagnostics) {
		t.Fatal(err, out.Diagnostics)
	}
	var words []string
	for _, change := range out.Changes {
		words = append(words, change.Kind+" "+change.Name+" "+change.Action)
	}
	return strings.Join(words, ", ")
}

func TestApply(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	changed := c.Changed()
	if got := apply(t, c, hello("")); got != "Workflow hello created" {
		t.Error(got)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	if got := apply(t, c, hello("")); got != "Workflow hello unchanged" || d.batch != 1 {
		t.Error(got, d.batch)
	}
	first, _ := c.Workflow("default", "hello")
	if got := apply(t, c, hello("  - run: echo again\n")); got != "Workflow hello updated" {
		t.Error(got)
	}
	second, _ := c.Workflow("default", "hello")
	if len(second.Value.Versions) != 2 || second.Value.Version == first.Value.Version || second.Value.Labels()["app"] != "x" {
		t.Errorf("%+v", second.Value)
	}
	old, err := c.Version("default", "hello", first.Value.Version)
	if err != nil || strings.Contains(old.Value.Source.Text, "again") || old.Value.Source.Path != "flows/hello.yaml" {
		t.Errorf("%+v, %v", old, err)
	}
	if p, err := c.Prepared(t.Context(), "default", "hello"); err != nil || p.Stored.Hash != second.Value.Hash() || p.Machine.Program().Namespace != "default" {
		t.Errorf("%+v, %v", p, err)
	}
	if got := apply(t, c, hello("")); got != "Workflow hello updated" {
		t.Error(got)
	}
	if back, _ := c.Workflow("default", "hello"); fmt.Sprint(back.Value.Versions) != fmt.Sprint([]string{second.Value.Version, first.Value.Version}) {
		t.Errorf("versions %v", back.Value.Versions)
	}
}

func TestPruneAndDryRun(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	apply(t, c, hello(""))
	other := definition("other.yaml", "kind: Workflow\nname: other\nlabels: {app: x}\nsteps: [{run: echo}]\n---\nkind: Connection\nname: bank\ntype: http\nurl: https://bank.example\n")
	a := catalog.Apply{Namespace: "default", Files: []catalog.File{other}, Prune: "app=x", DryRun: true}
	want := "Workflow other created, Connection bank created, Workflow hello deleted"
	if got := answer(t, c, a); got != want || d.batch != 1 {
		t.Error(got, d.batch)
	}
	a.DryRun = false
	if got := answer(t, c, a); got != want || d.batch != 2 {
		t.Error(got, d.batch)
	}
	if _, there := c.Workflow("default", "hello"); there {
		t.Error("hello is still there")
	}
	if bank, there := c.Object("Connection", "default", "bank"); !there || bank.Type != "http" {
		t.Errorf("%+v", bank)
	}
	if _, err := c.Prepared(t.Context(), "default", "hello"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// TestPruneObjects: connections and channels go by their labels too, and what has
// no such label, or is there, stays.
func TestPruneObjects(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	connection := func(name, labels string) string {
		return "kind: Connection\nname: " + name + "\ntype: http\nurl: https://bank.example\n" + labels
	}
	apply(t, c, hello(""), definition("all.yaml", connection("old", "labels: {team: a}\n")+"---\n"+connection("kept", "labels: {team: a}\n")+
		"---\n"+connection("other", "labels: {team: b}\n")+"---\n"+connection("bare", "")+
		"---\nkind: Channel\nname: old\ntype: webhook\nurl: https://bank.example\nlabels: {team: a}\n"))
	if old, there := c.Object("Connection", "default", "old"); !there || old.Labels["team"] != "a" {
		t.Errorf("%+v", old)
	}
	a := catalog.Apply{Namespace: "default", Files: []catalog.File{definition("one.yaml", connection("kept", "labels: {team: a}\n"))}}
	for _, prune := range []string{"team=a", "team=", "none=a"} {
		a.Prune = prune
		want := "Connection kept unchanged"
		if prune == "team=a" {
			want += ", Channel old deleted, Connection old deleted"
		}
		if got := answer(t, c, a); got != want {
			t.Errorf("%s: %s", prune, got)
		}
	}
	if _, there := c.Object("Connection", "default", "old"); there {
		t.Error("it is still there")
	}
	if _, there := c.Workflow("default", "hello"); !there {
		t.Error("a workflow without the label is gone")
	}
	before := d.batch
	for _, prune := range []string{"team", "=a", "="} {
		a.Prune = prune
		if _, err := c.Apply(t.Context(), a); !errors.Is(err, catalog.ErrPrune) || d.batch != before {
			t.Errorf("%q: %v", prune, err)
		}
	}
}

// TestRefused: what is refused stores nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files []catalog.File
		want  error
	}{
		"other namespace": {[]catalog.File{hello(""), definition("a.yaml", "kind: Workflow\nname: a\nnamespace: risk\nsteps: [{run: echo}]\n")}, catalog.ErrMixed},
		"no definition":   {[]catalog.File{{Path: "a.sh", Content: []byte("echo")}}, catalog.ErrFiles},
		"absolute path":   {[]catalog.File{definition("/etc/a.yaml", "")}, catalog.ErrFiles},
		"path upwards":    {[]catalog.File{hello(""), {Path: "flows/../../x"}}, catalog.ErrFiles},
		"NUL":             {[]catalog.File{hello(""), {Path: "a\x00b"}}, catalog.ErrFiles},
		"twice":           {[]catalog.File{hello(""), {Path: "flows/hello.yaml"}}, catalog.ErrFiles},
		"file as folder":  {[]catalog.File{hello(""), {Path: "flows/hello.yaml/x"}}, catalog.ErrFiles},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d := open(t)
			if _, err := c.Apply(t.Context(), catalog.Apply{Namespace: "default", Files: test.files}); !errors.Is(err, test.want) {
				t.Errorf("%v", err)
			}
			if d.batch != 0 || len(d.programs) != 0 {
				t.Error("something was stored")
			}
		})
	}
	c, d := open(t)
	out, err := c.Apply(t.Context(), catalog.Apply{Namespace: "default", Files: []catalog.File{hello(""), hello("bad: true\n")}[1:]})
	if err != nil || !diag.HasErrors(out.Diagnostics) || d.batch != 0 {
		t.Errorf("%v, %v", out, err)
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	apply(t, c, hello("files: [scripts/**]\n"),
		catalog.File{Path: "flows/scripts/a.sh", Content: []byte("echo a"), Executable: true},
		catalog.File{Path: "scripts/b.sh", Content: []byte("not below the definition")})
	p, err := c.Prepared(t.Context(), "default", "hello")
	if err != nil {
		t.Fatal(err)
	}
	files := p.Machine.Program().Files
	if len(files) != 1 || files[0].Path != "scripts/a.sh" || files[0].Mode != 0o755 || string(files[0].Data) != "echo a" {
		t.Errorf("%+v", files)
	}
}
