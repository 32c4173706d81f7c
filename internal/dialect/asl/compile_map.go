package asl

import (
	"strings"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// mapState compiles a Map. One that reads, batches or writes is a call of a body
// whose nodes do one after the other, so that its Retry and Catch are about all
// of it; the names of the nodes are those below.
func (e *emitter) mapState(n *workflow.Node) {
	m := e.s.Map
	if m.Reader == nil && m.Batcher == nil && m.Writer == nil {
		n.Kind, n.Map = workflow.KindMap, e.mapNode(e.items(), e.template(m.ItemSelector, "ItemSelector", placeItem))
		return
	}
	inner := &emitter{compiler: e.compiler, s: e.s, in: &scope{outer: e.in}, inner: true}
	id := workflow.BodyID(len(e.prog.Bodies))
	e.prog.Bodies = append(e.prog.Bodies, workflow.Body{})
	b := &mapBody{emitter: inner}
	items := b.read()
	selector := inner.template(m.ItemSelector, "ItemSelector", placeItem)
	if m.Batcher != nil {
		items, selector = b.batch(items, selector), nil
	}
	b.each(items, selector)
	b.write()
	e.prog.Bodies[id] = workflow.Body{Start: []workflow.NodeID{0}, Nodes: b.nodes, Rule: workflow.Rule{OnFailure: workflow.CancelRest}}
	n.Kind, n.Call = workflow.KindCall, &workflow.Call{Body: id}
}

// Names of the nodes of a Map that reads, batches or writes.
const (
	nodeRead   = "read"
	nodeUnread = "unread"
	nodeSelect = "select"
	nodeBatch  = "batch"
	nodeItems  = "items"
	nodeWrite  = "write"
)

// Errors of readers and writers.
const (
	errReader = "States.ItemReaderFailed"
	errWriter = "States.ResultWriterFailed"
)

// mapBody collects the nodes of a Map, which follow each other.
type mapBody struct {
	*emitter
	nodes []workflow.Node
	last  int // the node that the next one follows
}

// add appends a node; one that raises follows none.
func (b *mapBody) add(id string, n workflow.Node) workflow.NodeID {
	n.ID = id
	n.Origin = workflow.Origin{Path: b.s.Location, File: b.s.Pos.File, Line: b.s.Pos.Line, Kind: string(Map) + " " + id}
	at := workflow.NodeID(len(b.nodes))
	b.nodes = append(b.nodes, n)
	if n.Kind != workflow.KindRaise {
		if at > 0 {
			b.nodes[b.last].Next = &at
		}
		b.last = int(at)
	}
	return at
}

func output(id workflow.NodeID) workflow.Source {
	return workflow.Source{Root: workflow.RootNode, Node: id, Name: "output"}
}

// failing adds the node in which errors of the node before get another name.
func (b *mapBody) failing(of workflow.NodeID, id, name string) {
	next := b.add(id, workflow.Node{Kind: workflow.KindRaise, Raise: &workflow.Raise{
		Name: constant(value.String(name)), Message: b.data(workflow.Source{Root: workflow.RootRaw, Name: "message"}),
	}})
	b.nodes[of].Catch = []workflow.Catch{{Match: []string{"*"}, Next: &next}}
}

// read adds the node that reads the items, if there is a reader, and gives the
// items.
func (b *mapBody) read() *workflow.Data {
	r := b.s.Map.Reader
	if r == nil {
		return b.items()
	}
	effective := workflow.Source{Root: workflow.RootEffective}
	with := []workflow.DataMember{
		{Key: "bucket", Data: b.member(effective, "Bucket")},
		{Key: "format", Data: *constant(value.String(readerFormat(r)))},
	}
	name := "Key"
	if r.Resource.Action == "listObjectsV2" {
		name = "Prefix"
	}
	with = append(with, workflow.DataMember{Key: strings.ToLower(name), Data: b.member(effective, name)})
	fixed := func(key, text string) {
		if text != "" {
			with = append(with, workflow.DataMember{Key: key, Data: *constant(value.String(strings.ToLower(text)))})
		}
	}
	if r.CSVHeaderLocation != "" || r.CSVDelimiter != "" {
		with = append(with, workflow.DataMember{Key: "csv", Data: csvOptions(r)})
	}
	fixed("transformation", r.Transformation)
	fixed("manifest", r.ManifestType)
	if r.InputType != "MANIFEST" && (r.ManifestType != "" || r.Resource.Action == "listObjectsV2") {
		fixed("data", r.InputType) // of what is listed, not of the list
	}
	if r.ItemsPointer != "" {
		with = append(with, workflow.DataMember{Key: "pointer", Data: *constant(value.String(r.ItemsPointer))})
	}
	if r.MaxItems != nil {
		with = append(with, workflow.DataMember{Key: "max_items", Data: *b.value(r.MaxItems, WantCount)})
	}
	n := workflow.Node{Kind: workflow.KindTask, Task: b.storeTask("object.items", r.Resource, with, "ItemReader")}
	if r.Arguments != nil {
		n.Input = []workflow.Stage{{Data: b.template(r.Arguments, "ItemReader/Parameters", placeInput)}}
	}
	id := b.add(nodeRead, n)
	b.failing(id, nodeUnread, errReader)
	return b.made(Operation{Make: MakeMember, Field: "items"}, output(id))
}

// readerFormat is the format in the words of object.items.
func readerFormat(r *ItemReader) string {
	switch {
	case r.Resource.Action == "listObjectsV2":
		return "list"
	case r.ManifestType != "":
		return "manifest"
	case r.InputType == "":
		return "json"
	}
	return strings.ToLower(r.InputType)
}

func csvOptions(r *ItemReader) workflow.Data {
	var members []value.Member
	if r.CSVHeaderLocation != "" {
		members = append(members, value.M("header", value.String(strings.ToLower(r.CSVHeaderLocation))))
	}
	if len(r.CSVHeaders) > 0 {
		headers := make([]value.Value, len(r.CSVHeaders))
		for i, h := range r.CSVHeaders {
			headers[i] = value.String(h)
		}
		members = append(members, value.M("headers", value.List(headers...)))
	}
	if r.CSVDelimiter != "" {
		members = append(members, value.M("delimiter", value.String(r.CSVDelimiter)))
	}
	return *constant(value.Object(members...))
}

// storeTask is the task of a reader or writer; its resource says in which store.
func (b *mapBody) storeTask(uses string, r Resource, with []workflow.DataMember, field string) *workflow.Task {
	t := &workflow.Task{Uses: uses, Idempotent: true}
	target, ok := b.cfg.Target(r)
	if !ok || target.Store == "" {
		d := b.fail(CodeUnmapped, r.Pos, len(r.Text)+2, place(b.s.Location, field+"/Resource"), "Nothing says in which store the resource %s reads and writes", r.Text)
		d.State = b.s.Name
		d.Hint = "map it to a connection in resources.yaml beside the definition, under `resources:`: `\"" + r.Text + "\": {store: NAME}`"
		return t
	}
	with = append([]workflow.DataMember{{Key: "connection", Data: *constant(value.String(target.Store))}}, with...)
	t.With = &workflow.Data{Object: with}
	return t
}

// batch adds the nodes that select items and join them, and gives the batches.
func (b *mapBody) batch(items, selector *workflow.Data) *workflow.Data {
	if selector != nil {
		// One frame an item, which ends with what was selected.
		body := workflow.BodyID(len(b.prog.Bodies))
		b.prog.Bodies = append(b.prog.Bodies, workflow.Body{
			Start: []workflow.NodeID{0}, Nodes: []workflow.Node{{Kind: workflow.KindPass}},
		})
		id := b.add(nodeSelect, workflow.Node{Kind: workflow.KindMap, Map: &workflow.Map{
			Body: body, Items: items, Select: selector, Rule: workflow.Rule{OnFailure: workflow.CancelRest}, Gather: workflow.GatherList,
		}})
		items = b.data(output(id))
	}
	how := b.s.Map.Batcher
	parts := []workflow.DataMember{{Key: "items", Data: *items}}
	for _, part := range []struct {
		key   string
		bound *Value
	}{{"count", how.MaxItemsPerBatch}, {"bytes", how.MaxInputBytesPerBatch}} {
		if part.bound != nil {
			parts = append(parts, workflow.DataMember{Key: part.key, Data: *b.value(part.bound, WantCount)})
		}
	}
	if how.BatchInput != nil {
		parts = append(parts, workflow.DataMember{Key: "input", Data: *b.template(how.BatchInput, "ItemBatcher/BatchInput", placeInput)})
	}
	id := b.add(nodeBatch, workflow.Node{Kind: workflow.KindPass, Input: []workflow.Stage{
		{Data: &workflow.Data{Object: parts}}, {Data: b.made(Operation{Make: MakeBatches}, workflow.Source{Root: workflow.RootStage})},
	}})
	return b.data(output(id))
}

// each adds the node that goes over the items.
func (b *mapBody) each(items, selector *workflow.Data) {
	m := b.mapNode(items, selector)
	n := workflow.Node{Kind: workflow.KindMap, Map: m}
	if w := b.s.Map.Writer; w != nil {
		switch {
		case w.Resource.Pos.Line > 0:
			m.Gather = workflow.GatherOutcomes
		case w.Transformation == "FLATTEN":
			n.Result = []workflow.Stage{{Data: b.made(Operation{Make: MakeFlatten}, workflow.Source{Root: workflow.RootStage})}}
		}
	}
	b.add(nodeItems, n)
}

// write adds the node that stores the results.
func (b *mapBody) write() {
	w := b.s.Map.Writer
	if w == nil || w.Resource.Pos.Line == 0 {
		return
	}
	effective, raw := workflow.Source{Root: workflow.RootEffective}, workflow.Source{Root: workflow.RootRaw}
	place := b.cfg.Place.OrDefault()
	label := b.s.Map.Label.Text
	if label == "" {
		label = b.s.Name
	}
	text := func(s string) workflow.Data { return *constant(value.String(s)) }
	with := []workflow.DataMember{
		{Key: "bucket", Data: b.member(effective, "Bucket")},
		{Key: "prefix", Data: b.member(effective, "Prefix")},
		{Key: "results", Data: *b.data(raw)},
		{Key: "machine", Data: text(b.machine)},
		{Key: "label", Data: text(label)},
		{Key: "region", Data: text(place.Region)},
		{Key: "account", Data: text(place.Account)},
	}
	if w.OutputType != "" {
		with = append(with, workflow.DataMember{Key: "format", Data: text(strings.ToLower(w.OutputType))})
	}
	if w.Transformation != "" {
		with = append(with, workflow.DataMember{Key: "transformation", Data: text(strings.ToLower(w.Transformation))})
	}
	id := b.add(nodeWrite, workflow.Node{
		Kind: workflow.KindTask, Task: b.storeTask("object.results", w.Resource, with, "ResultWriter"),
		Input: []workflow.Stage{{Data: b.template(w.Arguments, "ResultWriter/Parameters", placeInput)}},
	})
	b.failing(id, "unwritten", errWriter)
}

// mapNode is the part of a Map that goes over its items.
func (e *emitter) mapNode(items, selector *workflow.Data) *workflow.Map {
	m := e.s.Map
	out := &workflow.Map{
		Body:        e.flow(m.Processor, &scope{outer: e.in, item: true, execution: m.Distributed}),
		Items:       items,
		Select:      selector,
		MaxParallel: e.value(m.MaxConcurrency, WantCount),
		Rule:        workflow.Rule{OnFailure: workflow.CancelRest},
		Gather:      workflow.GatherList,
	}
	out.Rule.MaxFailures = e.value(m.ToleratedFailureCount, WantCount)
	out.Rule.MaxFailedPercent = e.value(m.ToleratedFailurePercentage, WantPercent)
	if m.Distributed && out.Rule.MaxFailures == nil && out.Rule.MaxFailedPercent == nil {
		out.Rule.MaxFailures = constant(value.Int(0)) // too many failures have an error of their own
	}
	return out
}

// items is the list that a Map goes over.
func (e *emitter) items() *workflow.Data {
	v := e.s.Map.Items
	at := placeItems
	switch {
	case v == nil && e.s.Language == JSONata:
		return e.jsonata("$states.input", "", WantArray, at, nil)
	case v == nil:
		return e.query(Operation{Path: "$", Field: "ItemsPath", Want: WantArray, Plain: true}, at, nil)
	case v.Kind == Path:
		return e.query(Operation{Path: v.Text, Field: v.Field, Want: WantArray, Plain: true}, at, v.Node)
	case v.Kind == Literal:
		return e.template(v.Node, "Items", at)
	}
	return e.value(v, WantArray)
}
