package yamldoc

import (
	"bytes"
	"encoding/json"
	"strings"
)

// isJSON reports whether the text is one JSON list or object. Such a text is
// read by JSON's own rules: YAML's scanner refuses surrogate pairs, long keys
// and some characters that JSON allows.
func isJSON(text []byte) bool {
	start := bytes.TrimLeft(text, " \t\r\n")
	return len(start) > 0 && (start[0] == '{' || start[0] == '[') && json.Valid(text)
}

// jsonReader builds nodes from the tokens of valid JSON.
type jsonReader struct {
	*parser
	dec *json.Decoder
}

func (p *parser) json(text []byte) *Node {
	r := &jsonReader{p, json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	return r.value(1)
}

// start returns the offset of the next token.
func (r *jsonReader) start() int {
	at := int(r.dec.InputOffset())
	for at < len(r.src.text) && (isSpace(r.src.text[at]) || r.src.text[at] == ',' || r.src.text[at] == ':') {
		at++
	}
	return at
}

// value reads one value; nil when it cannot be used, its problem is then
// reported and it is skipped.
func (r *jsonReader) value(depth int) *Node {
	at := r.start()
	token, err := r.dec.Token()
	if err != nil || r.stopped {
		r.stopped = true
		return nil
	}
	out := r.node(at, depth)
	if out == nil {
		return nil
	}
	switch token := token.(type) {
	case json.Delim:
		out.Style = Flow
		if token == '[' {
			out.Kind = List
			for !r.stopped && r.dec.More() {
				if item := r.value(depth + 1); item != nil {
					out.Items = append(out.Items, item)
					out.grow(item)
				}
			}
		} else {
			out.Kind = Map
			r.members(out, depth)
		}
		if !r.stopped {
			_, err := r.dec.Token()
			r.stopped = err != nil
		}
		return out
	case string:
		out.Text, out.Style = token, DoubleQuoted
		if !r.text(out, r.src.text[at:r.dec.InputOffset()]) {
			return nil
		}
		return out
	}
	out.Text = r.src.text[at:r.dec.InputOffset()]
	if !r.resolve(out) {
		return nil
	}
	return out
}

func (r *jsonReader) members(out *Node, depth int) {
	seen := keys{}
	for !r.stopped && r.dec.More() {
		key := r.value(depth + 1)
		if key != nil && !r.unique(key, key.Pos, seen) {
			key = nil
		}
		if val := r.value(depth + 1); key != nil && val != nil {
			out.add(key, val)
		}
	}
}

// text checks what JSON's grammar lets through but no text may contain.
func (r *jsonReader) text(out *Node, written string) bool {
	if strings.Contains(out.Text, "\ufffd") && !strings.Contains(written, "\ufffd") && !strings.Contains(strings.ToLower(written), `\ufffd`) {
		r.errorf(out.Pos, CodeEncoding, "the text contains half of a surrogate pair")
		return false
	}
	return r.str(out)
}
