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
	maxProblems = 100 // diagnostics of one text
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
	docs := p.documents(text)
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
		p.problems.Errorf(diag.Pos{File: p.file, Line: 1, Column: 1}, CodeLimit, "the file has %d bytes, more than %d", len(text), MaxBytes).
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

func (p *parser) documents(text []byte) []*Node {
	var docs []*Node
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithPlugin(&guard{}))
	if err != nil {
		p.syntax(err)
		return nil
	}
	for !p.stopped {
		var root yaml.Node
		err := load(loader, &root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.syntax(err)
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
	if p.count >= maxProblems {
		p.stopped = true
	}
	return p.problems.Errorf(at, code, format, args...)
}

// limit reports that a limit was passed, and ends the reading.
func (p *parser) limit(at diag.Pos, format string, args ...any) *diag.Diagnostic {
	p.stopped = true
	return p.problems.Errorf(at, CodeLimit, format, args...)
}

// syntax turns an error of the library into a diagnostic.
func (p *parser) syntax(err error) {
	p.stopped = true
	message, code := strings.TrimPrefix(err.Error(), "yaml: "), CodeSyntax
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
	var limit limitError
	if errors.As(err, &limit) || strings.Contains(message, limitPrefix) {
		code = CodeLimit
	}
	d := p.problems.Errorf(at, code, "%s", message)
	start, end, ok := p.src.lineAfter(p.src.lines[at.Line-1], 0)
	if ok && code == CodeSyntax {
		line := p.src.text[start:end]
		if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
			d.WithHint("indent with spaces, not tabs")
		}
	}
}
