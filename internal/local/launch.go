package local

import (
	"encoding/json"
	"fmt"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// Launch is what runs are started with beside their program and input. It is
// recorded in the data folder, so that a run that was interrupted goes on with
// the same; secrets are not.
type Launch struct {
	// Objects are the connections and channels that steps may name.
	Objects []Object
	// Workflows are those that runs may start.
	Workflows []*workflow.Program
	// Vars are the namespace variables, an object.
	Vars value.Value
	// Secrets finds secrets; SecretsPath is where it does beside the
	// environment, which is what is recorded.
	Secrets     secret.Source
	SecretsPath string
	// Mocks stand in for steps; MocksText is the file that they came from, and
	// MocksOf the case in it, which is what is recorded.
	Mocks     *mock.Set
	MocksText []byte
	MocksOf   mock.Which
	// Dir is the folder in which somebody called Regie, absolute, which scripts
	// can read; empty: none.
	Dir string
	// Folders are the folders, absolute, in and below which SQLite files and
	// object stores may lie; relative paths start at the first.
	Folders []string
	// AllowHosts are the host:port pairs that connectors may call beside those
	// that everybody may.
	AllowHosts []string
	// Virtual says that time passes at once.
	Virtual bool
}

// Object is a connection, channel or limit.
type Object struct {
	Kind      string         `json:"kind"`
	Namespace string         `json:"namespace,omitempty"`
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Fields    *workflow.Data `json:"fields,omitempty"`
	Limit     *gate.Limit    `json:"limit,omitempty"` // of a limit
}

// launchFormat numbers the recorded form of a Launch.
const launchFormat = 1

// launchFile is the recorded form.
type launchFile struct {
	Format      int               `json:"format"`
	Objects     []Object          `json:"objects,omitempty"`
	Workflows   []json.RawMessage `json:"workflows,omitempty"`
	Vars        value.Value       `json:"vars,omitzero"`
	SecretsPath string            `json:"secrets,omitempty"`
	Mocks       string            `json:"mocks,omitempty"`
	MocksOf     mock.Which        `json:"mocks_of,omitzero"`
	Dir         string            `json:"dir,omitempty"`
	Folders     []string          `json:"folders,omitempty"`
	AllowHosts  []string          `json:"allow_hosts,omitempty"`
	Virtual     bool              `json:"virtual,omitempty"`
}

func (l *Launch) encode() ([]byte, error) {
	var programs []json.RawMessage
	for _, p := range l.Workflows {
		text, _, err := workflow.Encode(p)
		if err != nil {
			return nil, fmt.Errorf("encode launch: %w", err)
		}
		programs = append(programs, text)
	}
	text, err := json.Marshal(launchFile{
		Format: launchFormat, Objects: l.Objects, Workflows: programs, Vars: l.Vars, SecretsPath: l.SecretsPath, Mocks: string(l.MocksText), MocksOf: l.MocksOf,
		Dir: l.Dir, Folders: l.Folders, AllowHosts: l.AllowHosts, Virtual: l.Virtual,
	})
	if err != nil {
		return nil, fmt.Errorf("encode launch: %w", err)
	}
	return text, nil
}

func decodeLaunch(text []byte) (*Launch, error) {
	var f launchFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("decode launch: %w", err)
	}
	if f.Format != launchFormat {
		return nil, fmt.Errorf("decode launch: format %d is not known here (this Regie reads %d)", f.Format, launchFormat)
	}
	l := &Launch{
		Objects: f.Objects, Vars: f.Vars, SecretsPath: f.SecretsPath, MocksText: []byte(f.Mocks), MocksOf: f.MocksOf, Dir: f.Dir, Folders: f.Folders,
		AllowHosts: f.AllowHosts, Virtual: f.Virtual,
	}
	for _, text := range f.Workflows {
		p, err := workflow.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("decode launch: %w", err)
		}
		l.Workflows = append(l.Workflows, p)
	}
	if len(l.MocksText) > 0 {
		mocks, problems := mock.Parse("mocks", l.MocksText, l.MocksOf)
		if diag.HasErrors(problems) {
			return nil, fmt.Errorf("decode launch: %s", problems[0])
		}
		l.Mocks = mocks
	}
	return l, nil
}

// limits are those that the launch defines.
func (l *Launch) limits() []gate.Limit {
	var out []gate.Limit
	for i := range l.Objects {
		if l.Objects[i].Limit != nil {
			out = append(out, *l.Objects[i].Limit)
		}
	}
	return out
}

// object finds a connection or channel.
func (l *Launch) object(kind, namespace, name string) (worker.Object, bool) {
	for i := range l.Objects {
		if o := &l.Objects[i]; o.Kind == kind && o.Name == name && o.Namespace == namespace {
			return worker.Object{Type: o.Type, Fields: o.Fields}, true
		}
	}
	return worker.Object{}, false
}
