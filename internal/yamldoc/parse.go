package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/regie-dev/regie/internal/diag"
)

// Limits of [Parse]; a text beyond one of them is refused.
const (
	MaxBytes    = 1 << 20 // of one text
	MaxDepth    = 64      // levels of lists and mappings, aliases expanded
	MaxNodes    = 100_000 // of all documents of the text, aliases expanded
	MaxAliases  = 100
	MaxAnchors  = 1000
	MaxProblems = 100 // errors found after which the reading ends

	// MaxDensity bounds lines and punctuation (commas, brackets, anchors,
	// tags, aliases, colons and dashes) of a text that is not JSON, and MaxLineDensity
	// those of one line. They keep memory small: the library builds the whole
	// tree, and queues a flow collection that stands in one line, before
	// values can be counted.
	MaxDensity     = 2 * MaxNodes
	MaxLineDensity = 10_000
)

// The codes of diagnostics.
const (
	CodeSyntax       = "yaml_syntax"
	CodeEncoding     = "yaml_encoding" // byte order mark, invalid UTF-8, NUL
	CodeLimit        = "yaml_limit"
	CodeDuplicateKey = "duplicate_key"
	CodeKey          = "yaml_key" // a key that is not a text
	CodeTag          = "yaml_tag"
	CodeMergeKey     = "yaml_merge_key"
	CodeCycle        = "yaml_cycle"
	CodeNumber       = "yaml_number" // no JSON form, ambiguous or too large
)

// Parse reads every document of the text, in order; documents without any
// content are left out. Problems carry the position; when one of them is an
// error, the documents are incomplete and only good for finding more problems.
// JSON is read by the same rules.
func Parse(file string, text []byte) ([]*Node, []diag.Diagnostic) {
	p := &parser{file: file}
	if !p.encoding(text) {
		return nil, p.problems.Sorted()
	}
	p.src = newSource(file, string(text))
	var docs []*Node
	switch {
	case isJSON(text):
		if doc := p.json(text); doc != nil {
			docs = append(docs, doc)
		}
	case p.density(text):
		docs = p.documents(text)
	}
	return docs, p.problems.Sorted()
}

type parser struct {
	file     string
	src      *source
	problems diag.List
	count    int // problems
	nodes    int
	shared   map[*yaml.Node]*Node // anchored nodes; nil while being read
	stopped  bool                 // a limit was passed
}

// encoding checks what must hold before the text is read as YAML at all.
func (p *parser) encoding(text []byte) bool {
	if len(text) > MaxBytes {
		p.problems.Errorf(diag.Pos{File: p.file, Line: 1, Column: 1}, CodeLimit, "the file is larger than %d bytes", MaxBytes).
			WithHint("move long texts to files of their own")
		return false
	}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		p.problems.Errorf(diag.Pos{File: p.file, Line: 1, Column: 1}, CodeEncoding, "the file starts with a byte order mark").
			WithHint("save it as UTF-8 without one")
		return false
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			at := newSource(p.file, string(text[:i])).pos(i)
			if r == 0 {
				p.problems.Errorf(at, CodeEncoding, "the file contains a NUL character")
			} else {
				p.problems.Errorf(at, CodeEncoding, "the file is not UTF-8: invalid byte 0x%02x", text[i]).WithHint("save it as UTF-8")
			}
			return false
		}
		i += n
	}
	return true
}

// density checks MaxDensity and MaxLineDensity.
func (p *parser) density(text []byte) bool {
	total, line := 0, 0
	for i, c := range text {
		switch c {
		case '\n':
			total, line = total+1, 0
		case ',', '[', '{':
			total, line = total+1, line+1
		case '&', '!', '*':
			if i > 0 && isSpace(text[i-1]) {
				total, line = total+1, line+1
			}
		case ':', '-', '?':
			if i+1 < len(text) && isSpace(text[i+1]) {
				total, line = total+1, line+1
			}
		}
		if line > MaxLineDensity {
			p.limit(p.src.pos(i), "the line has more than %d commas, brackets and the like", MaxLineDensity).WithHint("break it, or write the file as JSON")
			return false
		}
		if total > MaxDensity {
			p.limit(p.src.pos(i), "the file has more than %d lines, commas, brackets and the like", MaxDensity).WithHint("move long texts to files of their own")
			return false
		}
	}
	return true
}

func (p *parser) documents(text []byte) []*Node {
	var docs []*Node
	guard := &guard{}
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithPlugin(guard))
	if err != nil {
		p.syntax(err, nil)
		return nil
	}
	for !p.stopped {
		var root yaml.Node
		err := load(loader, &root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.syntax(err, guard.passed)
			break
		}
		if root.Kind != yaml.DocumentNode || len(root.Content) != 1 || isEmpty(root.Content[0]) {
			continue
		}
		p.shared = map[*yaml.Node]*Node{}
		if doc := p.convert(root.Content[0], 1); doc != nil {
			docs = append(docs, doc)
		}
	}
	return docs
}

// load reads one document. The library panics where it meets its own
// inconsistencies; a text that brings it there is refused like any other
// malformed text.
func load(loader *yaml.Loader, root *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the text cannot be read as YAML: %v", r)
		}
	}()
	return loader.Load(root)
}

func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == ""
}

// errorf adds an error, unless there are too many.
func (p *parser) errorf(at diag.Pos, code, format string, args ...any) *diag.Diagnostic {
	p.count++
	if p.count >= MaxProblems {
		p.stopped = true
	}
	return p.problems.Errorf(at, code, format, args...)
}

// limit reports that a limit was passed, and ends the reading.
func (p *parser) limit(at diag.Pos, format string, args ...any) *diag.Diagnostic {
	p.stopped = true
	return p.problems.Errorf(at, CodeLimit, format, args...)
}

// syntax turns an error of the library into a diagnostic; passed is the limit
// that caused it, if one did.
func (p *parser) syntax(err, passed error) {
	p.stopped = true
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	at := diag.Pos{File: p.file, Line: 1, Column: 1}
	var le *yaml.LoadError
	if errors.As(err, &le) {
		message = le.Message
		mark := le.Mark
		if mark.Line == 0 {
			mark = le.ContextMark
		}
		if mark.Line > 0 {
			at = p.src.pos(p.src.locate(mark.Line, mark.Column))
		}
		if le.ContextMsg != "" && le.ContextMark.Line > 0 {
			message = fmt.Sprintf("%s (%s that starts in line %d)", message, le.ContextMsg, p.src.pos(p.src.locate(le.ContextMark.Line, 1)).Line)
		}
	}
	if passed != nil {
		p.limit(at, "%s", passed)
		return
	}
	d := p.errorf(at, CodeSyntax, "%s", message)
	if start, end, ok := p.src.lineAfter(p.src.lines[at.Line-1], 0); ok {
		d.Hint = syntaxHint(p.src.text[start:end])
	}
}

// syntaxHint knows what is often wrong in a line that is not YAML.
func syntaxHint(line string) string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return "indent with spaces, not tabs"
	case strings.Contains(line, "${{"):
		return "put a text with ${{ }} in quotes"
	case strings.Count(line, ": ") > 1:
		return "put a text with a colon and a space in quotes"
	}
	return ""
}
