package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/value"
)

// Errors of the language, which evaluations end with.
const (
	errQuery   = "States.QueryEvaluationError" // of JSONata
	errRuntime = "States.Runtime"              // of JSONPath; nobody catches it

	errDataLimit = "States.DataLimitExceeded" // of what is too large; nobody catches it either
)

// Language is the language of expressions in programs: one of the query
// languages with what its field asks for, in AWS's words. The source is an
// [Operation] as JSON. It is immutable and safe for concurrent use.
type Language struct{ jsonata expr.Language }

// NewLanguage returns the language; jsonata is JSONata with AWS's functions.
func NewLanguage(jsonata expr.Language) *Language { return &Language{jsonata: jsonata} }

var _ expr.Language = (*Language)(nil)

// Operation is the source of an expression. Exactly one of JSONata, Path, Test,
// Make, Into and Error is set.
type Operation struct {
	JSONata string      `json:"jsonata,omitempty"`
	Path    string      `json:"path,omitempty"` // a path, or a call of an intrinsic function
	Test    *TestSource `json:"test,omitempty"`
	// Make is what the compiler needs beside.
	Make Make `json:"make,omitempty"`
	// Into is a ResultPath: it gives the state's input with the result in it.
	Into string `json:"into,omitempty"`
	// Error gives the error that is handled as the language shows it.
	Error bool `json:"error,omitempty"`
	// Field is the field as messages name it: Output/total, SecondsPath.
	Field string `json:"field,omitempty"`
	Want  Want   `json:"want,omitempty"`
	// Plain paths are evaluated as those of a field of the state, others as
	// those of a member of a template: the words differ.
	Plain bool `json:"plain,omitempty"`
	// Caught says that $ is the error that is handled.
	Caught bool `json:"caught,omitempty"`
}

// Want is what an expression must give.
type Want string

// The wants; empty takes whatever is defined.
const (
	WantArray     Want = "array"
	WantBoolean   Want = "boolean"
	WantText      Want = "string"
	WantSeconds   Want = "seconds" // a whole number from 0
	WantCount     Want = "integer" // same, in other words
	WantPercent   Want = "percent"
	WantTimestamp Want = "timestamp"
)

// Name implements expr.Language.
func (*Language) Name() string { return Name }

// Compile implements expr.Language.
func (l *Language) Compile(src string, env *expr.Env) (expr.Compiled, []expr.Problem) {
	var op Operation
	if err := json.Unmarshal([]byte(src), &op); err != nil {
		return nil, []expr.Problem{{Code: expr.CodeSyntax, Message: err.Error(), Length: max(1, len(src))}}
	}
	c := &operation{Operation: op}
	switch {
	case op.JSONata != "":
		inner, problems := l.jsonata.Compile(op.JSONata, env)
		if len(problems) > 0 {
			return nil, problems
		}
		c.inner = inner
	case op.Path != "":
		q, problem := jsonpath.Parse(op.Path)
		if problem != nil {
			return nil, []expr.Problem{*problem}
		}
		c.query = q
	case op.Into != "":
		q, problem := jsonpath.ParseResultPath(op.Into)
		if problem != nil {
			return nil, []expr.Problem{*problem}
		}
		c.query = q
	case op.Test != nil:
		t, problem := op.Test.compile()
		if problem != nil {
			return nil, []expr.Problem{*problem}
		}
		c.test = t
	}
	return c, nil
}

// operation is a compiled [Operation].
type operation struct {
	Operation
	inner expr.Compiled
	query *jsonpath.Query
	test  *test
}

// Type implements expr.Compiled.
func (*operation) Type() expr.Type { return expr.Type{} }

// Reads implements expr.Compiled.
func (o *operation) Reads() [][]string {
	switch {
	case o.inner != nil:
		return o.inner.Reads()
	case o.Make != "":
		return [][]string{{bindInput}}
	case o.Into != "":
		return [][]string{{bindInput}, {bindRaw}}
	case o.query != nil:
		return o.query.Reads()
	case o.test != nil:
		var out [][]string
		for _, q := range o.test.queries(nil) {
			out = append(out, q.Reads()...)
		}
		return out
	}
	return [][]string{{bindError}}
}

// The names of bindings beside variables and $states.
const (
	bindInput   = "$"
	bindContext = "$$"
	bindError   = "error"
	bindRaw     = "raw" // the input of the state, beside a ResultPath
	bindStates  = "states"
)

// Eval implements expr.Compiled.
func (o *operation) Eval(r expr.Request) (value.Value, error) {
	switch {
	case o.inner != nil:
		return o.evalJSONata(r)
	case o.Error:
		return errorOutput(r.Bindings[bindError]), nil
	case o.Make != "":
		return o.make(r.Bindings[bindInput], r.Now)
	case o.Into != "":
		out, failed := jsonpath.ApplyResultPath(o.query, r.Bindings[bindRaw], r.Bindings[bindInput])
		if failed != nil {
			return value.Undefined, failed
		}
		return out, nil
	}
	input := r.Bindings[bindInput]
	if o.Caught {
		input = errorOutput(input)
	}
	scope := jsonpath.Scope{Input: input, Context: r.Bindings[bindContext], Variables: r.Bindings}
	e := jsonpath.NewEvaluator(scope, jsonpath.Budget{Cost: r.Cost, Seed: r.Seed})
	if o.test != nil {
		ok, err := o.test.eval(e)
		return value.Bool(ok), err
	}
	return o.evalPath(e)
}

// errorOutput is an error of the engine as the language shows it: one without a
// name has null in its place, and without a message too.
func errorOutput(e value.Value) value.Value {
	name, cause := e.Get("name"), value.String(e.Get("message").Text())
	if name.Len() == 0 {
		name = value.Null
		if cause.Len() == 0 {
			cause = value.Null
		}
	}
	return value.Object(value.M("Error", name), value.M("Cause", cause))
}

func (o *operation) evalJSONata(r expr.Request) (value.Value, error) {
	if states := r.Bindings[bindStates]; !states.Get("errorOutput").IsUndefined() {
		bindings := make(map[string]value.Value, len(r.Bindings))
		maps.Copy(bindings, r.Bindings)
		bindings[bindStates] = states.With("errorOutput", errorOutput(states.Get("errorOutput")))
		r.Bindings = bindings
	}
	said := fmt.Sprintf("The JSONata expression '%s' specified for the field '%s' ", o.JSONata, o.Field)
	v, err := o.inner.Eval(r)
	if err != nil {
		if failed, ok := err.(*expr.Error); ok && !expr.IsCostExceeded(err) { //nolint:errorlint // evaluations return it as it is
			err = fail(errQuery, "%sthrew an error during evaluation. %s: %s", said, failed.Code, failed.Message)
		}
		return value.Undefined, err
	}
	if v.IsUndefined() {
		return v, fail(errQuery, "%sreturned nothing (undefined).", said)
	}
	if o.Want.kind() != "" && !o.Want.fits(v) {
		return value.Undefined, fail(errQuery, "%s", o.misfit(said, v))
	}
	return v, nil
}

// misfit says why the value of an expression is not what is wanted. Only what
// a Map goes over when it says nothing has no field.
func (o *operation) misfit(said string, v value.Value) string {
	got, want := v.Kind().String(), o.Want.kind()
	if got == "integer" {
		got = "number"
	}
	switch {
	case o.Field == "":
		return fmt.Sprintf("Map state input must be an array but was: %s", v)
	case got != want:
		return fmt.Sprintf("%sreturned an unexpected result type. Expected '%s', but was '%s' for value: %s", said, want, got, v)
	case o.Want == WantTimestamp:
		return fmt.Sprintf("The %s field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", o.Field, v.Text())
	case o.Want == WantPercent:
		return fmt.Sprintf("%s must be between 0 and 100.", o.Field)
	}
	return fmt.Sprintf("The %s field must be a whole number from 0 but was: %s", o.Field, v)
}

func fail(code, format string, args ...any) *expr.Error {
	return &expr.Error{Code: code, Message: fmt.Sprintf(format, args...), Offset: -1}
}

// kind is the want as messages name it.
func (w Want) kind() string {
	switch w {
	case WantArray, WantBoolean:
		return string(w)
	case WantText, WantTimestamp:
		return "string"
	case WantSeconds, WantCount, WantPercent:
		return "number"
	}
	return ""
}

// fits reports whether the value is what is wanted.
func (w Want) fits(v value.Value) bool {
	switch w {
	case WantArray:
		return v.Kind() == value.KindList
	case WantBoolean:
		return v.Kind() == value.KindBool
	case WantText:
		return v.Kind() == value.KindString
	case WantTimestamp:
		text, ok := v.Str()
		return ok && isTimestamp(text)
	case WantSeconds, WantCount:
		i, ok := v.Int()
		return ok && i >= 0
	case WantPercent:
		f, ok := v.Float()
		return ok && f >= 0 && f <= 100
	}
	return true
}

func (o *operation) evalPath(e *jsonpath.Evaluator) (value.Value, error) {
	ofTask := o.Want == WantSeconds && o.Field != "SecondsPath"
	if o.Want == WantTimestamp || o.Want == WantSeconds && !ofTask {
		return o.waitPath(e)
	}
	var v value.Value
	var err error
	if o.Plain || ofTask {
		v, err = e.Select(o.query)
	} else {
		v, err = e.Field(o.query, o.Field)
	}
	if err != nil {
		return value.Undefined, err
	}
	switch {
	case o.Want == WantCount || o.Want == WantPercent || ofTask:
		return o.numberPath(v)
	case o.Want.fits(v):
		return v, nil
	case o.Want == WantArray:
		return value.Undefined, fail(errRuntime, "Map state input must be an array but was: %s", v)
	}
	return value.Undefined, fail(errRuntime, "The %s field refers to value %s which is not a valid %s: %s", o.Field, v, o.Want.kind(), o.Path)
}

// waitPath evaluates the path of a Wait.
func (o *operation) waitPath(e *jsonpath.Evaluator) (value.Value, error) {
	v, found, err := e.Lookup(o.query)
	switch {
	case err != nil:
		return value.Undefined, err
	case !found:
		return value.Undefined, fail(errRuntime, "The %s parameter does not reference an input value: %s", o.Field, o.Path)
	case o.Want.fits(v):
		return v, nil
	case o.Want == WantTimestamp:
		return value.Undefined, fail(errRuntime,
			"The %s parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", o.Field, o.Path, v.Text())
	}
	if i, ok := v.Int(); ok && i < 0 {
		return value.Undefined, fail(errRuntime, "The %s parameter references a negative value: %s == %s", o.Field, o.Path, v)
	}
	return value.Undefined, fail(errRuntime, "The %s parameter cannot be parsed as a long value: %s == %s", o.Field, o.Path, v.Text())
}

// numberPath takes a number, or a text that is one.
func (o *operation) numberPath(v value.Value) (value.Value, error) {
	n := v
	if text, ok := v.Str(); ok {
		if parsed, err := value.Parse([]byte(strings.TrimSpace(text))); err == nil {
			n = parsed
		}
	}
	if o.Want.fits(n) {
		return n, nil
	}
	if i, ok := n.Int(); ok && i < 0 && o.Field == "MaxItemsPath" {
		return value.Undefined, fail(errReader, "field MaxItems must be positive")
	}
	what := "integer"
	if o.Want == WantPercent {
		what = "float"
		if _, ok := n.Float(); ok {
			return value.Undefined, fail(errRuntime, "%s must be between 0 and 100.", strings.TrimSuffix(o.Field, "Path"))
		}
	}
	shown := v.String()
	if v.Kind() != value.KindString {
		shown = value.String(shown).String()
	}
	return value.Undefined, fail(errRuntime, "The %s field refers to value %s which is not a valid %s: %s", o.Field, shown, what, o.Path)
}

// source is the operation as the source of an expression.
func (op Operation) source() string {
	var b strings.Builder
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)               // people read it
	if err := w.Encode(op); err != nil { // texts, booleans and values: that cannot be
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// compareNumbers is -1, 0 or 1; ok is false when one of the values is no
// number.
func compareNumbers(a, b value.Value) (order int, ok bool) {
	x, isInt := a.BigInt()
	y, isInt2 := b.BigInt()
	if isInt && isInt2 {
		return x.Cmp(y), true
	}
	f, isFloat := a.Float()
	g, isFloat2 := b.Float()
	if !isFloat || !isFloat2 {
		return 0, false
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetFloat64(g)), true
}

// instant is the timestamp in a value.
func instant(v value.Value) (time.Time, bool) {
	text, ok := v.Str()
	if !ok || !isTimestamp(text) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t, err == nil
}

// matchText reports whether the text matches the pattern of StringMatches: *
// stands for any text, \* for itself.
func matchText(pattern, text string) bool {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			part.WriteByte(pattern[i])
		case pattern[i] == '*':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(pattern[i])
		}
	}
	parts = append(parts, part.String())
	if len(parts) == 1 {
		return parts[0] == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
