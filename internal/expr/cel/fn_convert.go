package cel

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// conversionFunctions are the rows that make one type of another.
func conversionFunctions() []function {
	const group = "Conversions"
	return []function{
		{group: group, name: "int", fold: true, sigs: []string{"(number|decimal|uint|string|datetime|duration) -> int"}, run: toInt,
			doc:      "The integer that a text says, or a number without what stands behind the point. A datetime gives the seconds since 1970.",
			examples: []example{{`int("12")`, `12`}, {`int(2.9)`, `2`}, {`int(decimal("-2.90"))`, `-2`}}},
		{group: group, name: "double", fold: true, sigs: []string{"(number|decimal|uint|string) -> number"}, run: toDouble,
			doc: "The number as a float.", examples: []example{{`double("1.5")`, `1.5`}, {`double(decimal("1.50"))`, `1.5`}}},
		{group: group, name: "decimal", fold: true, sigs: []string{"(number|decimal|uint|string) -> decimal"}, run: decimalOf,
			doc:      "The number as a decimal, which computes exactly: money. A decimal is text in JSON. It keeps the places that it is written with.",
			examples: []example{{`decimal("12.30") + 1`, `"13.30"`}, {`decimal(0.1) + decimal("0.2") == decimal("0.3")`, `true`}, {`decimal("10") / 4`, `"2.5"`}}},
		{group: group, name: "uint", fold: true, sigs: []string{"(number|uint|string) -> uint"},
			doc: "The number as an unsigned integer, which is written `1u`.", examples: []example{{`uint("12")`, `12`}}},
		{group: group, name: "string", fold: true, sigs: []string{"(string|bool|bytes|number|decimal|uint|date|datetime|duration) -> string"}, run: toText,
			doc: "The value as text. Durations are in seconds; lists and objects need `json.encode`.", examples: []example{{`string(12) + "%"`, `"12%"`}, {`string(duration("1h"))`, `"3600s"`}}},
		{group: group, name: "bool", fold: true, sigs: []string{"(bool|string) -> bool"},
			doc: "The boolean that a text says.", examples: []example{{`bool("true")`, `true`}}},
		{group: group, name: "bytes", fold: true, sigs: []string{"(bytes|string) -> bytes"},
			doc: "The text as bytes of UTF-8. In JSON bytes are base64.", examples: []example{{`bytes("hi").size()`, `2`}}},
		{group: group, name: "date", fold: true, zoned: true, sigs: []string{"(string|date|datetime) -> date"}, run: dateOf,
			doc: "The date that a text says, or on which a datetime lies in the zone of the workflow.", examples: []example{{`date("2026-03-06")`, `"2026-03-06"`}, {`date("2026-03-06T10:00:00Z")`, `"2026-03-06"`}}},
		{group: group, name: "timestamp", fold: true, sigs: []string{"(string|int|datetime) -> datetime"}, doc: "The datetime that a text in the form of RFC 3339 says, or so many seconds after 1970. Also written `datetime(x)`.",
			examples: []example{{`timestamp("2026-03-06T10:00:00Z") + duration("90m")`, `"2026-03-06T11:30:00Z"`}}},
		{group: group, name: "datetime", fold: true, sigs: []string{"(string|int|datetime) -> datetime"}},
		{group: group, name: "duration", fold: true, sigs: []string{"(string|duration) -> duration"}, run: durationOf,
			doc:      "The length of time that a text says: numbers with the units `w`, `d` (24 hours), `h`, `m`, `s` and `ms`.",
			examples: []example{{`duration("1h30m")`, `"1h30m"`}, {`duration("2d") > duration("36h")`, `true`}}},
		{group: group, name: "json.parse", sigs: []string{"(string) -> any"}, run: jsonParse,
			doc: "The value of a JSON text.", examples: []example{{`json.parse("{\"a\": [1, 2]}").a[1]`, `2`}}},
		{group: group, name: "json.encode", sigs: []string{"(any) -> string"}, run: jsonEncode,
			doc: "The value as compact JSON.", examples: []example{{`json.encode({"a": [1, 2]})`, `"{\"a\":[1,2]}"`}}},
		{group: group, name: "base64.encode", sigs: []string{"(bytes) -> string"}, doc: "Bytes as base64.", examples: []example{{`base64.encode(b"hi")`, `"aGk="`}}},
		{group: group, name: "base64.decode", sigs: []string{"(string) -> bytes"}, doc: "The bytes of a base64 text.", examples: []example{{`string(base64.decode("aGk="))`, `"hi"`}}},
		{group: group, name: "type", sigs: []string{"(any) -> type"}, doc: "The type of a value, to compare with `int`, `string`, `list`, `map`, …", examples: []example{{`type(1.5) == double`, `true`}}},
		{group: group, name: "dyn", sigs: []string{"(any) -> any"}, doc: "The value itself, of which the checker then assumes nothing.", examples: []example{{`dyn(1) == "1"`, `false`}}},
	}
}

func toText(c *call) (ref.Val, *expr.Error) {
	if text := ownText(c.args[0]); text != "" {
		return types.String(text), nil
	}
	switch c.args[0].(type) {
	case traits.Lister, traits.Mapper:
		return nil, c.fail(expr.TypeMismatch, "string() does not take %s; use json.encode(x)", typeName(c.args[0]))
	}
	return c.callNative()
}

func durationOf(c *call) (ref.Val, *expr.Error) {
	text, ok := c.args[0].(types.String)
	if !ok {
		return c.callNative()
	}
	v, err := parseDuration(string(text))
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "%s", err)
	}
	return v, nil
}

func jsonParse(c *call) (ref.Val, *expr.Error) {
	text, fault := c.text(0)
	if fault != nil {
		return nil, fault
	}
	// A value takes some ten times its text at worst ("[1,2,3]").
	const perByte = 24
	if fault := c.m.allocate(perByte*len(text), c.at); fault != nil {
		return nil, fault
	}
	v, err := value.Parse([]byte(text))
	if err != nil {
		return nil, c.fail(expr.InvalidValue, "the text is not JSON: %s", err)
	}
	return wrap(v, nil)
}

func jsonEncode(c *call) (ref.Val, *expr.Error) {
	v, fault := c.m.export(c.args[0], 0, c.at)
	if fault != nil {
		return nil, fault
	}
	if fault := c.m.allocate(v.Size(), c.at); fault != nil {
		return nil, fault
	}
	return types.String(v.String()), nil
}

// unknownWord is the error for a word that is not among those allowed.
func unknownWord(what, name string, allowed []string) error {
	hint := diag.DidYouMean(name, allowed)
	if hint == "" {
		hint = "use " + strings.Join(allowed, ", ")
	}
	return fmt.Errorf("there is no %s %q; %s", what, name, hint)
}
