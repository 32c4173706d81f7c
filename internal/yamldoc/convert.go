package yamldoc

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/regie-dev/regie/internal/diag"
)

// convert turns a node of the library into ours. It returns nil when the node
// cannot be used; the problem is then reported.
func (p *parser) convert(n *yaml.Node, depth int) *Node {
	if p.stopped {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return p.alias(n, depth)
	}
	out := p.node(p.skipProperties(p.src.locate(n.Line, n.Column), n), depth)
	if out == nil {
		return nil
	}
	if n.Anchor != "" {
		p.shared[n] = nil
	}
	ok := false
	switch n.Kind {
	case yaml.ScalarNode:
		ok = p.scalar(n, out)
	case yaml.SequenceNode:
		ok = p.list(n, out, depth)
	case yaml.MappingNode:
		ok = p.mapping(n, out, depth)
	}
	if !ok {
		delete(p.shared, n)
		return nil
	}
	if n.Anchor != "" {
		p.shared[n] = out
	}
	return out
}

// node makes the node at the offset, or nil when a limit is passed.
func (p *parser) node(offset, depth int) *Node {
	out := &Node{Pos: p.src.next(offset), src: p.src, offset: offset, size: 1}
	if p.nodes++; p.nodes > MaxNodes {
		p.limit(out.Pos, "the file has more than %d values", MaxNodes)
		return nil
	}
	if depth > MaxDepth {
		p.limit(out.Pos, "nested deeper than %d levels", MaxDepth)
		return nil
	}
	return out
}

// skipProperties moves from an anchor or tag to the value itself.
func (p *parser) skipProperties(offset int, n *yaml.Node) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 && n.Tag != "!" {
		return offset
	}
	s, at := p.src.text, offset
	for at < len(s) && (s[at] == '&' || s[at] == '!') {
		for at < len(s) && !isSpace(s[at]) && !strings.ContainsRune(",]}", rune(s[at])) {
			at++
		}
		at = skipSpace(s, at, len(s))
	}
	if at >= len(s) {
		return offset
	}
	return at
}

func (p *parser) alias(n *yaml.Node, depth int) *Node {
	at := p.src.pos(p.src.locate(n.Line, n.Column))
	target, known := p.shared[n.Alias]
	switch {
	case !known:
		return nil // its problem is reported where it stands
	case target == nil:
		p.errorf(at, CodeCycle, "the alias *%s stands inside of the value it refers to", n.Value)
		return nil
	}
	if p.nodes += target.size; p.nodes > MaxNodes {
		p.limit(at, "with its aliases expanded the file has more than %d values", MaxNodes)
		return nil
	}
	if depth+target.height > MaxDepth {
		p.limit(at, "with its aliases expanded the file is nested deeper than %d levels", MaxDepth)
		return nil
	}
	return target
}

func (n *Node) grow(child *Node) {
	n.size += child.size
	n.height = max(n.height, child.height+1)
}

func (p *parser) list(n *yaml.Node, out *Node, depth int) bool {
	out.Kind, out.Style = List, Block
	if n.Style&yaml.FlowStyle != 0 {
		out.Style = Flow
	}
	if !p.collectionTag(n, out, "!!seq") {
		return false
	}
	out.Items = make([]*Node, 0, len(n.Content))
	for _, c := range n.Content {
		if child := p.convert(c, depth+1); child != nil {
			out.Items = append(out.Items, child)
			out.grow(child)
		}
	}
	return true
}

func (p *parser) mapping(n *yaml.Node, out *Node, depth int) bool {
	out.Kind, out.Style = Map, Block
	if n.Style&yaml.FlowStyle != 0 {
		out.Style = Flow
	}
	if !p.collectionTag(n, out, "!!map") {
		return false
	}
	out.Entries = make([]Entry, 0, len(n.Content)/2)
	seen := make(keys, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := p.key(n.Content[i], depth, seen)
		val := p.convert(n.Content[i+1], depth+1)
		if key == nil || val == nil {
			continue
		}
		out.add(key, val)
	}
	return true
}

func (n *Node) add(key, val *Node) {
	n.Entries = append(n.Entries, Entry{key, val})
	n.grow(val)
	n.size++
}

// keys are the keys of a mapping that were read, with their places.
type keys map[string]diag.Pos

// key reads a key and checks that it is a text that is not there yet.
func (p *parser) key(n *yaml.Node, depth int, seen keys) *Node {
	if n.Kind == yaml.ScalarNode && n.Value == "<<" && n.Style == 0 {
		p.errorf(p.src.pos(p.src.locate(n.Line, n.Column)), CodeMergeKey, "merge keys (<<) are not supported").
			WithHint("repeat the fields, or put what is shared under `defaults`")
		return nil
	}
	key := p.convert(n, depth+1)
	if key == nil {
		return nil
	}
	at := key.Pos
	if n.Kind == yaml.AliasNode {
		at = p.src.pos(p.src.locate(n.Line, n.Column))
	}
	if key.Kind != String {
		d := p.errorf(at, CodeKey, "a key must be a text, this is %s", key.Kind).WithLength(key.Length())
		if key.IsScalar() {
			d.WithHint("write it in quotes: %q", key.Text)
		}
		return nil
	}
	if !p.unique(key, at, seen) {
		return nil
	}
	return key
}

// unique reports a key that is already there.
func (p *parser) unique(key *Node, at diag.Pos, seen keys) bool {
	if first, dup := seen[key.Text]; dup {
		p.errorf(at, CodeDuplicateKey, "the key %q is already there, in line %d, column %d", shorten(key.Text), first.Line, first.Column).
			WithLength(key.Length()).WithHint("remove one of the two")
		return false
	}
	seen[key.Text] = at
	return true
}

func (p *parser) collectionTag(n *yaml.Node, out *Node, want string) bool {
	if n.Style&yaml.TaggedStyle == 0 || n.Tag == want {
		return true
	}
	p.unknownTag(n, out)
	return false
}

func (p *parser) unknownTag(n *yaml.Node, out *Node) {
	at := p.src.pos(p.src.locate(n.Line, n.Column))
	if n.Tag == "!!binary" {
		p.errorf(at, CodeTag, "binary values (!!binary) are not supported").WithHint("put the content into a file")
		return
	}
	p.errorf(at, CodeTag, "the tag %s does not fit here; %s stands here", n.Tag, out.Kind).WithHint("remove the tag")
}
