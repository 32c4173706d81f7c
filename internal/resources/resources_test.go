package resources_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/resources"
	"github.com/regie-dev/regie/internal/workflow"
)

// connectors are two, with some fields of those that there are.
func connectors() []native.Connector {
	field := func(name string, kind descriptor.Kind) descriptor.Field {
		return descriptor.Field{Name: name, Type: descriptor.Type{Kind: kind}, Template: true}
	}
	channel, text := field("channel", descriptor.Name), field("text", descriptor.String)
	channel.Required, text.Required = true, true
	return []native.Connector{
		{Name: "http.request", Connections: []string{"http"}, Input: &descriptor.Object{Name: "http.request", Fields: []descriptor.Field{
			field("url", descriptor.String), field("connection", descriptor.Name), field("path", descriptor.String), field("body", descriptor.Any),
		}}},
		{Name: "notify.send", Channel: true, Input: &descriptor.Object{Name: "notify.send", Fields: []descriptor.Field{channel, text}}},
	}
}

func parse(text string) (*resources.File, string) {
	cfg := resources.Config{Expr: cel.New(), Connectors: connectors()}
	file, problems := resources.Parse(cfg, "r.yaml", []byte(text))
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return file, strings.Join(out, "\n")
}

func invoke(function string) asl.Resource {
	return asl.Resource{Text: "arn:aws:states:::lambda:invoke", Kind: asl.Integration, Service: "lambda", Action: "invoke", Subject: function}
}

func direct(t *testing.T, arn string) asl.Resource {
	t.Helper()
	r, ok := asl.ParseResource(arn)
	if !ok {
		t.Fatalf("%s is no resource", arn)
	}
	return r
}

// A function is found by every form of its name, and the longest pattern counts.
func TestFind(t *testing.T) {
	t.Parallel()
	file, problems := parse(`resources:
  "*": {run: [anything]}
  "arn:aws:lambda:*:*:function:*": {run: [function]}
  "arn:aws:lambda:*:*:function:charge": {run: [charge]}
  "arn:aws:lambda:*:222:function:charge": {run: [other-account]}
  "arn:aws:lambda:*:*:function:charge:v2": {run: [charge-v2]}
  "quote": {run: [quote]}
  "${ShipFunction.Arn}": {run: [ship]}
  "arn:aws:states:::sqs:*": {run: [sqs]}
`)
	if problems != "" {
		t.Fatal(problems)
	}
	const arn = "arn:aws:lambda:eu-west-1:111:function:"
	for _, c := range []struct {
		called asl.Resource
		want   string
	}{
		{direct(t, arn+"charge"), "charge"},
		{direct(t, arn+"charge:live"), "charge"},
		{direct(t, arn+"charge:v2"), "charge-v2"},
		{direct(t, "arn:aws:lambda:eu-west-1:222:function:charge"), "other-account"},
		{direct(t, arn+"pack"), "function"},
		{direct(t, "${ShipFunction.Arn}"), "ship"},
		{direct(t, "arn:aws:states:::sqs:sendMessage"), "sqs"},
		{direct(t, "arn:aws:states:::sns:publish"), "anything"},
		{invoke(arn + "charge"), "charge"},
		{invoke(arn + "charge:live"), "charge"},
		{invoke("111:function:charge"), "charge"},
		{invoke("222:function:charge"), "other-account"},
		{invoke("quote:live"), "function"},
		{invoke("quote"), "quote"},
		{invoke("pack"), "function"},
		{invoke("${ShipFunction.Arn}"), "ship"},
	} {
		r, ok := file.Find(c.called)
		if !ok || r.Arguments[0] != c.want {
			t.Errorf("%s %s: %v, want %s", c.called.Text, c.called.Subject, r, c.want)
		}
	}
	if _, ok := (*resources.File)(nil).Find(invoke("x")); ok {
		t.Error("no file maps something")
	}
}

// What is compiled of a resource: input, reply, and what it uses.
func TestTarget(t *testing.T) {
	t.Parallel()
	file, problems := parse(`type: express
files: [lib/**]
resources:
  run: {run: [sh, f.sh], env: {KEY: "k-${{ secrets.K }}", WHO: "${{ input.who }}"}}
  http: {http: {connection: api, path: "/x/${{ input.id }}"}, idempotent: true}
  uses: {uses: notify.send, with: {channel: ops, text: "${{ input.text }}"}}
  child: {machine: child.asl.json}
  "arn:aws:states:::s3:*": {store: data}
`)
	if problems != "" {
		t.Fatal(problems)
	}
	if file.Type != asl.Express || !cmp.Equal(file.Files, []string{"lib/**"}) {
		t.Errorf("file %+v", file)
	}
	passed := workflow.Data{Expr: &workflow.Expr{
		Language: "asl", Source: "$", Bind: []workflow.Binding{{Path: []string{"$"}, From: workflow.Source{Root: workflow.RootEffective, Name: "Payload"}}},
	}}
	for function, want := range map[string]string{
		"run":  `process invoke idempotent=false args=["sh","f.sh"] env={KEY:"k-"<secret K>, WHO:=input.who@Payload} input==$@Payload`,
		"http": `http.request invoke idempotent=true method="POST" timeout="15m" connection="api" path="/x/"=input.id@Payload json==$@Payload`,
		"uses": `notify.send invoke idempotent=false channel="ops" text==input.text@Payload`,
	} {
		r, _ := file.Find(invoke(function))
		target := r.Target(invoke(function))
		with := target.With(passed)
		var b strings.Builder
		b.WriteString(target.Uses + " " + string(target.Reply))
		if target.Idempotent {
			b.WriteString(" idempotent=true")
		} else {
			b.WriteString(" idempotent=false")
		}
		for _, m := range with.Object {
			b.WriteString(" " + m.Key + "=" + shown(&m.Data))
		}
		if got := b.String(); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", function, got, want)
		}
	}
	run, _ := file.Find(invoke("run"))
	uses, _ := file.Find(invoke("uses"))
	child := file.Machines()
	s3 := direct(t, "arn:aws:states:::s3:getObject")
	data, _ := file.Find(s3)
	if data.Target(s3).Store != "data" || len(data.Objects) != 1 {
		t.Errorf("store %+v", data)
	}
	if !cmp.Equal(run.Secrets, []string{"K"}) || len(uses.Objects) != 1 || uses.Objects[0].Name != "ops" || len(child) != 1 || child[0].Machine != "child.asl.json" {
		t.Errorf("run %+v, uses %+v, child %+v", run, uses, child)
	}
}

// shown is data in short.
func shown(d *workflow.Data) string {
	var b strings.Builder
	switch {
	case d.Expr != nil:
		return "=" + d.Expr.Source + "@" + d.Expr.Bind[0].From.Name
	case d.Text != nil:
		for _, p := range d.Text {
			switch {
			case p.Expr != nil:
				b.WriteString("=" + p.Expr.Source + "@" + p.Expr.Bind[0].From.Name)
			case p.Secret != "":
				b.WriteString("<secret " + p.Secret + ">")
			default:
				b.WriteString(`"` + p.Literal + `"`)
			}
		}
		return b.String()
	case d.Object != nil:
		for i, m := range d.Object {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(m.Key + ":" + shown(&m.Data))
		}
		return "{" + b.String() + "}"
	case d.List != nil:
		var items []string
		for i := range d.List {
			items = append(items, shown(&d.List[i]))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return d.Const.String()
}

// What is wrong has its place and says what to write instead.
func TestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"resources: {f: {}}":                                                             "r.yaml:1:16: error[missing_field]: `run`, `http`, `uses`, `machine` or `store`",
		"resources: {f: {run: [a], uses: b}}":                                            "r.yaml:1:",
		"resources: {f: {uses: notify.sent}}":                                            `there is no connector "notify.sent" (did you mean "notify.send"?)`,
		"resources: {f: {uses: notify.send, with: {txt: a}}}":                            `unknown field "txt"`,
		`resources: {f: {run: [a], env: {A: "${{ inputs.x }}"}}}`:                        `inputs`,
		`resources: {f: {run: [a], env: {REGIE_X: a}}}`:                                  `the variable "REGIE_X" is set by Regie itself`,
		`resources: {f: {run: [a], with: {x: 1}}}`:                                       "`with` belongs to `uses`",
		`resources: {f: {http: {url: "http://x", body: 1}}}`:                             "`body` cannot be given",
		`resources: {f: {http: {urll: "http://x"}}}`:                                     `did you mean "url"`,
		`resources: {f: {uses: http.request, with: {url: "http://x/${{ secrets.K }}"}}}`: `the secret "K" cannot stand here`,
		"type: fast\nresources: {f: {run: [a]}}":                                         `"fast"`,
		"resources: {}\n---\nresources: {}":                                              "want one document",
	} {
		if _, got := parse(text); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	if page := descriptor.Markdown(resources.Describe()); !strings.Contains(page, "REGIE_INPUT") {
		t.Errorf("page\n%s", page)
	}
}
