package cel

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"

	"github.com/regie-dev/regie/internal/expr"
)

// maxSyntaxErrors bounds how often the parser tries to go on after an error.
const maxSyntaxErrors = 10

// source is the text of an expression and where its parts stand.
type source struct {
	text  string
	info  *ast.SourceInfo
	runes []int // byte offset of each character; nil for ASCII
}

// newParser returns the parser of all expressions. It knows no macros: those
// are compiled, not expanded, which keeps their places and types.
func newParser() (*parser.Parser, error) {
	return parser.NewParser(
		parser.EnablePrattParser(true),
		parser.EnableOptionalSyntax(true),
		parser.EnableVariadicOperatorASTs(true),
		parser.MaxRecursionDepth(expr.MaxDepth),
		parser.ErrorRecoveryLimit(maxSyntaxErrors),
		parser.ErrorReportingLimit(maxSyntaxErrors),
		parser.ExpressionSizeCodePointLimit(expr.MaxLength),
	)
}

// parse reads an expression within the bounds.
func parse(p *parser.Parser, text string) (*source, ast.Expr, []expr.Problem) {
	src := &source{text: text}
	if len(text) > expr.MaxLength {
		return nil, nil, []expr.Problem{{
			Code: expr.CodeLimit, Message: "the expression is longer than 8 KiB",
			Hint: "compute it in a step of its own", Offset: 0, Length: len(text),
		}}
	}
	if !utf8.ValidString(text) {
		return nil, nil, []expr.Problem{{Code: expr.CodeSyntax, Message: "the expression is not UTF-8", Length: max(1, len(text))}}
	}
	src.indexRunes()
	textSource := common.NewTextSource(text)
	parsed, errs := p.Parse(textSource)
	if found := errs.GetErrors(); len(found) > 0 {
		return nil, nil, src.syntaxProblems(textSource, found)
	}
	src.info = parsed.SourceInfo()
	return src, parsed.Expr(), nil
}

func (s *source) indexRunes() {
	for i := range len(s.text) {
		if s.text[i] >= utf8.RuneSelf {
			s.runes = make([]int, 0, len(s.text)+1)
			for at := range s.text {
				s.runes = append(s.runes, at)
			}
			s.runes = append(s.runes, len(s.text))
			return
		}
	}
}

// offset turns a position in characters into one in bytes.
func (s *source) offset(characters int) int {
	switch {
	case characters < 0:
		return 0
	case s.runes == nil:
		return min(characters, len(s.text))
	}
	return s.runes[min(characters, len(s.runes)-1)]
}

// syntaxProblems are the errors of the parser as problems.
func (s *source) syntaxProblems(src common.Source, found []*common.Error) []expr.Problem {
	var problems []expr.Problem
	end := -1
	for _, e := range found {
		message := strings.TrimPrefix(e.Message, "Syntax error: ")
		p := expr.Problem{Code: expr.CodeSyntax, Message: message}
		if strings.Contains(message, "recursion limit exceeded") {
			p.Code, p.Message, p.Length = expr.CodeLimit, "the expression is nested deeper than 64 levels", max(1, len(s.text))
			p.Hint = "a chain of + counts too; use .join() or compute it in a step of its own"
			return []expr.Problem{p}
		}
		if at, ok := src.LocationOffset(e.Location); ok {
			p.Offset = s.offset(int(at))
		}
		p.Length = max(1, s.tokenLength(p.Offset))
		if p.Offset > end { // else it follows from the one before
			s.explain(&p)
			problems = append(problems, p)
		}
		end = p.Offset + p.Length
	}
	return problems
}

// explain makes the parser's words clearer and adds what was probably meant.
func (s *source) explain(p *expr.Problem) {
	rest := s.text[p.Offset:]
	word := rest[:min(p.Length, len(rest))]
	if strings.HasPrefix(p.Message, "unexpected token") && word != "" {
		p.Message = "unexpected " + strconv.Quote(word)
	}
	switch {
	case strings.TrimSpace(s.text) == "":
		p.Message = "the expression is empty"
	case strings.Contains(p.Message, "<EOF>"):
		p.Message = "the expression ends too early"
	case word == "and", word == "or", word == "not":
		p.Hint = map[string]string{"and": "and is written &&", "or": "or is written ||", "not": "not is written !"}[word]
	case word == "if":
		p.Hint = "write condition ? a : b"
	case word == "=":
		p.Hint = "equality is written =="
	case strings.HasPrefix(rest, "${{"), strings.HasPrefix(rest, "$"):
		p.Hint = "write the expression bare, without ${{ }}"
	}
}

// tokenLength is the length of the name, number or sign at the offset.
func (s *source) tokenLength(offset int) int {
	rest := s.text[offset:]
	if name := len(rest) - len(strings.TrimLeft(rest, nameBytes)); name > 0 {
		return name
	}
	_, size := utf8.DecodeRuneInString(rest)
	return size
}

const nameBytes = letters + "0123456789_"

// start is where the token of a node begins.
func (s *source) start(e ast.Expr) int { return s.startOf(e.ID()) }

func (s *source) startOf(id int64) int {
	r, ok := s.info.GetOffsetRange(id)
	if !ok {
		return 0
	}
	return s.offset(int(r.Start))
}

// span is the place of the token of a node.
func (s *source) span(e ast.Expr) (offset, length int) {
	r, ok := s.info.GetOffsetRange(e.ID())
	if !ok {
		return 0, max(1, len(s.text))
	}
	offset = s.offset(int(r.Start))
	return offset, max(1, s.offset(int(r.Stop))-offset)
}

// memberSpan is the place of the name behind the dot of a selection.
func (s *source) memberSpan(e ast.Expr, name string) (offset, length int) {
	dot := s.start(e)
	i := strings.Index(s.text[dot:], name)
	if i < 0 {
		return dot, 1
	}
	return dot + i, len(name)
}

// callSpan is the place of the name before the parenthesis of a call.
func (s *source) callSpan(e ast.Expr, name string) (offset, length int) {
	paren := s.start(e)
	i := strings.LastIndex(s.text[:paren], name)
	if i < 0 {
		return paren, 1
	}
	return i, len(name)
}

// firstByte is where the text of an expression begins, operands included.
func (s *source) firstByte(e ast.Expr) int {
	switch e.Kind() {
	case ast.SelectKind:
		return s.firstByte(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return s.firstByte(call.Target())
		}
		if i, length := s.callSpan(e, call.FunctionName()); length == len(call.FunctionName()) && s.text[s.start(e)] == '(' {
			return i
		}
		if len(call.Args()) > 0 {
			return min(s.start(e), s.firstByte(call.Args()[0]))
		}
	default:
	}
	return s.start(e)
}
