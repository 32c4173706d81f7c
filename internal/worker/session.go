package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// session is what one attempt needs besides its task: the input with secrets
// in their places, the objects it names, and a masked log.
type session struct {
	w       *Worker
	task    *engine.Task
	input   value.Value
	secrets []secret.Named
	masker  *secret.Masker
	log     *maskedLog

	connection *connector.Connection
	channel    *connector.Channel
}

// session resolves secrets and objects and makes the log ready; if the attempt was
// made by an earlier process, it is opened again. On failure it returns the
// outcome to report.
func (w *Worker) session(t *engine.Task, again bool) (*session, engine.TaskOutcome, bool) {
	s := &session{w: w, task: t}
	input, err := w.whole(t, again)
	if err != nil {
		return nil, failed("input_not_read", err.Error()), false
	}
	if s.input, err = engine.Reveal(input, t.Secrets, s.reveal(s.namespace())); err != nil {
		return nil, failed("secret_not_found", err.Error()), false
	}
	if err := s.objects(); err != nil {
		var coded *connector.Error
		if errors.As(err, &coded) {
			return nil, failed(coded.Name, coded.Message), false
		}
		return nil, failed(connector.InvalidConnection, err.Error()), false
	}
	masker, warnings := secret.NewMasker(s.secrets...)
	s.masker = masker
	s.log = newMaskedLog(masker, w.cfg.Clock)
	s.log.open = func() (Log, error) { return w.openLog(t) }
	if again {
		if err := s.log.make(); err != nil {
			return nil, failed("log", "open the attempt's log: "+err.Error()), false
		}
		if held, ok := s.log.log.(Resumable); ok {
			s.log.resume(held)
		}
	}
	for _, warning := range warnings {
		s.log.chunk(executor.Chunk{At: w.cfg.Clock.Now(), Stream: executor.System, Data: []byte(warning + "\n")})
	}
	return s, engine.TaskOutcome{}, true
}

// whole is the input with what lies elsewhere of it. An attempt that was made by
// an earlier process has had it.
func (w *Worker) whole(t *engine.Task, again bool) (value.Value, error) {
	if again || !t.Input.HasRef() || w.cfg.Large == nil {
		return t.Input, nil
	}
	return w.cfg.Large.Whole(t.Run, t.Input)
}

// namespace is that of the task's workflow.
func (s *session) namespace() string {
	if p := s.task.Program; p != nil {
		return p.Namespace
	}
	return ""
}

// reveal looks secrets of a namespace up and remembers them for masking.
func (s *session) reveal(namespace string) func(name string) (string, error) {
	var source secret.Source
	if s.w.cfg.Secrets != nil {
		source = s.w.cfg.Secrets(namespace)
	}
	return func(name string) (string, error) {
		if source == nil {
			return "", fmt.Errorf("secret %q: this process has no source of secrets", name)
		}
		found, err := source.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("secret %q: %w", name, err)
		}
		if !slices.ContainsFunc(s.secrets, func(n secret.Named) bool { return n.Name == name }) {
			s.secrets = append(s.secrets, secret.Named{Name: name, Secret: found})
		}
		return found.Reveal(), nil
	}
}

// mask takes secrets out of everything that an outcome says.
func (s *session) mask(o engine.TaskOutcome) engine.TaskOutcome {
	o.Output = s.masker.Value(o.Output)
	o.Warning = s.masker.String(o.Warning)
	if o.Error != nil {
		masked := *o.Error
		masked.Message, masked.Details = s.masker.String(masked.Message), s.masker.Value(masked.Details)
		masked.Name = s.masker.String(masked.Name)
		o.Error = &masked
	}
	for i := range o.Artifacts {
		o.Artifacts[i].Path = s.masker.String(o.Artifacts[i].Path)
	}
	return o
}

// objects finds the connection and channel that the input names.
func (s *session) objects() error {
	if s.w.cfg.Connectors[s.task.Uses] == nil {
		return nil
	}
	if name, ok := s.input.Get("connection").Str(); ok {
		c, err := s.connectionNamed(name)
		if err != nil {
			return err
		}
		s.connection = c
	}
	if name, ok := s.input.Get("channel").Str(); ok {
		fields, typ, err := s.object("Channel", name, s.w.cfg.ChannelTypes)
		if err != nil {
			return err
		}
		s.channel = &connector.Channel{Name: name, Type: typ.Name, Fields: fields}
		if s.channel.AllowHosts, err = hosts(typ, fields); err != nil {
			return err
		}
		if below, ok := fields.Get("connection").Str(); ok {
			if s.channel.Connection, err = s.connectionNamed(below); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) connectionNamed(name string) (*connector.Connection, error) {
	fields, typ, err := s.object("Connection", name, s.w.cfg.ConnectionTypes)
	if err != nil {
		return nil, err
	}
	c := &connector.Connection{Name: name, Type: typ.Name, Fields: fields}
	c.AllowHosts, err = hosts(typ, fields)
	return c, err
}

func hosts(typ *connector.ObjectType, fields value.Value) ([]string, error) {
	if typ.Hosts == nil {
		return nil, nil
	}
	return typ.Hosts(fields)
}

// object evaluates the fields of an object and puts secrets in their places.
func (s *session) object(kind, name string, types []connector.ObjectType) (value.Value, *connector.ObjectType, error) {
	namespace, local := s.namespace(), name
	if ns, rest, ok := strings.Cut(name, "/"); ok {
		namespace, local = ns, rest
	}
	what := strings.ToLower(kind) + " " + name
	if s.w.cfg.OwnNamespace && namespace != s.namespace() {
		return value.Undefined, nil, fmt.Errorf("%s: it belongs to another namespace than the workflow; declare one in namespace %s", what, s.namespace())
	}
	if s.w.cfg.Objects == nil {
		return value.Undefined, nil, fmt.Errorf("%s: there are no objects here", what)
	}
	object, ok := s.w.cfg.Objects(kind, namespace, local)
	if !ok {
		return value.Undefined, nil, fmt.Errorf("%s: no such object; declare `kind: %s` with this name", what, kind)
	}
	i := slices.IndexFunc(types, func(t connector.ObjectType) bool { return t.Name == object.Type })
	if i < 0 {
		return value.Undefined, nil, fmt.Errorf("%s: type %q is not known", what, object.Type)
	}
	fields, slots, err := engine.RenderObject(object.Fields, s.w.vars(namespace), s.w.cfg.Languages)
	if err == nil {
		fields, err = engine.Reveal(fields, slots, s.reveal(namespace))
	}
	if err != nil {
		return value.Undefined, nil, fmt.Errorf("%s: %w", what, err)
	}
	return fields, &types[i], nil
}

// bundle is the program's files as the executor wants them.
func bundle(p *workflow.Program) []executor.File {
	if p == nil {
		return nil
	}
	files := make([]executor.File, len(p.Files))
	for i := range p.Files {
		files[i] = executor.File{Path: p.Files[i].Path, Mode: p.Files[i].Mode, Data: p.Files[i].Data}
	}
	return files
}
