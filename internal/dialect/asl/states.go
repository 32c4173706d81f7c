package asl

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/yamldoc"
)

func (o *object) task(s *State) {
	t := &TaskState{}
	s.Task = t
	o.required("Resource")
	t.Resource = o.resource()
	timeout := bounds{whole: true, min: 1, max: maxSeconds}
	t.TimeoutSeconds = o.number("TimeoutSeconds", timeout)
	t.HeartbeatSeconds = o.number("HeartbeatSeconds", timeout)
	if n := o.get("Credentials"); n != nil {
		t.Credentials = o.credentials(n, t.Resource)
	}
}

// resource reads what a Task calls.
func (o *object) resource() Resource {
	text := o.str("Resource")
	r, ok := ParseResource(text.Text)
	r.Pos = text.Pos
	if text.Pos.Line == 0 {
		return r
	}
	n, at := o.get("Resource"), o.where("Resource")
	express := o.cfg.Type == Express
	switch {
	case !ok:
		o.fail(n, at, "Value is not a valid resource ARN")
	case express && r.Pattern != RequestResponse:
		pattern, _, _ := strings.Cut(string(r.Pattern), ":")
		o.fail(n, at, "Express state machine does not support '%s' service integration ", pattern)
	case express && r.Kind == Activity:
		o.fail(n, at, "Express state machine does not support Activity ARN")
	}
	return r
}

func (o *object) credentials(n *yamldoc.Node, r Resource) *yamldoc.Node {
	at := o.where("Credentials")
	if r.Kind == Activity {
		o.fail(n, at, "The field 'Credentials' is not supported for activities")
	}
	if o.lang == JSONata && n.Kind == yamldoc.String {
		return o.template("Credentials")
	}
	c := o.child("Credentials")
	if c == nil {
		return nil
	}
	if c.get("RoleArn") == nil && c.get("RoleArn.$") == nil {
		o.fail(n, at, "The field 'RoleArn' is required but was missing")
	}
	return o.template("Credentials")
}

func (o *object) pass(s *State) {
	s.Pass = &PassState{Result: o.get("Result")}
	if s.Pass.Result != nil {
		o.staticResult(s.Pass.Result, o.where("Result"))
	}
}

func (o *object) wait(s *State) {
	fields := words("SecondsPath Seconds TimestampPath Timestamp")
	o.exactlyOne(fields...)
	s.Wait = &WaitState{}
	if len(o.present(fields...)) == 1 {
		s.Wait.Seconds = o.number("Seconds", bounds{whole: true, max: maxSeconds})
		s.Wait.Timestamp = o.timestamp("Timestamp")
	}
}

func (o *object) parallel(s *State) {
	s.Parallel = &ParallelState{}
	o.required("Branches")
	branches := o.list("Branches")
	for i, n := range branches {
		b := o.inner(n, index(o.where("Branches"), i))
		if b == nil {
			continue
		}
		f := &Flow{}
		s.Parallel.Branches = append(s.Parallel.Branches, f)
		b.fields(fieldSet{both: words("Comment StartAt States")})
		b.required("StartAt", "States")
		b.flow(f)
	}
}

func (o *object) mapState(s *State) {
	m := &MapState{}
	s.Map = m
	o.exactlyOne("ItemProcessor", "Iterator")
	if o.lang == JSONPath {
		o.atMostOne("ItemSelector", "Parameters")
	}
	m.Items = o.items()
	if m.ItemSelector = o.template("ItemSelector"); m.ItemSelector == nil {
		m.ItemSelector = o.template("Parameters")
	}
	m.MaxConcurrency = o.number("MaxConcurrency", bounds{whole: true})
	m.ToleratedFailurePercentage = o.number("ToleratedFailurePercentage", bounds{max: 100})
	m.ToleratedFailureCount = o.number("ToleratedFailureCount", bounds{whole: true})
	m.Label = o.label()
	m.Reader = o.itemReader()
	m.Batcher = o.batcher()
	m.Writer = o.writer()
	for _, field := range words("ItemProcessor Iterator") {
		if p := o.child(field); p != nil && m.Processor == nil {
			m.Processor = &Flow{}
			p.processor(m)
		}
	}
}

// items reads which list a Map goes over.
func (o *object) items() *Value {
	if v := o.path("ItemsPath", pathRule{reference: true, context: true}); v != nil {
		return v
	}
	n := o.get("Items")
	if n == nil {
		return nil
	}
	if v, is := o.expression("Items", n); is {
		return v
	}
	if n.Kind != yamldoc.List {
		o.wrongType(n, o.where("Items"), "[ARRAY]")
		return nil
	}
	o.template("Items")
	return &Value{Field: "Items", Literal: n.ToValue(), Node: n}
}

func (o *object) label() Text {
	t := o.str("Label")
	if t.Pos.Line == 0 {
		return t
	}
	n, at := o.get("Label"), o.where("Label")
	if utf8.RuneCountInString(t.Text) > maxLabel {
		o.add(Error, CodeLabelName, t.Pos, n.Length(), at, "Label name '"+t.Text+"' exceeds the 40-character limit allowed by the service")
	}
	if o.labels[t.Text] {
		o.add(Error, CodeDuplicateLabel, t.Pos, n.Length(), at, "Duplicate Label name: "+t.Text)
	}
	o.labels[t.Text] = true
	return t
}

// processor reads the states that each item goes through.
func (o *object) processor(m *MapState) {
	o.fields(fieldSet{both: words("Comment ProcessorConfig StartAt States")})
	o.required("StartAt", "States")
	if c := o.child("ProcessorConfig"); c != nil {
		mode := c.oneOf("Mode", "INLINE", "DISTRIBUTED")
		m.Distributed = mode == "DISTRIBUTED"
		if m.Distributed {
			c.fields(fieldSet{both: words("Mode ExecutionType")})
			c.required("ExecutionType")
			m.ExecutionType = MachineType(c.oneOf("ExecutionType", string(Standard), string(Express)))
		} else {
			c.fields(fieldSet{both: words("Mode")})
		}
		if m.Distributed && o.cfg.Type == Express {
			o.fail(c.get("Mode"), c.at, "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines")
		}
	}
	o.flow(m.Processor)
}

// service reads the fields of an object that calls a service: the template
// of its arguments is called as the query language calls it.
func (o *object) service(others string) *yamldoc.Node {
	o.fields(fieldSet{words("Resource " + others), words("Parameters"), words("Arguments")})
	if t := o.template("Arguments"); t != nil {
		return t
	}
	return o.template("Parameters")
}

func (o *object) itemReader() *ItemReader {
	c := o.child("ItemReader")
	if c == nil {
		return nil
	}
	r := &ItemReader{Arguments: c.service("ReaderConfig")}
	c.required("Resource")
	if r.Resource = c.resource(); r.Resource.Pos.Line > 0 && !r.Resource.isS3("getObject", "listObjectsV2") {
		c.fail(c.get("Resource"), c.where("Resource"), "The field 'Resource' does not match any of the allowed values")
	}
	if config := c.child("ReaderConfig"); config != nil {
		config.readerConfig(r)
	}
	return r
}

func (r Resource) isS3(actions ...string) bool {
	if r.Kind != Integration || r.Service != "s3" {
		return strings.Contains(r.Text, "${")
	}
	return slices.Contains(actions, r.Action)
}

func (o *object) readerConfig(r *ItemReader) {
	both := "InputType MaxItems ItemsPointer Transformation"
	switch n := o.get("InputType"); {
	case n == nil || n.Text == "CSV":
		both += " CSVHeaderLocation CSVHeaders CSVDelimiter ManifestType"
	case n.Text == "MANIFEST":
		both += " ManifestType CSVHeaderLocation CSVHeaders CSVDelimiter"
	}
	o.fields(fieldSet{both: words(both), path: words("MaxItemsPath")})
	r.InputType = o.oneOf("InputType", "CSV", "JSON", "JSONL", "PARQUET", "MANIFEST")
	r.ManifestType = o.oneOf("ManifestType", "ATHENA_DATA", "S3_INVENTORY")
	r.Transformation = o.oneOf("Transformation", "NONE", "LOAD_AND_FLATTEN")
	r.ItemsPointer = o.str("ItemsPointer").Text
	r.MaxItems = o.number("MaxItems", bounds{whole: true, max: maxReaderItems})
	r.CSVHeaderLocation = o.oneOf("CSVHeaderLocation", "FIRST_ROW", "GIVEN")
	r.CSVDelimiter = o.oneOf("CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")
	if r.InputType == "CSV" && o.get("CSVHeaderLocation") == nil {
		o.fail(nil, o.at, "The field 'CSVHeaderLocation' is required")
	}
	if r.CSVHeaderLocation == "GIVEN" {
		o.required("CSVHeaders")
	}
	headers := o.list("CSVHeaders")
	for i, n := range headers {
		if n.Kind != yamldoc.String {
			o.wrongType(n, index(o.where("CSVHeaders"), i), "[STRING]")
			continue
		}
		r.CSVHeaders = append(r.CSVHeaders, n.Text)
	}
}

func (o *object) batcher() *ItemBatcher {
	c := o.child("ItemBatcher")
	if c == nil {
		return nil
	}
	c.fields(fieldSet{
		both: words("MaxItemsPerBatch MaxInputBytesPerBatch BatchInput"),
		path: words("MaxItemsPerBatchPath MaxInputBytesPerBatchPath"),
	})
	return &ItemBatcher{
		MaxItemsPerBatch:      c.number("MaxItemsPerBatch", bounds{whole: true}),
		MaxInputBytesPerBatch: c.number("MaxInputBytesPerBatch", bounds{whole: true}),
		BatchInput:            c.template("BatchInput"),
	}
}

func (o *object) writer() *ResultWriter {
	c := o.child("ResultWriter")
	if c == nil {
		return nil
	}
	w := &ResultWriter{Arguments: c.service("WriterConfig")}
	if w.Resource = c.resource(); w.Resource.Pos.Line > 0 && !w.Resource.isS3("putObject") {
		c.fail(c.get("Resource"), c.where("Resource"), "The field 'Resource' does not match any of the allowed values")
	}
	config := c.child("WriterConfig")
	switch {
	case w.Resource.Pos.Line > 0 && w.Arguments == nil:
		name := "Parameters"
		if c.lang == JSONata {
			name = "Arguments"
		}
		c.required(name)
	case w.Resource.Pos.Line == 0 && config == nil:
		c.required("Resource")
	}
	if config != nil {
		config.fields(fieldSet{both: words("Transformation OutputType")})
		config.required("Transformation", "OutputType")
		w.Transformation = config.oneOf("Transformation", "NONE", "COMPACT", "FLATTEN")
		w.OutputType = config.oneOf("OutputType", "JSON", "JSONL")
	}
	return w
}
