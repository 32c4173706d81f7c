package cel

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// Bounds of regular expressions (RE2, so that matching takes linear time).
const (
	maxPattern      = 1 << 10 // bytes
	maxInstructions = 5_000   // of the compiled program
	compileUnits    = 50      // for compiling a pattern, and for each byte of it
)

// textFunctions are the rows about texts.
func textFunctions() []function {
	const group = "Text"
	return []function{
		{group: group, name: "size", member: true, sigs: []string{"(string|bytes|list|object) -> int"}, run: size,
			doc:      "Number of characters of a text, bytes, items or members. Also written `size(x)`.",
			examples: []example{{`"zoë".size()`, `3`}, {`[1, 2].size()`, `2`}, {`size({"a": 1})`, `1`}}},
		{group: group, name: "size", sigs: []string{"(string|bytes|list|object) -> int"}, run: size},
		{group: group, name: "contains", member: true, sigs: []string{"(string,string) -> bool"},
			doc: "Whether the text has the part in it.", examples: []example{{`"settlement".contains("tle")`, `true`}}},
		{group: group, name: "startsWith", member: true, sigs: []string{"(string,string) -> bool"},
			doc: "Whether the text begins with the part.", examples: []example{{`"gl_daily".startsWith("gl_")`, `true`}}},
		{group: group, name: "endsWith", member: true, sigs: []string{"(string,string) -> bool"},
			doc: "Whether the text ends with the part.", examples: []example{{`"a.csv".endsWith(".csv")`, `true`}}},
		{group: group, name: "matches", member: true, sigs: []string{"(string,string) -> bool"}, run: matches,
			pattern: true, literals: map[int]func(string) error{1: checkPattern},
			doc:      "Whether a part of the text fits the [RE2](https://github.com/google/re2/wiki/Syntax) pattern; `^` and `$` bind it to the ends. Patterns have up to 1 KiB.",
			examples: []example{{`"INV-2026".matches("^INV-[0-9]+$")`, `true`}}},
		{group: group, name: "matches", sigs: []string{"(string,string) -> bool"}, run: matches,
			literals: map[int]func(string) error{1: checkPattern}},
		{group: group, name: "regex.extract", sigs: []string{"(string,string) -> optional<string>"}, run: regexExtract,
			pattern: true, literals: map[int]func(string) error{1: checkPattern},
			doc:      "The first part that fits the pattern, or its group if the pattern has one.",
			examples: []example{{`regex.extract("batch 42 of 50", "[0-9]+").orValue("")`, `"42"`}, {`regex.extract("id=7", "id=([0-9]+)").orValue("")`, `"7"`}}},
		{group: group, name: "regex.extractAll", sigs: []string{"(string,string) -> list<string>"}, run: regexExtractAll,
			pattern: true, literals: map[int]func(string) error{1: checkPattern},
			doc:      "All parts that fit the pattern, or its group if the pattern has one.",
			examples: []example{{`regex.extractAll("a1 b22", "[0-9]+")`, `["1","22"]`}}},
		{group: group, name: "regex.replace", sigs: []string{"(string,string,string,int?) -> string"}, run: regexReplace,
			pattern: true, literals: map[int]func(string) error{1: checkPattern},
			doc:      "The text with the parts that fit the pattern replaced, at most as many as the number says. `\\1` to `\\9` in the replacement stand for groups.",
			examples: []example{{`regex.replace("2026-03-06", "-", "")`, `"20260306"`}, {`regex.replace("a=1", "(.)=(.)", r"\2=\1")`, `"1=a"`}}},
		{group: group, name: "replace", member: true, sigs: []string{"(string,string,string,int?) -> string"}, run: replace,
			doc:      "The text with a part replaced wherever it stands, at most as often as the number says.",
			examples: []example{{`"a b c".replace(" ", "-")`, `"a-b-c"`}, {`"a b c".replace(" ", "-", 1)`, `"a-b c"`}}},
		{group: group, name: "split", member: true, sigs: []string{"(string,string,int?) -> list<string>"}, run: split,
			doc:      "The parts of the text between the separators; with a number, at most so many parts.",
			examples: []example{{`"a,b,c".split(",")`, `["a","b","c"]`}, {`"a,b,c".split(",", 2)`, `["a","b,c"]`}}},
		{group: group, name: "join", member: true, sigs: []string{"(list,string?) -> string"}, run: joinTexts,
			doc: "The texts of a list, one after the other, with a separator between them.", examples: []example{{`["a", "b"].join("/")`, `"a/b"`}}},
		{group: group, name: "substring", member: true, sigs: []string{"(string,int,int?) -> string"},
			doc:      "The characters from the first position up to, without, the second; positions count from 0.",
			examples: []example{{`"settlement".substring(0, 6)`, `"settle"`}, {`"settlement".substring(6)`, `"ment"`}}},
		{group: group, name: "charAt", member: true, sigs: []string{"(string,int) -> string"},
			doc: "The character at the position.", examples: []example{{`"abc".charAt(1)`, `"b"`}}},
		{group: group, name: "indexOf", member: true, sigs: []string{"(string,string,int?) -> int"},
			doc: "The first position of a part, from a position on; -1 if there is none.", examples: []example{{`"banana".indexOf("an", 2)`, `3`}}},
		{group: group, name: "lastIndexOf", member: true, sigs: []string{"(string,string,int?) -> int"},
			doc: "The last position of a part; -1 if there is none.", examples: []example{{`"banana".lastIndexOf("an")`, `3`}}},
		{group: group, name: "lowerAscii", member: true, sigs: []string{"(string) -> string"},
			doc: "The text with A to Z as small letters.", examples: []example{{`"EUR".lowerAscii()`, `"eur"`}}},
		{group: group, name: "upperAscii", member: true, sigs: []string{"(string) -> string"},
			doc: "The text with a to z as capitals.", examples: []example{{`"eur".upperAscii()`, `"EUR"`}}},
		{group: group, name: "trim", member: true, sigs: []string{"(string) -> string"},
			doc: "The text without the space around it.", examples: []example{{`" a b ".trim()`, `"a b"`}}},
		{group: group, name: "reverse", member: true, sigs: []string{"(string) -> string", "(list) -> same"}, run: reverse,
			doc: "The characters or items from the last to the first.", examples: []example{{`"abc".reverse()`, `"cba"`}, {`[1, 2].reverse()`, `[2,1]`}}},
		{group: group, name: "strings.quote", sigs: []string{"(string) -> string"},
			doc: "The text in double quotes, with escapes.", examples: []example{{`strings.quote("a\nb")`, `"\"a\\nb\""`}}},
		{group: group, name: "format", member: true, sigs: []string{"(string,list) -> string"}, run: formatText,
			doc:      "The text with its clauses replaced by the items: `%s` any value, `%d` integer, `%.2f` fixed point, `%e` scientific, `%b` binary, `%o` octal, `%x` `%X` hexadecimal, `%%` a percent sign.",
			examples: []example{{`"%s: %.2f".format(["total", decimal("12.345")])`, `"total: 12.35"`}, {`"%d of %d".format([3, 8])`, `"3 of 8"`}}},
	}
}

func checkPattern(pattern string) error {
	_, err := compilePattern(pattern)
	return err
}

// compilePattern compiles a pattern within the bounds.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the pattern cannot be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxInstructions {
		return nil, fmt.Errorf("the pattern is too complex; repeat less")
	}
	return regexp.Compile(pattern)
}

// pattern is the compiled argument 1, ready to match argument 0; it pays for
// both.
func (c *call) pattern() (text string, re *regexp.Regexp, fault *expr.Error) {
	text, fault = c.text(0)
	if fault != nil {
		return "", nil, fault
	}
	pattern, fault := c.text(1)
	if fault != nil {
		return "", nil, fault
	}
	// Matching is linear in the text and in the pattern.
	units := costPattern + uint64(len(text))*uint64(1+len(pattern)/patternBytes)
	if fault := c.m.spend(units, c.at); fault != nil {
		return "", nil, fault
	}
	if c.re != nil {
		return text, c.re, nil
	}
	if fault := c.m.spend(uint64(compileUnits+compileUnits*len(pattern)), c.at); fault != nil {
		return "", nil, fault
	}
	re, err := compilePattern(pattern)
	if err != nil {
		return "", nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return text, re, nil
}

func size(c *call) (ref.Val, *expr.Error) {
	switch v := c.args[0].(type) {
	case types.String:
		return types.Int(utf8.RuneCountInString(string(v))), c.m.scan(len(v), c.at)
	case types.Bytes:
		return types.Int(len(v)), nil
	case traits.Sizer:
		return types.Int(sizeOf(v)), nil
	}
	return nil, c.mismatch()
}

func matches(c *call) (ref.Val, *expr.Error) {
	text, re, fault := c.pattern()
	if fault != nil {
		return nil, fault
	}
	return types.Bool(re.MatchString(text)), nil
}

// oneGroup refuses patterns of which it is unclear what to extract.
func (c *call) oneGroup(re *regexp.Regexp) *expr.Error {
	if re.NumSubexp() > 1 {
		return c.fail(expr.InvalidValue, "the pattern has %d groups; use one, and (?:…) for the others", re.NumSubexp())
	}
	return nil
}

func regexExtract(c *call) (ref.Val, *expr.Error) {
	text, re, fault := c.pattern()
	if fault != nil {
		return nil, fault
	}
	if fault := c.oneGroup(re); fault != nil {
		return nil, fault
	}
	found := re.FindStringSubmatchIndex(text)
	if len(found) == 0 || found[len(found)-2] < 0 {
		return types.OptionalNone, nil
	}
	return types.OptionalOf(types.String(text[found[len(found)-2]:found[len(found)-1]])), nil
}

func regexExtractAll(c *call) (ref.Val, *expr.Error) {
	text, re, fault := c.pattern()
	if fault != nil {
		return nil, fault
	}
	if fault := c.oneGroup(re); fault != nil {
		return nil, fault
	}
	all, fault := c.findAll(re, text, -1)
	if fault != nil {
		return nil, fault
	}
	out := []ref.Val{}
	for _, found := range all {
		if from := found[len(found)-2]; from >= 0 {
			out = append(out, types.String(text[from:found[len(found)-1]]))
		}
	}
	return &vector{out}, nil
}

func regexReplace(c *call) (ref.Val, *expr.Error) {
	text, re, fault := c.pattern()
	if fault != nil {
		return nil, fault
	}
	template, fault := c.text(2)
	if fault != nil {
		return nil, fault
	}
	limit, fault := c.integer(3, -1)
	if fault != nil {
		return nil, fault
	}
	pieces, err := parseReplacement(template, re.NumSubexp())
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	if limit == 0 {
		return types.String(text), nil
	}
	all, fault := c.findAll(re, text, limit)
	if fault != nil {
		return nil, fault
	}
	size := len(text)
	for _, found := range all {
		for _, p := range pieces {
			size = min(size+len(p.in(text, found)), maxMemory+1)
		}
	}
	if fault := c.m.allocate(size, c.at); fault != nil {
		return nil, fault
	}
	var out strings.Builder
	out.Grow(size)
	last := 0
	for _, found := range all {
		out.WriteString(text[last:found[0]])
		for _, p := range pieces {
			out.WriteString(p.in(text, found))
		}
		last = found[1]
	}
	out.WriteString(text[last:])
	return types.String(out.String()), nil
}

// findAll finds the places of all matches and of their groups. It counts them
// first, because the places can take more memory than the text.
func (c *call) findAll(re *regexp.Regexp, text string, limit int) ([][]int, *expr.Error) {
	n := 0
	re.ReplaceAllStringFunc(text, func(string) string {
		n++
		return ""
	})
	if limit >= 0 {
		n = min(n, limit)
	}
	if fault := c.m.allocate(n*(itemBytes+16*(re.NumSubexp()+1)), c.at); fault != nil {
		return nil, fault
	}
	return re.FindAllStringSubmatchIndex(text, limit), nil
}

// replacement is a literal piece of a replacement, or a group of the match.
type replacement struct {
	text  string
	group int // -1 for a literal
}

// in is what the piece stands for in a match of the text.
func (r replacement) in(text string, match []int) string {
	if r.group < 0 {
		return r.text
	}
	from, to := match[2*r.group], match[2*r.group+1]
	if from < 0 {
		return ""
	}
	return text[from:to]
}

func parseReplacement(template string, groups int) ([]replacement, error) {
	var out []replacement
	for rest := template; rest != ""; {
		literal, after, found := strings.Cut(rest, `\`)
		if literal != "" {
			out = append(out, replacement{literal, -1})
		}
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(after, `\`):
			out = append(out, replacement{`\`, -1})
		case after != "" && after[0] >= '0' && int(after[0]-'0') <= min(groups, 9):
			out = append(out, replacement{"", int(after[0] - '0')})
		default:
			return nil, fmt.Errorf(`the replacement has a \ that is neither \\ nor a group of the pattern (it has %d)`, groups)
		}
		rest = after[1:]
	}
	return out, nil
}

func replace(c *call) (ref.Val, *expr.Error) {
	text, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	old, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	with, fault := c.text(2)
	if fault != nil {
		return nil, fault
	}
	limit, fault := c.integer(3, -1)
	if fault != nil {
		return nil, fault
	}
	n := strings.Count(text, old)
	if limit >= 0 {
		n = min(n, limit)
	}
	if fault := c.m.allocate(len(text)+n*len(with), c.at); fault != nil {
		return nil, fault
	}
	return types.String(strings.Replace(text, old, with, limit)), nil
}

func split(c *call) (ref.Val, *expr.Error) {
	text, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	separator, fault := c.text(1)
	if fault != nil {
		return nil, fault
	}
	limit, fault := c.integer(2, -1)
	if fault != nil {
		return nil, fault
	}
	if fault := c.m.allocateItems(strings.Count(text, separator)+1, c.at); fault != nil {
		return nil, fault
	}
	parts := strings.SplitN(text, separator, limit)
	out := make([]ref.Val, len(parts))
	for i, p := range parts {
		out[i] = types.String(p)
	}
	return &vector{out}, nil
}

func joinTexts(c *call) (ref.Val, *expr.Error) {
	l, n, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	separator := ""
	if len(c.args) > 1 {
		if separator, fault = c.text(1); fault != nil {
			return nil, fault
		}
	}
	if fault := c.m.allocateItems(n, c.at); fault != nil {
		return nil, fault
	}
	texts := make([]string, n)
	size := 0
	for i := range n {
		v, fault := unwrapErr(itemAt(l, i))
		if fault != nil {
			return nil, at(fault, c.at)
		}
		text, ok := v.(types.String)
		if !ok {
			return nil, c.fail(expr.TypeMismatch, "join() needs texts, but item %d is %s; convert the items with .map(x, string(x))", i, typeName(v))
		}
		texts[i] = string(text)
		size = min(size+len(text)+len(separator), maxMemory+1)
	}
	if fault := c.m.allocate(size, c.at); fault != nil {
		return nil, fault
	}
	return types.String(strings.Join(texts, separator)), nil
}

func reverse(c *call) (ref.Val, *expr.Error) {
	if _, ok := c.args[0].(types.String); ok {
		return c.callNative()
	}
	l, _, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	out, fault := c.collect(l)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return &vector{out}, fault
}
