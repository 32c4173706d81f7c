package jsonata

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// generator makes expressions and data of a seed. What it makes is meant to
// reach the corners of the language, not to make sense; it never runs for long.
type generator struct {
	r     *rand.Rand
	scope []string // variables that are bound here, without $
	fresh int
}

func newGenerator(seed uint64) *generator { return &generator{r: rand.New(rand.NewPCG(seed, 2006))} }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) of(texts ...string) string { return texts[g.r.IntN(len(texts))] }

// first makes one of several parts.
func (g *generator) first(depth int, parts []func(int) string) string {
	return parts[g.r.IntN(len(parts))](depth - 1)
}

// Data.

func (g *generator) data(depth int) value.Value {
	switch k := g.r.IntN(10); {
	case depth <= 0 || k < 3:
		return g.scalar()
	case k < 7:
		members := []value.Member{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if g.chance(60) {
				members = append(members, value.M(name, g.data(depth-1)))
			}
		}
		return value.Object(members...)
	case k < 9: // objects of one shape
		items := make([]value.Value, g.r.IntN(5))
		for i := range items {
			items[i] = value.Object(value.M("a", g.data(depth-2)), value.M("b", value.Int(int64(g.r.IntN(4)))), value.M("c", value.String(g.of("x", "y", "z"))))
		}
		return value.List(items...)
	}
	items := make([]value.Value, g.r.IntN(4))
	for i := range items {
		items[i] = g.data(depth - 1)
	}
	return value.List(items...)
}

func (g *generator) scalar() value.Value {
	return value.MustParse(g.of(
		"0", "1", "2", "-3", "4", "10", "2.5", "-0.75", "1e10", "123456.789", "0.1", `""`, `"x"`, `"y"`, `"ab"`, `"a-b-c"`, `" Hi  there "`,
		`"10"`, `"é😀z"`, `"2024-02-29T12:34:56.789Z"`, "true", "false", "null", "[]", "{}", `"1e3"`, `"-7.5"`, `"QQ=="`,
	))
}

// Expressions.

func (g *generator) expression(depth int) string {
	if depth <= 0 {
		return g.leaf()
	}
	return g.first(depth, []func(int) string{
		g.path, g.path, g.path, g.path, g.number, g.text, g.boolean, g.list, g.list, g.object, g.function, g.block, g.condition, g.higher,
		g.chain, g.transform, g.misplaced,
	})
}

func (g *generator) leaf() string {
	switch {
	case g.chance(45):
		return g.name()
	case g.chance(40) && len(g.scope) > 0:
		return "$" + g.of(g.scope...)
	}
	return g.of("1", "0", "2", "-1", "1.5", "3", "'x'", "'a-b-c'", "''", "true", "false", "null", "[]", "{}", "$", "$$", "*", "$$.a", "nothing", "'10'")
}

func (g *generator) name() string { return g.of("a", "b", "c", "d", "e", "a", "b", "`c`") }

// misplaced gives a function what it may not take.
func (g *generator) misplaced(depth int) string {
	name := g.of("sum", "uppercase", "keys", "map", "length", "round", "join", "substring", "merge", "sort", "number", "split", "count", "not",
		"lookup", "append", "each", "reduce", "zip", "spread", "sift", "single", "filter", "string", "type", "average", "contains", "pad",
		"formatNumber", "formatBase", "formatInteger", "distinct", "reverse", "boolean", "exists", "max", "trim", "power")
	args := make([]string, g.r.IntN(4))
	for i := range args {
		args[i] = g.expression(depth - 1)
	}
	return "$" + name + "(" + strings.Join(args, ", ") + ")"
}

func (g *generator) path(depth int) string {
	var out strings.Builder
	keep := len(g.scope)
	out.WriteString(g.of(g.name(), g.name(), "$", "$$", "*", "**", g.leaf(), "("+g.expression(depth-1)+")"))
	for range g.r.IntN(4) {
		g.step(&out, depth)
	}
	if g.chance(10) {
		out.WriteString("{" + g.pairs(depth) + "}")
	}
	g.scope = g.scope[:keep]
	return out.String()
}

func (g *generator) step(out *strings.Builder, depth int) {
	switch g.r.IntN(16) {
	case 0, 1, 2, 3, 4:
		out.WriteString("." + g.name())
	case 5:
		out.WriteString("." + g.of("*", "**", "$", "%", "%.%"))
	case 6:
		out.WriteString("[]")
	case 7, 8:
		out.WriteString("[" + g.of("0", "-1", "1", "[0, 2]", "[0..1]", g.boolean(depth-1), g.boolean(depth-1), g.expression(depth-1)) + "]")
	case 9:
		out.WriteString("^(" + g.of("", "<", ">") + g.of("b", "c", "$", "a.b", g.expression(depth-1)) + g.of("", ", >c", ", b") + ")")
	case 10:
		out.WriteString(".(" + g.expression(depth-1) + ")")
	case 11:
		out.WriteString(".{" + g.pairs(depth) + "}")
	case 12:
		out.WriteString(".[" + g.expression(depth-1) + g.of("", ", "+g.leaf()) + "]")
	case 13:
		name := g.variable()
		out.WriteString(g.of("#", "@") + "$" + name)
		g.scope = append(g.scope, name)
	case 14:
		out.WriteString("." + g.call(depth))
	case 15:
		out.WriteString("." + g.of("$string()", "$uppercase()", "$number()", "$length()", "$keys()", "$type($)", "$count($)", "'x'", "`a`", "\"b\""))
	}
}

func (g *generator) variable() string {
	g.fresh++
	return "v" + strconv.Itoa(g.fresh)
}

func (g *generator) pairs(depth int) string {
	var out []string
	for i := range 1 + g.r.IntN(3) {
		out = append(out, g.of("'k"+strconv.Itoa(i)+"'", "'k"+strconv.Itoa(i)+"'", "c", "'k' & b", "'k' & "+g.text(depth-1))+": "+g.expression(depth-1))
	}
	return strings.Join(out, ", ")
}

func (g *generator) number(depth int) string {
	if depth <= 0 {
		return g.of("1", "2", "b", "-3", "2.5", "0", "10", "1e3", "-0.5", "$count(a)")
	}
	x := func() string { return g.number(depth - 1) }
	something := func() string { return g.expression(depth - 1) }
	switch g.r.IntN(12) {
	case 0, 1:
		return "(" + x() + g.of(" + ", " - ", " * ", " / ", " % ") + x() + ")"
	case 2:
		return "-" + g.of("b", "(1)", x())
	case 3:
		return g.of("$sum(", "$max(", "$min(", "$average(", "$count(") + g.of(something(), "**.b", "[1, 2.5, -3]", g.list(depth-1)) + ")"
	case 4:
		return "$length(" + g.text(depth-1) + ")"
	case 5:
		return g.of("$floor(", "$ceil(", "$abs(", "$round(", "$sqrt(", "$number(") + x() + ")"
	case 6:
		return "$round(" + x() + ", " + g.of("0", "1", "-1", "2", "3") + ")"
	case 7:
		return "$power(" + x() + ", " + g.of("2", "0.5", "-1", "0") + ")"
	case 8:
		return "$number(" + g.of("'12'", "'-1.5e2'", "'0x1F'", "'0b101'", "'0o17'", "'1.'", "'x'", "true", "null", something()) + ")"
	case 9:
		return "$parseInteger(" + g.of("'1,234', '#,##0'", "'MCMXCIV', 'I'", "'xiv', 'i'", "'twelve', 'w'", "'one hundred and one', 'w'", "'AZ', 'A'", "'007', '000'",
			"'21st', '#0;o'", "'007', '#0;o'", "'Twenty-First', 'Ww;o'", "'1.234.567', '#.##0'", "nothing, '0'") + ")"
	case 10:
		return "$toMillis(" + g.of("'2024-02-29T12:34:56.789Z'", "'2024-02-29'", "'2024-02'", "'2024'", "'2024-01-01T10:00:00+05:30'",
			"'29/02/2024', '[D]/[M]/[Y]'", "'Feb 3rd, 2020', '[MNn,*-3] [D1o], [Y]'", "'10:30pm 3 March 2021', '[h]:[m][P] [D] [MNn] [Y]'", "'2021-60', '[Y]-[d]'",
			"'x', '[Y]'", "'MMXX', '[YI]'") + ")"
	}
	return something()
}

func (g *generator) text(depth int) string {
	if depth <= 0 {
		return g.of("'x'", "''", "c", "'abc'", "\"a-b-c\"", "'é😀z'", "' a  b '", "'10'", "$string(a)", "'Aa'")
	}
	s := func() string { return g.text(depth - 1) }
	n := func() string { return g.number(depth - 1) }
	small := func() string { return g.of("0", "1", "-1", "2", "3", "-5", "1.5", n()) }
	switch g.r.IntN(18) {
	case 0:
		return "(" + g.expression(depth-1) + " & " + s() + ")"
	case 1:
		return "$string(" + g.expression(depth-1) + g.of("", ", true") + ")"
	case 2:
		return "$substring(" + s() + ", " + small() + g.of("", ", "+small()) + ")"
	case 3:
		return g.of("$substringBefore(", "$substringAfter(") + s() + ", " + g.of("'-'", "'b'", "''", s()) + ")"
	case 4, 5:
		return g.of("$uppercase(", "$lowercase(", "$trim(", "$base64decode(", "$encodeUrl(", "$encodeUrlComponent(", "$decodeUrl(",
			"$decodeUrlComponent(") + s() + ")"
	case 6:
		return "$pad(" + s() + ", " + g.of("3", "-3", "6", "0") + g.of("", ", '#'", ", 'ab'", ", ''") + ")"
	case 7:
		return "$join(" + g.of("['a', 'b']", g.list(depth-1), "$split("+s()+", '-')") + g.of("", ", ','") + ")"
	case 8, 9:
		if g.chance(20) {
			return "$replace(" + s() + ", " + g.of("'-'", "'b'", "'aa'", "s") + ", " + g.of("'#'", "'$0'", "'$$'", s()) + g.of("", ", 1", ", 0", ", 1.5") + ")"
		}
		return "$replace(" + s() + ", " + g.regex() + ", " + g.of("'#'", "'$0$0'", "'[$1]'", "'$$'", "'$2x$12'", "function($m) { $uppercase($m.match) }",
			"$string", "function($m) { $string($m.groups) }") + g.of("", ", 1", ", 0", ", 2") + ")"
	case 10:
		return "$formatNumber(" + n() + ", " + g.of("'0'", "'#,##0.00'", "'#0%'", "'000'", "'#.##'", "'00.000;(00.0)'", "'#,###,##0'", "'#,##,##0.0#'",
			"'0‰'", "'#'", "'.00'", "'0.#,#'", "'£#0'", "'0.0.0'", "'#0.####'") + ")"
	case 11:
		if g.chance(50) { // the reference ends for positive numbers only
			return "$formatNumber(" + g.of("1", "12.5", "1234567", "0.00012", "99.99") + ", " + g.of("'0.0e0'", "'00e00'", "'#.0e0'", "'##0.00e0'") + ")"
		}
		return "$formatBase(" + n() + g.of("", ", 2", ", 16", ", 36", ", 37", ", 1") + ")"
	case 12:
		return "$formatInteger(" + n() + ", " + g.of("'0'", "'000'", "'#,##0'", "'w'", "'W'", "'Ww'", "'I'", "'i'", "'A'", "'a'", "'w;o'", "'0;o'", "'Ww;o'", "'##0,00'", "'0:00'") + ")"
	case 13:
		return "$fromMillis(" + g.of("0", "1709210096789", "-1", "1e12", "951782400000", n()) + g.of("", ", '[Y]-[M01]-[D01]'", ", '[D1o] [MNn] [Y0001]'", ", '[FNn,3-3] [h]:[m] [P]'",
			", '[H01]:[m01]:[s01].[f001] [Z]', '+0530'", ", '[W] [w] [x] [X] [d]'", ", '[YI] [Mi] [Dw]'", ", '[Y,2-2] [MN,3-3] [FN]'", ", '[z]', '-0100'", ", '[Y'", ", '[q]'",
			", '[[[Y]]]'", ", '[H#1]:[m]'", ", '[Dwo] of [MNN]'", ", '[C] [E]'", ", '[D#,#]'") + ")"
	case 14:
		return "$type(" + g.expression(depth-1) + ")"
	}
	return s()
}

func (g *generator) pattern() string { return g.of("'-'", "'b'", g.regex(), g.regex()) }

func (g *generator) regex() string {
	return g.of("/-/", "/[a-c]/", "/(a)(b)?/", "/A/i", "/./", "/^a/", "/x$/m", "/\\w+/", "/(b|c)-?/", "/a|b/", "/é/", "/\\d/")
}

func (g *generator) boolean(depth int) string {
	if depth <= 0 {
		return g.of("true", "false", "b > 1", "c = 'x'", "a", "b", "$exists(c)", "b in [1, 2]")
	}
	x := func() string { return g.expression(depth - 1) }
	switch g.r.IntN(9) {
	case 0:
		return "(" + g.number(depth-1) + g.of(" < ", " <= ", " > ", " >= ", " = ", " != ") + g.number(depth-1) + ")"
	case 1:
		return "(" + x() + g.of(" = ", " != ", " in ", " < ", " >= ") + x() + ")"
	case 2, 3:
		return "(" + g.boolean(depth-1) + g.of(" and ", " or ") + g.boolean(depth-1) + ")"
	case 4:
		return g.of("$not(", "$boolean(", "$exists(") + x() + ")"
	case 5:
		return "$contains(" + g.text(depth-1) + ", " + g.pattern() + ")"
	case 6:
		return "(" + x() + " in " + g.list(depth-1) + ")"
	case 7:
		return "(" + g.text(depth-1) + g.of(" < ", " >= ", " = ") + g.text(depth-1) + ")"
	}
	return x()
}

func (g *generator) list(depth int) string {
	if depth <= 0 {
		return g.of("[]", "[1, 2, 3]", "a", "['b', 'a']", "[1..3]", "[[1], [2, 3]]", "$", "**", "[a]", "[a, b]")
	}
	l := func() string { return g.list(depth - 1) }
	x := func() string { return g.expression(depth - 1) }
	switch g.r.IntN(17) {
	case 0, 1, 2:
		parts := make([]string, g.r.IntN(4))
		for i := range parts {
			parts[i] = x()
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case 3:
		return "[" + g.of("0", "1", "-2", "b", x()) + ".." + g.of("3", "0", "b", "5") + "]"
	case 4:
		return g.of("$reverse(", "$distinct(", "$spread(", "$keys(", "$zip(") + g.of(x(), l()) + ")"
	case 5:
		return "$append(" + x() + ", " + x() + ")"
	case 6:
		return "$sort(" + g.of(l(), x()) + g.of("", ", function($l, $r) { $l > $r }", ", function($l, $r) { $l.b < $r.b }", ", function($l, $r) { $string($l) > $string($r) }") + ")"
	case 7:
		return "$zip(" + l() + ", " + l() + ")"
	case 8:
		return "$split(" + g.text(depth-1) + ", " + g.of("''", "' '", g.pattern()) + g.of("", ", 1", ", 2", ", 0", ", 1.5") + ")"
	case 9:
		return "$match(" + g.text(depth-1) + ", " + g.of("/a/", "/[a-z]/", "/(\\w)-(\\w)?/", "/x*y/", "/é|z/") + g.of("", ", 1", ", 2") + ")"
	case 10:
		return "$each(" + g.object(depth-1) + ", function($v, $k) { " + g.of("$k", "$v", "$k & $string($v)", "{$k: $v}") + " })"
	case 11:
		return "$map(" + x() + ", " + g.lambda(depth-1, 1+g.r.IntN(2)) + ")"
	case 12:
		return "$filter(" + x() + ", " + g.lambda(depth-1, 1+g.r.IntN(2)) + ")"
	}
	return x()
}

func (g *generator) object(depth int) string {
	if depth <= 0 {
		return g.of("{}", "{'a': 1}", "$", "{'k': a, 'l': [b]}", "a")
	}
	switch g.r.IntN(6) {
	case 0, 1:
		return "{" + g.pairs(depth) + "}"
	case 2:
		return "$merge(" + g.of("["+g.object(depth-1)+", "+g.object(depth-1)+"]", g.list(depth-1)) + ")"
	case 3:
		return "$sift(" + g.object(depth-1) + ", function($v, $k) { " + g.of("$k = 'a'", "$v", "$type($v) = 'number'", "$k in ['b', 'k0']") + " })"
	case 4:
		return g.expression(depth-1) + "{" + g.pairs(depth) + "}"
	}
	return g.expression(depth - 1)
}

// lambda makes a function of n parameters.
func (g *generator) lambda(depth, n int) string {
	keep := len(g.scope)
	var params []string
	for range n {
		name := g.variable()
		g.scope = append(g.scope, name)
		params = append(params, "$"+name)
	}
	body := g.expression(depth - 1)
	if n > 0 && g.chance(30) {
		body = params[0]
	}
	g.scope = g.scope[:keep]
	signature := ""
	if g.chance(10) {
		signature = g.of("<n-:n>", "<s?:s>", "<a<n>:n>", "<x-:x>", "<(ns):x>", "<nn:n>")
	}
	return g.of("function", "function", "λ") + "(" + strings.Join(params, ", ") + ")" + signature + "{ " + body + " }"
}

func (g *generator) function(depth int) string {
	x := func() string { return g.expression(depth - 1) }
	switch g.r.IntN(5) {
	case 0:
		return g.lambda(depth-1, 1) + "(" + x() + ")"
	case 1:
		return g.lambda(depth-1, 2) + "(" + x() + g.of("", ", "+x()) + ")"
	case 2: // partial application
		return g.of("$substring(?, 1)('abc')", "$power(?, 2)(3)", "$append(?, 'z')("+x()+")", "$join(?, '+')(['a', 'b'])", "$map(?, $string)([1, 2])",
			g.lambda(depth-1, 2)+"(?, "+x()+")("+x()+")", g.lambda(depth-1, 2)+"("+x()+", ?)("+x()+")")
	case 3: // recursion
		f, n := g.variable(), g.variable()
		return fmt.Sprintf("($%s := function($%s) { $%s <= 0 ? %s : %s$%s($%s - 1) }; $%s(%s))", f, n, n, x(), g.of("", "$"+n+" + ", "[$"+n+"] ~> $append("), f, n, f, g.of("3", "1", "5")) // may not close
	}
	return g.call(depth)
}

func (g *generator) call(depth int) string {
	return g.first(depth, []func(int) string{g.number, g.text, g.boolean, g.list, g.object, g.misplaced, func(depth int) string {
		return g.of("$lookup("+g.expression(depth)+", 'a')", "$single("+g.list(depth)+", function($v) { $v = 2 })", "$eval('1 + a')", "$eval('[a, b]', "+g.expression(depth)+")",
			"$clone("+g.expression(depth)+")", "$assert("+g.boolean(depth)+", 'no')", "$error("+g.text(depth)+")")
	}})
}

func (g *generator) block(depth int) string {
	keep := len(g.scope)
	var out []string
	for range g.r.IntN(3) {
		name := g.variable()
		bound := g.of(g.expression(depth-1), g.expression(depth-1), g.lambda(depth-1, 1))
		out = append(out, "$"+name+" := "+bound)
		g.scope = append(g.scope, name)
	}
	out = append(out, g.expression(depth-1))
	g.scope = g.scope[:keep]
	return "(" + strings.Join(out, "; ") + ")"
}

func (g *generator) condition(depth int) string {
	out := "(" + g.boolean(depth-1) + " ? " + g.expression(depth-1)
	if g.chance(80) {
		out += " : " + g.expression(depth-1)
	}
	return out + ")"
}

func (g *generator) higher(depth int) string {
	l := g.of(g.expression(depth-1), g.list(depth-1))
	switch g.r.IntN(6) {
	case 0:
		return "$reduce(" + l + ", " + g.of("function($x, $y) { $x & $y }", "function($x, $y) { $append($x, $y) }", "function($x, $y, $i) { $i }", g.lambda(depth-1, 2), g.lambda(depth-1, 1), "$append") +
			g.of("", ", "+g.expression(depth-1)) + ")"
	case 1:
		return "$map(" + l + ", " + g.of("$string", "$type", "$count", "function($v, $i, $a) { $i }", "function($v, $i, $a) { $count($a) }", "$uppercase", g.lambda(depth-1, 2)) + ")"
	case 2:
		return "$filter(" + l + ", " + g.of("$boolean", "$exists", "function($v, $i) { $i % 2 = 0 }", g.lambda(depth-1, 1)) + ")"
	case 3:
		return "$single(" + l + g.of("", ", "+g.lambda(depth-1, 1)) + ")"
	case 4:
		return "(" + l + ")." + g.lambda(depth-1, 0) + "()"
	}
	return "$map(" + l + ", " + g.lambda(depth-1, 1) + ")"
}

func (g *generator) chain(depth int) string {
	out := g.expression(depth - 1)
	for range 1 + g.r.IntN(2) {
		out += " ~> " + g.of("$string", "$count", "$sum()", "$append(1)", "$keys", "$map($string)", "$type()", g.lambda(depth-1, 1), "$reverse()", "($uppercase ~> $lowercase)", "$join('-')", "$substring(1)")
	}
	return "(" + out + ")"
}

func (g *generator) transform(depth int) string {
	return "(" + g.expression(depth-1) + " ~> |" + g.of("$", "a", "**", "*", "a[b > 1]", g.path(depth-1)) + "|" + g.object(depth-1) + g.of("", ", 'a'", ", ['b', 'c']", ", "+g.leaf()) + "|)"
}
