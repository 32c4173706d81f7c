package asltest

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// Comparer compares values with recorded ones, as the conformance cases say:
// tokens stand for any text, the same one all through a case; texts that hold
// objects are parsed; what cannot be the same twice is left out.
type Comparer struct {
	tokens  []string
	words   []string // a recorded text that is one of them stands for any value
	random  []string // functions whose results cannot be compared
	least   value.Value
	below   value.Value
	bound   map[string]string // texts that tokens stand for
	pattern map[string]*regexp.Regexp
}

// NewComparer returns the comparer of a case.
func NewComparer(c value.Value) *Comparer {
	texts := func(name string) []string {
		var out []string
		for _, v := range c.Get(name).Items() {
			out = append(out, v.Text())
		}
		return out
	}
	bounds := c.Get("input").Get("FunctionInput")
	return &Comparer{
		tokens: texts("wildcards"), words: texts("wildcard_values"), random: texts("nondeterministic"),
		least: bounds.Get("fst"), below: bounds.Get("snd"),
		bound: map[string]string{}, pattern: map[string]*regexp.Regexp{},
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// Same compares a value with the recorded one. What tokens are bound to stays,
// unless the values differ.
func (c *Comparer) Same(got, want value.Value) bool {
	before := maps.Clone(c.bound)
	if c.equal(got, want) {
		return true
	}
	c.bound = before
	return false
}

func (c *Comparer) equal(got, want value.Value) bool {
	switch want.Kind() {
	case value.KindString:
		return c.sameText(got, want.Text())
	case value.KindObject:
		return c.sameObject(parsed(got), want)
	case value.KindList:
		return got.Kind() == value.KindList && got.Len() == want.Len() && !slices.ContainsFunc(indexes(got.Len()), func(i int) bool {
			return !c.equal(got.At(i), want.At(i))
		})
	default:
		return value.Equal(got, want)
	}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// parsed is the object that a text holds; any other value as it is.
func parsed(v value.Value) value.Value {
	if text, ok := v.Str(); ok && strings.HasPrefix(text, "{") {
		if inner, err := value.Parse([]byte(text)); err == nil {
			return inner
		}
	}
	return v
}

func (c *Comparer) sameText(got value.Value, want string) bool {
	if slices.Contains(c.words, want) {
		return c.inRange(got)
	}
	text, ok := got.Str()
	if !ok {
		return false
	}
	if inner := parsed(value.String(want)); inner.Kind() == value.KindObject {
		return c.equal(got, inner) // the error of a function
	}
	if text == want {
		return true
	}
	m, names := c.match(text, want)
	if m == nil {
		return false
	}
	for i, name := range names {
		if old, ok := c.bound[name]; ok && old != m[i+1] {
			return false
		}
		if strings.HasPrefix(name, "<uuid:") && slices.Contains(c.random, "Intrinsic.States.UUID") && !uuid.MatchString(m[i+1]) {
			return false
		}
		c.bound[name] = m[i+1]
	}
	return true
}

// match matches a text with a recorded one that has tokens in it; names are the
// tokens of the groups.
func (c *Comparer) match(text, want string) (groups, names []string) {
	if len(c.tokens) == 0 {
		return nil, nil
	}
	var quoted []string
	for _, t := range c.tokens {
		quoted = append(quoted, regexp.QuoteMeta(t))
	}
	token := regexp.MustCompile(strings.Join(quoted, "|"))
	names = token.FindAllString(want, -1)
	if len(names) == 0 {
		return nil, nil
	}
	p := c.pattern[want]
	if p == nil {
		parts := token.Split(want, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		p = regexp.MustCompile(`(?s)^` + strings.Join(parts, `(.+?)`) + `$`)
		c.pattern[want] = p
	}
	return p.FindStringSubmatch(text), names
}

// inRange checks what a random function gave.
func (c *Comparer) inRange(got value.Value) bool {
	if !slices.Contains(c.random, "Intrinsic.States.MathRandom") {
		return !got.IsUndefined()
	}
	n, ok := got.Int()
	least, _ := c.least.Int()
	below, _ := c.below.Int()
	return ok && least <= n && n < below
}

// dropped are members that are not compared: of responses of services, and what
// a function's error has beside its type and message.
func dropped(object value.Value, key string) bool {
	switch key {
	case "SdkHttpMetadata", "SdkResponseMetadata":
		return true
	case "requestId", "stackTrace":
		return !object.Get("errorMessage").IsUndefined() && !object.Get("errorType").IsUndefined()
	}
	return false
}

func (c *Comparer) sameObject(got, want value.Value) bool {
	if got.Kind() != value.KindObject {
		return false
	}
	for _, m := range want.Members() {
		if !dropped(want, m.Key) && !c.equal(got.Get(m.Key), m.Value) {
			return false
		}
	}
	for _, m := range got.Members() {
		if !dropped(got, m.Key) && want.Get(m.Key).IsUndefined() {
			return false
		}
	}
	return true
}
