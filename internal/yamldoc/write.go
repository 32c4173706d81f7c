package yamldoc

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Draft is a value that is to be written as YAML.
type Draft struct {
	// Kind is String, List or Map; a scalar of another kind is written as its
	// text stands.
	Kind Kind
	// Style Flow writes a list or mapping on one line.
	Style Style
	Text  string
	// Comment stands above, one line for each of its own.
	Comment string
	Items   []*Draft
	Entries []DraftEntry
}

// DraftEntry is one key of a mapping with its value.
type DraftEntry struct {
	Key   string
	Value *Draft
}

// Put adds a key to a mapping.
func (d *Draft) Put(key string, v *Draft) {
	d.Entries = append(d.Entries, DraftEntry{key, v})
}

// Write writes a document: indented by two spaces, texts in quotes only where
// they need them, texts of several lines as they are. [Parse] reads the same
// values from it.
func Write(d *Draft) ([]byte, error) {
	out, err := yaml.Dump(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{d.node()}},
		yaml.WithIndent(2), yaml.WithCompactSeqIndent(true), yaml.WithLineWidth(-1), yaml.WithUnicode(true))
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out, nil
}

func (d *Draft) node() *yaml.Node {
	out := &yaml.Node{HeadComment: commentLines(d.Comment)}
	switch d.Kind {
	case List:
		out.Kind = yaml.SequenceNode
		for _, item := range d.Items {
			out.Content = append(out.Content, item.node())
		}
	case Map:
		out.Kind = yaml.MappingNode
		for _, e := range d.Entries {
			out.Content = append(out.Content, scalar(e.Key), e.Value.node())
		}
	case String:
		text := scalar(d.Text)
		text.HeadComment = out.HeadComment
		return text
	default:
		out.Kind, out.Value = yaml.ScalarNode, d.Text
	}
	if d.Style == Flow && d.Kind >= List {
		out.Style = yaml.FlowStyle
	}
	return out
}

// scalar is a text, which nothing takes for anything else.
func scalar(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.Contains(text, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// commentLines is a comment without characters that end a line in another way.
func commentLines(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			return ' '
		}
		return r
	}, text)
}
