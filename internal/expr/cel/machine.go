package cel

import (
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Costs, in units of the budget. A unit stands for some 20 ns on a common
// machine, so that the largest budget is spent in about a tenth of a second.
const (
	costStep     = 1  // an operator, a member, an item
	costItem     = 3  // a turn of a macro
	costCall     = 3  // a function call, beside what it does
	costObject   = 6  // comparing two objects, and each of their members
	costExact    = 4  // an operation on decimals or big integers, see words
	costFormat   = 8  // a value within format()
	costPattern  = 16 // matching, beside the units for text and pattern
	bytesPerUnit = 16 // bytes that an operation reads for one unit
	newPerUnit   = 64 // bytes of memory that are had for one unit
	patternBytes = 32 // of a pattern, which cost a unit for each byte of the text
)

// Memory, in bytes.
const (
	maxMemory   = 64 << 20 // that one evaluation may use for what it makes
	itemBytes   = 64       // an item of a list, with what wraps its value
	memberBytes = 192      // a member of an object, with its place in the index
	scalarBytes = 24       // a number or boolean within a formatted text
)

// Budget of calls on literals that are computed when compiling.
const (
	foldCost   = 1_000
	foldMemory = 64 << 10
)

// slotsOnMachine are the local variables that need no memory of their own.
const slotsOnMachine = 4

// machine is one evaluation.
type machine struct {
	bindings map[string]value.Value
	slots    []ref.Val // local variables, by depth
	few      [slotsOnMachine]ref.Val
	zone     *time.Location
	left     uint64 // of the budget
	memory   int    // bytes left that results may take
}

// spend takes units from the budget.
func (m *machine) spend(units uint64, at int) *expr.Error {
	if units > m.left {
		m.left = 0
		return &expr.Error{Code: expr.CostExceeded, Message: "the expression costs more than its budget; work on less data, or in a step of its own", Offset: at}
	}
	m.left -= units
	return nil
}

// scan takes the units for reading so many bytes or items.
func (m *machine) scan(size int, at int) *expr.Error {
	return m.spend(uint64(size)/bytesPerUnit, at)
}

// allocate takes bytes from the memory that an evaluation may use. Call it
// before the memory is used.
func (m *machine) allocate(bytes int, at int) *expr.Error {
	if bytes > m.memory {
		m.memory = 0
		return &expr.Error{Code: expr.CostExceeded, Message: "the expression builds more than 64 MiB; work on less data, or in a step of its own", Offset: at}
	}
	m.memory -= bytes
	return m.spend(uint64(bytes)/newPerUnit, at)
}

// allocateItems is allocate for a list of n items.
func (m *machine) allocateItems(n int, at int) *expr.Error {
	return m.allocate(min(n, maxMemory)*itemBytes, at)
}

// exact pays for an operation on decimals or big integers, whose time grows
// with the product of their lengths.
func (m *machine) exact(a, b ref.Val, at int) *expr.Error {
	return m.spend(uint64(costExact+words(a)*words(b)/8), at)
}

// words is the length of a number in machine words.
func words(v ref.Val) int {
	switch v := v.(type) {
	case *decimal:
		return 1 + v.Coeff.BitLen()/64 - int(v.Exponent)/20
	case *bigInt:
		return 1 + v.BitLen()/64
	}
	return 1
}

// fail is an error at a place of the source.
func fail(at int, code, message string) *expr.Error {
	return &expr.Error{Code: code, Message: message, Offset: at}
}

// at sets the place of an error that does not have one.
func at(fault *expr.Error, offset int) *expr.Error {
	fault.Offset = offset
	return fault
}

// unwrapErr turns an error among CEL's values into ours.
func unwrapErr(v ref.Val) (ref.Val, *expr.Error) {
	err, ok := v.(*types.Err)
	if !ok {
		return v, nil
	}
	message := err.String()
	return nil, &expr.Error{Code: codeOf(message), Message: message, Offset: -1}
}

// codeOf classifies the errors of CEL's functions, which have no codes.
func codeOf(message string) string {
	for _, c := range []struct{ part, code string }{
		{"no such overload", expr.TypeMismatch}, {"no conversion", expr.TypeMismatch},
		{"type conversion error from", expr.TypeMismatch}, {"no such key", expr.NoSuchKey},
		{"out of bounds", expr.NoSuchIndex}, {"out of range", expr.NoSuchIndex},
		{"by zero", expr.DivideByZero}, {"overflow", expr.Overflow}, {"range error", expr.Overflow},
	} {
		if strings.Contains(message, c.part) {
			return c.code
		}
	}
	return expr.InvalidValue
}
