package asl

import (
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// core is a step that does something, while it is being written.
type core struct {
	*step
	s *asl.State
	// raw is the result of the state as its own `outputs` would read it.
	raw data
	// each says that `outputs`, `retry` and `timeout` would concern each item.
	each bool
	// isGroup says that `outputs` reads the steps within and not `result`.
	isGroup bool
	// merged is how many values were put together before it.
	merged int
	// after are steps behind it that belong to it.
	after *block
}

// work writes a Task, Parallel or Map.
func (e *emitter) work(b *block, s *asl.State, in data) (out data, next string, live bool) {
	if len(s.Catch) > 0 && reads(in, map[string]bool{"error": true}) {
		in = e.hold(b, s, in) // in its handlers `error` is another one
	}
	args := e.enter(s, in)
	id := e.id(s.Name)
	k := &core{s: s, step: &step{id: id, notes: e.heading(s, id)}, raw: cel("result")}
	switch s.Type {
	case asl.Task:
		e.task(b, k, in, args)
	case asl.Parallel:
		e.parallel(k, args)
	default:
		if reads(args, map[string]bool{"index": true}) {
			args = e.hold(b, s, args) // in its items `index` is another one
		}
		e.mapState(b, k, in, args)
	}
	retry := e.retry(s)
	if k.each && (retry != nil || s.ResultSelector != nil || s.Output != nil) {
		k = e.wrap(k)
	}
	output, selector := e.selector(b, k, in)
	if output != nil {
		k.set("outputs", output)
	}
	if retry != nil {
		k.set("retry", retry)
	}
	result := cel("steps." + id + ".output")
	if s.Type == asl.Map && selector == nil {
		result = result.like(data{kind: list}) // of which only that is known
	}
	if selector != nil {
		k.raw = *selector
		if selector.kind == object {
			result = result.like(*selector)
		}
	}
	k.merged = len(e.merged)
	out = e.result(k, result, in)
	return e.handled(b, k, in, out)
}

// selector is what the state makes of its result within the step: `outputs`,
// nil if there is nothing to make, and the value that it gives.
func (e *emitter) selector(b *block, k *core, in data) (output *yamldoc.Draft, selected *data) {
	s := k.s
	sc := e.scope(s, k.raw, in)
	sc.result = &k.raw
	d := k.raw
	needed := !k.isGroup && (k.raw.kind != computed || k.raw.source != "result")
	switch {
	case s.ResultSelector != nil && s.Assign == nil:
		e.carried(s, "ResultSelector", s.ResultSelector)
		d, needed = e.template(sc, s.ResultSelector, "ResultSelector"), true
	case s.Output != nil && s.Assign == nil:
		e.carried(s, "Output", s.Output)
		d, needed = e.template(sc, s.Output, "Output"), true
	}
	if !needed {
		return nil, nil
	}
	d = e.settle(b, d)
	return e.outputs(d), &d
}

// result is what the state passes on; what belongs behind the step is written
// to k.after.
func (e *emitter) result(k *core, result, in data) data {
	s := k.s
	k.after = &block{}
	sc := e.scope(s, result, in)
	sc.result = &result
	if s.Assign == nil {
		if s.Language == asl.JSONata {
			return result
		}
		return e.leave(k.after, s, result, in, nil)
	}
	selected := result
	if s.ResultSelector != nil {
		e.carried(s, "ResultSelector", s.ResultSelector)
		selected = e.keep(k.after, s, e.template(sc, s.ResultSelector, "ResultSelector"))
	}
	out := e.leave(k.after, s, selected, in, &sc)
	e.assign(k.after, s, s.Assign, sc)
	return out
}

// notShell is what a resource may not bring into a script.
var notShell = regexp.MustCompile(`[^A-Za-z0-9:._/-]`)

// task writes what a Task calls.
func (e *emitter) task(b *block, k *core, in, args data) {
	s, t := k.s, k.s.Task
	e.tasks = true
	args = e.settle(b, args)
	call, ok := Call{}, false
	if e.cfg.Target != nil {
		call, ok = e.cfg.Target(t.Resource)
	}
	switch {
	case t.Resource.Pattern == asl.WaitForTaskToken:
		e.note(Lost, t.Resource.Pos, s.Name, "Resource", "waiting for a task token has no counterpart yet; a placeholder that fails stands there")
		call, ok = Call{}, false
	case !ok:
		e.note(Lost, t.Resource.Pos, s.Name, "Resource", "nothing says what %s is here; write what does it in place of the placeholder, which fails", t.Resource.Text)
	default:
		e.note(Carried, t.Resource.Pos, s.Name, "Resource", "%s", strings.TrimSpace(call.Uses+" "+strings.Join(call.Run, " ")))
	}
	if !ok {
		k.notes = append(k.notes, "TODO: write what "+t.Resource.Text+" does.")
		k.set("run", plain("echo 'not converted: "+notShell.ReplaceAllString(t.Resource.Text, "")+"' >&2\nexit 1\n"))
		call.Input = "INPUT"
	}
	e.call(k, call, args)
	sc := e.scope(s, in, in)
	if v := t.TimeoutSeconds; v != nil {
		k.set("timeout", e.seconds(b, sc, v))
		if s.Retry == nil {
			e.note(Changed, v.Node.Pos, s.Name, v.Field, "the error is called timeout")
		}
	}
	if v := t.HeartbeatSeconds; v != nil {
		if call.Uses == "" {
			k.set("heartbeat", e.seconds(b, sc, v))
			e.note(Changed, v.Node.Pos, s.Name, v.Field, "a script is heard of when it changes the file that $REGIE_HEARTBEAT names")
		} else {
			e.note(Lost, v.Node.Pos, s.Name, v.Field, "only scripts have heartbeats here; bound the attempt with `timeout`")
		}
	}
	if t.Credentials != nil {
		e.note(Lost, t.Credentials.Pos, s.Name, "Credentials", "there is no role to assume; give the connection or the program what it needs")
	}
	if call.Result != "" {
		k.raw = cel(call.Result)
	}
}

// call writes `uses` or `run` with what they get.
func (e *emitter) call(k *core, call Call, args data) {
	if call.Uses != "" {
		k.set("uses", plain(call.Uses))
		with := mapping()
		for _, m := range call.With {
			with.Put(m.Key, valueNode(m.Value))
		}
		switch {
		case call.Input != "":
			with.Put(call.Input, e.node(args))
		case args.kind == object:
			for _, m := range args.members {
				with.Put(m.key, e.node(m.data))
			}
		case args.kind == constant:
			for _, m := range args.value.Members() {
				with.Put(m.Key, valueNode(m.Value))
			}
		default:
			e.note(Lost, k.s.Task.Resource.Pos, k.s.Name, "Resource", "its input is no object that is known; write `with` for %s", call.Uses)
		}
		if len(with.Entries) > 0 {
			k.set("with", with)
		}
		return
	}
	if len(call.Run) > 0 {
		program := sequence()
		for _, word := range call.Run {
			program.Items = append(program.Items, plain(escape(word)))
		}
		k.set("run", compact(program))
	}
	if call.Input != "" {
		k.set("env", mapping(field{call.Input, e.node(args)}))
	}
}

// inside is the emitter of a flow within a state.
func (e *emitter) inside(f *asl.Flow) *emitter {
	return &emitter{
		converter: e.converter, graph: newGraph(f), up: e, loop: e.loop, merged: slices.Clip(e.merged),
		names: map[string]string{}, vars: map[string]string{}, shaky: map[string]bool{},
	}
}

// flow writes a whole flow of the state as the fields of a group.
func (e *emitter) flow(s *asl.State, f *asl.Flow, in data, name string) (b *block, outputs *yamldoc.Draft) {
	e.note(Carried, f.StartAt.Pos, s.Name, "StartAt", "")
	b = &block{}
	inner := e.inside(f)
	end, live := inner.sequence(b, f.StartAt.Text, exit, in)
	if live {
		end = inner.settle(b, end)
	}
	if len(b.steps) == 0 {
		b.add(nothing(e.unique(name+"_case"), "nothing to do"))
	}
	if last := b.last(); live && (end.kind != computed || last.id == "" || end.source != "steps."+last.id+".output") {
		outputs = e.outputs(end)
	}
	return b, outputs
}

func (e *emitter) parallel(k *core, in data) {
	e.note(Carried, k.s.Pos, k.s.Name, "Branches", "")
	branches := sequence()
	raw := data{kind: list}
	for i, f := range k.s.Parallel.Branches {
		id := e.unique(k.id + "_" + itoa(i+1))
		b, outputs := e.flow(k.s, f, in, id)
		var st *step
		if only := b.steps[0]; len(b.steps) == 1 && only.id != "" && outputs == nil {
			st, id = only, only.id
		} else {
			st = &step{id: id}
			st.set("steps", b.node())
			if outputs != nil {
				st.set("outputs", outputs)
			}
		}
		branches.Items = append(branches.Items, st.node())
		raw.items = append(raw.items, cel("result."+id))
	}
	k.set("parallel", branches)
	k.set("fail_fast", number("true"))
	k.raw = raw
}

func (e *emitter) mapState(b *block, k *core, in, effective data) {
	s, m := k.s, k.s.Map
	sc := e.scope(s, effective, in)
	items := effective
	if m.Items != nil {
		if m.Items.Kind == asl.Literal {
			e.carried(s, "Items", m.Items.Node)
			items = e.template(sc, m.Items.Node, "Items")
		} else {
			items = e.field(sc, m.Items)
		}
	}
	items = e.settle(b, items)
	k.each = true
	if items.kind == constant && items.value.Kind() == value.KindList && items.value.Len() > 0 {
		k.set("foreach", e.node(items))
	} else {
		k.set("foreach", plain(e.untyped(items)))
	}
	loop := firstLoop
	for at := e; at != nil; at = at.up {
		if at.loop != "" {
			loop = e.unique(k.id + "_item")
			break
		}
	}
	if loop != firstLoop {
		k.set("as", plain(loop))
	}
	e.mapLimits(b, k, sc)
	outer := e.loop
	e.loop = loop
	item := cel(loop)
	if m.ItemSelector != nil {
		construct := "ItemSelector"
		e.carried(s, construct, m.ItemSelector)
		inner := e.scope(s, effective, in)
		item = e.template(inner, m.ItemSelector, construct)
	}
	body, outputs := e.itemFlow(s, item, k.id)
	e.loop = outer
	e.note(Carried, m.Processor.Pos, s.Name, "ItemProcessor", "")
	if only := body.steps[0]; len(body.steps) == 1 && outputs == nil && only.get("foreach") == nil && only.get("on_error") == nil && only.id != "" {
		k.notes = append(k.notes, only.notes...)
		k.fields = append(k.fields, only.fields...)
		return
	}
	k.set("steps", body.node())
	if outputs != nil {
		k.set("outputs", outputs)
	}
}

// loose is a number that may be computed.
func (e *emitter) loose(d data) *yamldoc.Draft {
	if d.kind == constant {
		return e.node(d)
	}
	return template(e.untyped(d))
}

// itemFlow writes what a Map does for each item. What is computed for the item is
// kept before the first state.
func (e *emitter) itemFlow(s *asl.State, item data, name string) (*block, *yamldoc.Draft) {
	before := &block{}
	defer func(n int) { e.merged = e.merged[:n] }(len(e.merged))
	item = e.settle(before, item)
	b, outputs := e.flow(s, s.Map.Processor, item, name)
	b.steps = append(before.steps, b.steps...)
	return b, outputs
}

// mapLimits writes how many items may run and fail, and reports what a Map has
// beside.
func (e *emitter) mapLimits(b *block, k *core, sc scope) {
	s, m := k.s, k.s.Map
	if v := m.MaxConcurrency; v != nil {
		d := e.settle(b, e.field(sc, v))
		if n, ok := d.value.Int(); d.kind != constant || ok && n > 0 {
			k.set("max_parallel", e.loose(d))
		}
		if d.kind != constant {
			e.note(Changed, v.Node.Pos, s.Name, v.Field, "0 means no bound in the state machine and is an error here").Differs = true
		}
	}
	for _, t := range []struct {
		v    *asl.Value
		name string
	}{{m.ToleratedFailureCount, "max_failures"}, {m.ToleratedFailurePercentage, "max_failed_percent"}} {
		if t.v != nil {
			k.set(t.name, e.loose(e.settle(b, e.field(sc, t.v))))
			e.note(Changed, t.v.Node.Pos, s.Name, t.v.Field, "the output of a tolerated failure is null in the list of results")
		}
	}
	if m.Distributed {
		e.note(Changed, m.Processor.Pos, s.Name, "ProcessorConfig", "items are done in the same run, not as executions of their own")
	}
	if m.Label.Pos.Line > 0 {
		e.note(Lost, m.Label.Pos, s.Name, "Label", "items have no runs of their own that it could name; nothing has to be done")
	}
	if m.Reader != nil {
		e.note(Lost, m.Reader.Resource.Pos, s.Name, "ItemReader", "nothing reads items from a store; read them in a step before and give its output to `foreach`")
	}
	if m.Batcher != nil {
		e.note(Lost, s.Pos, s.Name, "ItemBatcher", "items are not joined; make lists of lists in a step before")
	}
	if m.Writer != nil {
		e.note(Lost, s.Pos, s.Name, "ResultWriter", "results are not stored; write them in a step behind")
	}
}
