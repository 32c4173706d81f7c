package eval

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// DefaultLanguage is the language of requests that name none.
const DefaultLanguage = "cel"

// InputRoot is the name under which expressions find the input.
const InputRoot = "input"

// Codes of errors that are not the expression's: what is wrong with a request.
const (
	InvalidRequest  = "invalid_request"
	UnknownLanguage = "unknown_language"
)

// Config says what an [Evaluator] has.
type Config struct {
	// Languages that can be asked for, by their names.
	Languages []expr.Language
	// Zone is the IANA name of the zone of dates; empty is UTC.
	Zone string
	// Now and Seed are what clocks and random functions of languages that have
	// them show.
	Now  time.Time
	Seed uint64
	// Cost is the budget of one evaluation; 0 means [expr.PoolCost].
	Cost uint64
}

// Evaluator answers requests. It is immutable and safe for concurrent use.
type Evaluator struct {
	config    Config
	languages map[string]expr.Language
	names     []string
}

// New returns an evaluator.
func New(config Config) *Evaluator {
	if config.Cost == 0 {
		config.Cost = expr.PoolCost
	}
	e := &Evaluator{config: config, languages: make(map[string]expr.Language, len(config.Languages))}
	for _, l := range config.Languages {
		e.languages[l.Name()] = l
		e.names = append(e.names, l.Name())
	}
	sort.Strings(e.names)
	return e
}

// Request is one expression with its data.
type Request struct {
	ID         value.Value // handed back; undefined for none
	Language   string      // empty for [DefaultLanguage]
	Expression string
	Input      value.Value // undefined for none, which differs from null
	Bindings   value.Value // an object whose members are further names, or undefined
}

// Answer is a result, undefined, or an error.
type Answer struct {
	ID     value.Value
	Result value.Value // may be undefined
	Error  *Error
}

// Error says why there is no result.
type Error struct {
	Code     string // of a request, a problem or a failed evaluation, see expr
	Message  string
	Position int  // bytes into the expression, -1 when unknown
	Static   bool // found before anything was evaluated
}

func (e *Error) Error() string { return e.Message }

// Evaluate compiles and evaluates the expression of a request. The input is
// the root named input, and the members of the bindings are roots beside it;
// a root that is not given is not declared, so using it is an error.
func (e *Evaluator) Evaluate(r Request) Answer {
	result, err := e.evaluate(r)
	return Answer{ID: r.ID, Result: result, Error: err}
}

func (e *Evaluator) evaluate(r Request) (value.Value, *Error) {
	name := r.Language
	if name == "" {
		name = DefaultLanguage
	}
	language, ok := e.languages[name]
	if !ok {
		return value.Undefined, e.unknownLanguage(name)
	}
	bindings, fault := roots(r)
	if fault != nil {
		return value.Undefined, fault
	}
	compiled, problems := language.Compile(r.Expression, declare(bindings, e.config.Zone))
	if len(problems) > 0 {
		return value.Undefined, problemError(problems)
	}
	result, err := compiled.Eval(expr.Request{Bindings: bindings, Cost: e.config.Cost, Now: e.config.Now, Seed: e.config.Seed})
	if err != nil {
		return value.Undefined, evalError(err)
	}
	return result, nil
}

func (e *Evaluator) unknownLanguage(name string) *Error {
	hint := diag.DidYouMean(name, e.names)
	if hint == "" {
		hint = "there is " + strings.Join(e.names, ", ")
	}
	return &Error{Code: UnknownLanguage, Message: fmt.Sprintf("there is no language %q; %s", name, hint), Position: -1}
}

// roots are the values of the names that a request gives.
func roots(r Request) (map[string]value.Value, *Error) {
	bindings := make(map[string]value.Value, 1+r.Bindings.Len())
	switch r.Bindings.Kind() {
	case value.KindUndefined:
	case value.KindObject:
		for _, m := range r.Bindings.Members() {
			bindings[m.Key] = m.Value
		}
	default:
		return nil, invalid("bindings must be an object, and this is %s", r.Bindings.Kind())
	}
	if r.Input.IsUndefined() {
		return bindings, nil
	}
	if _, twice := bindings[InputRoot]; twice {
		return nil, invalid("the name input is given twice: as input and among the bindings")
	}
	bindings[InputRoot] = r.Input
	return bindings, nil
}

func declare(bindings map[string]value.Value, zone string) *expr.Env {
	env := &expr.Env{Zone: zone}
	for name := range bindings {
		env.Roots = append(env.Roots, expr.Root{Name: name})
	}
	sort.Slice(env.Roots, func(i, j int) bool { return env.Roots[i].Name < env.Roots[j].Name })
	return env
}

func invalid(format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Message: fmt.Sprintf(format, args...), Position: -1}
}

// problemError is the first problem with its hint, and how many there are.
func problemError(problems []expr.Problem) *Error {
	first := problems[0]
	message := first.Message
	if first.Hint != "" {
		message += " (" + first.Hint + ")"
	}
	if more := len(problems) - 1; more > 0 {
		message += fmt.Sprintf(", and %d more", more)
	}
	return &Error{Code: first.Code, Message: message, Position: first.Offset, Static: true}
}

func evalError(err error) *Error {
	var fault *expr.Error
	if !errors.As(err, &fault) {
		return &Error{Code: expr.Internal, Message: err.Error(), Position: -1}
	}
	return &Error{Code: fault.Code, Message: fault.Message, Position: fault.Offset}
}
