package sql

import (
	"strings"
	"unicode"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// statement is one statement with the values of its parameters.
type statement struct {
	text string
	args []value.Value
	word string // its first word, in small letters
}

// limits bound what a statement returns.
type limits struct {
	rows     int
	bytes    int64
	truncate bool
}

// plan is what a call asks for.
type plan struct {
	statements []statement
	several    bool // given as a list
	limits     limits
}

func newPlan(in connector.Input) (plan, error) {
	p := plan{limits: limits{rows: int(in.Int("max_rows")), bytes: in.Int("max_bytes"), truncate: in.Bool("truncate")}}
	inputs := []value.Value{in.Value}
	if list := in.Get("statements"); list.Kind() == value.KindList {
		inputs, p.several = list.Items(), true
	}
	for _, item := range inputs {
		one := connector.Input{Value: item}
		st := statement{text: one.Text("statement"), args: one.Get("args").Items()}
		if err := st.check(); err != nil {
			return plan{}, err
		}
		p.statements = append(p.statements, st)
	}
	return p, nil
}

// check refuses statements that would reach beyond the call.
func (s *statement) check() error {
	s.word = firstWord(s.text)
	switch s.word {
	case "":
		return connector.Errorf(connector.InvalidInput, "the statement is empty, or begins with a comment within a comment")
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare":
		return connector.Errorf(connector.InvalidInput,
			"%s cannot be used: Regie begins and ends transactions; list the statements under `statements` to execute them in one", s.word)
	case "copy":
		return connector.Errorf(connector.InvalidInput, "copy cannot be used: it needs a stream of data; use insert")
	case "attach", "detach":
		return connector.Errorf(connector.InvalidInput, "%s cannot be used: a connection reaches its own file only", s.word)
	case "listen", "unlisten":
		return connector.Errorf(connector.InvalidInput, "%s cannot be used: its effect ends with the call", s.word)
	}
	if strings.IndexByte(s.text, 0) >= 0 {
		return connector.Errorf(connector.InvalidInput, "the statement contains a NUL character")
	}
	for i, arg := range s.args {
		if text, ok := arg.Str(); ok && strings.IndexByte(text, 0) >= 0 {
			return connector.Errorf(connector.InvalidInput, "args[%d] contains a NUL character", i)
		}
	}
	return nil
}

// firstWord returns the first word of a statement in small letters, after
// comments and brackets.
func firstWord(text string) string {
	text = skipSpace(text)
	end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '_' })
	if end < 0 {
		end = len(text)
	}
	if end == 0 && text != "" {
		return text[:1]
	}
	return strings.ToLower(text[:end])
}

// skipSpace drops space, comments, semicolons and opening brackets.
func skipSpace(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f\v;(\ufeff")
		switch {
		case strings.HasPrefix(text, "--"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			text = skipComment(text)
		default:
			return text
		}
	}
}

// skipComment drops a comment at the beginning of text. PostgreSQL nests them,
// SQLite does not: taking the shorter end could hide a word from one of them,
// so a nested comment counts as the end of what is understood.
func skipComment(text string) string {
	end := strings.Index(text, "*/")
	if end < 0 {
		return ""
	}
	if strings.Contains(text[2:end], "/*") {
		return ""
	}
	return text[end+2:]
}
