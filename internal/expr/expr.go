package expr

import (
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// Bounds of every language.
const (
	MaxLength  = 8 << 10   // bytes of one expression, refused before parsing
	MaxDepth   = 64        // nesting of one expression
	InlineCost = 20_000    // cost units that the engine spends in its own loop
	PoolCost   = 5_000_000 // cost units that the evaluation pool spends
)

// A Language compiles expressions. Implementations are safe for concurrent
// use and deterministic: equal inputs give equal results and equal problems.
type Language interface {
	// Name is the name by which files and --language call it, such as "cel".
	Name() string
	// Compile parses and type-checks src against the names in env. It returns
	// either a Compiled or at least one Problem; never panics, whatever src is.
	Compile(src string, env *Env) (Compiled, []Problem)
}

// A Compiled expression can be evaluated any number of times, concurrently.
type Compiled interface {
	// Eval computes the expression. A result of undefined means that the
	// language has such a thing and this is it. Errors are *[Error].
	Eval(Request) (value.Value, error)
	// Type is the static type of the result, Any where unknown.
	Type() Type
	// Reads lists the references into the environment that the expression
	// contains, each as root and then member names as far as they are
	// constant: steps.fetch.output.total is {"steps","fetch","output","total"}.
	// In the order in which they stand, without repetitions.
	Reads() [][]string
}

// Request is one evaluation.
type Request struct {
	// Bindings are the values of the roots. A root that is declared in the
	// environment but not bound here evaluates to an error when it is read.
	Bindings map[string]value.Value
	// Cost is the budget in cost units; 0 means [InlineCost].
	Cost uint64
	// Now is the instant that the language's own clock functions show, if it
	// has any; Seed feeds its random functions. Both come from the recorded
	// input, so evaluating again gives the same.
	Now  time.Time
	Seed uint64
}

// Env declares the names that an expression may use.
type Env struct {
	// Roots are the variables at the top. Order does not matter.
	Roots []Root
	// Zone is the IANA name of the time zone in which dates are computed;
	// empty means UTC.
	Zone string
}

// Root is one variable of an environment.
type Root struct {
	Name string
	Type Type
	// Why, if not empty, makes the root forbidden here: using it is a problem
	// whose message says Why (such as "secrets can be used only in env").
	Why string
}

// TypeKind is the kind of a static type.
type TypeKind uint8

// Kinds of types. Decimal, Date, DateTime and Duration are strings in JSON
// that the language converts when it reads them and writes back as strings.
const (
	Any TypeKind = iota
	Bool
	Int
	Number
	Decimal
	String
	Date
	DateTime
	Duration
	ListOf
	ObjectOf
	NullType
)

// String is the name of the kind, as definitions write it.
func (k TypeKind) String() string {
	names := [...]string{
		Any: "any", Bool: "boolean", Int: "integer", Number: "number", Decimal: "decimal", String: "string", Date: "date",
		DateTime: "datetime", Duration: "duration", ListOf: "list", ObjectOf: "object", NullType: "null",
	}
	if int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Type is a static type. The zero Type is Any.
type Type struct {
	Kind TypeKind `json:"kind,omitempty"`
	// Elem is the type of list items, or of the members that an open object
	// does not declare (nil: Any).
	Elem *Type `json:"elem,omitempty"`
	// Fields are the known members of an object, in order. A closed object
	// has no others: reading one is a problem with "did you mean".
	Fields []Field `json:"fields,omitempty"`
	Closed bool    `json:"closed,omitempty"`
	// Nullable marks a value that may be null where the expression has not
	// guarded against it; reading a member of it without a guard
	// (x != null, has(x.y), x.?y) is a problem.
	Nullable bool `json:"nullable,omitempty"`
}

// Field is a member of an object type.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Codes of problems, the same in every language, except that a language whose
// own definition has codes gives those instead: JSONata has S0201, T2001 and so
// on, both here and in [Error].
const (
	CodeSyntax      = "expr_syntax"       // it cannot be parsed
	CodeLimit       = "expr_limit"        // it is too long or nested too deep
	CodeUnknownName = "expr_unknown_name" // a root, member or function does not exist
	CodeForbidden   = "expr_forbidden"    // a root that must not be used here, see [Root].Why
	CodeType        = "expr_type"         // an operation that cannot work on these types
	CodeNullable    = "expr_nullable"     // a value that may be null is used without a guard
	CodeValue       = "expr_value"        // a literal that its function cannot read
)

// Problem is a fault found while compiling.
type Problem struct {
	Code    string // one of the codes above, or the language's own
	Message string
	Hint    string
	Offset  int // bytes into the source
	Length  int // bytes, at least 1
}

func (p Problem) String() string { return fmt.Sprintf("at %d: %s", p.Offset, p.Message) }

// Error is a failed evaluation.
type Error struct {
	Code    string // one of the codes below, or the language's own
	Message string
	Offset  int // bytes into the source, -1 when unknown
}

func (e *Error) Error() string { return e.Message }

// Codes of failed evaluations, the same in every language.
const (
	CostExceeded = "cost_exceeded"  // the budget of time or memory is spent
	NoSuchKey    = "no_such_key"    // a member that the object does not have
	NoSuchIndex  = "no_such_index"  // an item that the list does not have
	NotBound     = "not_bound"      // a root that has no value in this evaluation
	TypeMismatch = "type_mismatch"  // an operation that these values do not have
	DivideByZero = "divide_by_zero" // an integer or decimal divided by zero
	Overflow     = "overflow"       // a number or date beyond its range
	InvalidValue = "invalid_value"  // a text that cannot be read as what it should be
	NoJSONForm   = "no_json_form"   // a result that JSON cannot express, such as infinity
	Internal     = "internal"       // a fault of Regie
)

// IsCostExceeded reports whether err says that the budget was too small.
func IsCostExceeded(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == CostExceeded
}

// Path is what a [Compiled] has besides that knows whether it is no more than a
// path: a name and members of it, so that its value is what is there, unchanged.
type Path interface {
	// Path is the path, nil if it is more than that.
	Path() []string
}
