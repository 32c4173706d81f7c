package expr

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

const (
	// MaxProgram bounds the instructions of a regular expression.
	MaxProgram = 10_000
	// stepProduct is how many instructions times bytes of text cost one unit.
	stepProduct = 256
)

// Regexp is a regular expression that knows what matching costs.
type Regexp struct {
	*regexp.Regexp

	Size int // instructions, about one for each character
}

// CompileRegexp compiles an RE2 expression of at most [MaxProgram]
// instructions.
func CompileRegexp(source string) (*Regexp, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if n := len(program.Inst); n > MaxProgram {
		return nil, fmt.Errorf("it has %d instructions; at most %d are allowed", n, MaxProgram)
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Regexp{Regexp: re, Size: len(program.Inst)}, nil
}

// Cost is what looking for matches in a text of so many bytes costs, in cost
// units: an instruction may be tried at each byte.
func (r *Regexp) Cost(text int) int { return r.Size * text / stepProduct }
