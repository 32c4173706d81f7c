package eval

import (
	"errors"
	"slices"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

var requestFields = []string{"id", "language", "expression", "input", "bindings"}

// Line answers one line of a batch: a request as a JSON object in, an answer
// as a JSON object out, both without line end. The answer to a line that is no
// request says so.
func (e *Evaluator) Line(line []byte) []byte {
	r, fault := ParseRequest(line)
	if fault != nil {
		return Answer{ID: r.ID, Error: fault}.Append(nil)
	}
	return e.Evaluate(r).Append(nil)
}

// ParseRequest reads a request from a JSON object. Beside an error, the
// request has the ID as far as it could be read.
func ParseRequest(line []byte) (Request, *Error) {
	v, err := value.Parse(line)
	if err != nil {
		var syntax *value.SyntaxError
		if errors.As(err, &syntax) {
			return Request{}, invalid("the line is not JSON: column %d: %s", syntax.Column, syntax.Msg)
		}
		return Request{}, invalid("the line is not JSON: %s", err)
	}
	if v.Kind() != value.KindObject {
		return Request{}, invalid("a request must be an object, and this is %s", v.Kind())
	}
	r := Request{ID: v.Get("id"), Input: v.Get("input"), Bindings: v.Get("bindings")}
	for _, m := range v.Members() {
		if !slices.Contains(requestFields, m.Key) {
			hint := diag.DidYouMean(m.Key, requestFields)
			return r, invalid("a request has no field %q%s", m.Key, prefixed(hint))
		}
	}
	var ok bool
	if r.Expression, ok = v.Get("expression").Str(); !ok {
		return r, invalid("the field expression must be a text")
	}
	if language, given := v.Lookup("language"); given {
		if r.Language, ok = language.Str(); !ok {
			return r, invalid("the field language must be a text")
		}
	}
	return r, nil
}

func prefixed(hint string) string {
	if hint == "" {
		return ""
	}
	return "; " + hint
}

// Append appends the answer as a JSON object: {"id", "result"}, {"id",
// "undefined": true} or {"id", "error": {"code", "message", "position"}}. The
// id is left out if the request has none; position is null when unknown.
func (a Answer) Append(b []byte) []byte {
	members := []value.Member{value.M("id", a.ID)}
	switch {
	case a.Error != nil:
		position := value.Null
		if a.Error.Position >= 0 {
			position = value.Int(int64(a.Error.Position))
		}
		members = append(members, value.M("error", value.Object(
			value.M("code", value.String(a.Error.Code)), value.M("message", value.String(a.Error.Message)), value.M("position", position),
		)))
	case a.Result.IsUndefined():
		members = append(members, value.M("undefined", value.True))
	default:
		members = append(members, value.M("result", a.Result))
	}
	return value.Object(members...).Append(b)
}
