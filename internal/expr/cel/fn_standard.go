package cel

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/regie-dev/regie/internal/expr"
)

// standardFunctions are the rows that CEL brings about parts of datetimes and
// about optional values.
func standardFunctions() []function {
	const times, optionals = "Parts of datetimes", "Optional values"
	var rows []function
	for _, part := range []struct {
		name, doc, result string
		sigs              []string
	}{
		{"getFullYear", "The year.", "2026", nil},
		{"getMonth", "The month, from 0. `date.month` counts from 1.", "2", nil},
		{"getDate", "The day of the month, from 1.", "6", nil},
		{"getDayOfMonth", "The day of the month, from 0. `date.day` counts from 1.", "5", nil},
		{"getDayOfWeek", "The day of the week: 0 is Sunday. `date.weekday` counts Monday as 1.", "5", nil},
		{"getDayOfYear", "The day of the year, from 0.", "64", nil},
		{"getHours", "The hour; of a duration, the whole hours.", "10", []string{"(duration) -> int"}},
		{"getMinutes", "The minute; of a duration, the whole minutes.", "30", []string{"(duration) -> int"}},
		{"getSeconds", "The second; of a duration, the whole seconds.", "15", []string{"(duration) -> int"}},
		{"getMilliseconds", "The milliseconds within the second, also of a duration.", "250", []string{"(duration) -> int"}},
	} {
		rows = append(rows, function{
			group: times, name: part.name, member: true, doc: part.doc + " In UTC, or in the zone named.",
			sigs:     append([]string{"(datetime,string?) -> int"}, part.sigs...),
			literals: map[int]func(string) error{1: checkCelZone},
			examples: []example{{`timestamp("2026-03-06T10:30:15.25Z").` + part.name + `()`, part.result}},
		})
	}
	return append(rows, []function{
		{group: optionals, name: "optional.of", sigs: []string{"(any) -> optional<same>"},
			doc: "An optional with the value.", examples: []example{{`optional.of(1).orValue(2)`, `1`}}},
		{group: optionals, name: "optional.none", sigs: []string{"() -> optional<any>"},
			doc: "An optional without value. As the result of an expression it is undefined: a member that is left out.", examples: []example{{`{"a": 1, ?"b": optional.none()}`, `{"a":1}`}}},
		{group: optionals, name: "optional.ofNonZeroValue", sigs: []string{"(any) -> optional<same>"},
			doc: "An optional with the value, unless that is 0, false, null or empty.", examples: []example{{`optional.ofNonZeroValue("").orValue("-")`, `"-"`}}},
		{group: optionals, name: "hasValue", member: true, sigs: []string{"(optional) -> bool"},
			doc: "Whether there is a value.", examples: []example{{`{"a": 1}.?b.hasValue()`, `false`}}},
		{group: optionals, name: "value", member: true, sigs: []string{"(optional) -> item"},
			doc: "The value; an error if there is none.", examples: []example{{`{"a": 1}.?a.value()`, `1`}}},
		{group: optionals, name: "optional.unwrap", sigs: []string{"(list) -> list"}, run: unwrapAll,
			doc: "The values of a list of optionals that are there. Also written `list.unwrapOpt()`.", examples: []example{{`optional.unwrap([{"a": 1}.?a, {"a": 1}.?b])`, `[1]`}}},
		{group: optionals, name: "unwrapOpt", member: true, sigs: []string{"(list) -> list"}, run: unwrapAll},
	}...)
}

// checkCelZone accepts the zones of CEL's getters: names and offsets.
func checkCelZone(name string) error {
	v := types.Timestamp{}.Receive("getHours", "", []ref.Val{types.String(name)})
	if types.IsError(v) {
		return checkZone(name)
	}
	return nil
}

func unwrapAll(c *call) (ref.Val, *expr.Error) {
	l, n, fault := c.list(0)
	if fault != nil {
		return nil, fault
	}
	if fault := c.m.allocateItems(n, c.at); fault != nil {
		return nil, fault
	}
	out := []ref.Val{}
	for i := range n {
		v, present, fault := optionalValue(itemAt(l, i), c.at)
		if fault != nil {
			return nil, fault
		}
		if present {
			out = append(out, v)
		}
	}
	return &vector{out}, nil
}
