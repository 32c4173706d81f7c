package filter

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// now is fixed: what properties find must be found again.
var now = time.Date(2026, 3, 1, 1, 30, 0, 0, time.UTC)

func context() Context { return Context{Me: "ada", Now: now, Zone: time.FixedZone("", -2*3600)} }

var (
	texts = []string{"a", "b", "ab", "ba", "risk", "me", "", "a b", `q"x`, "x*y", `b\s`, "é", "a/b", "a=b", "/a", "/a/b", "ada", "user/ada"}
	dates = []string{"", "2026-02-27", "2026-02-28", "2026-03-01"}
)

// genWord makes a value for texts.
func genWord(t *rapid.T) string {
	text := rapid.SampledFrom(append([]string{"*", "a*", "?", "*b", "a*b"}, texts...)).Draw(t, "word")
	if text != "" && !strings.ContainsAny(text, ` ",\`) && rapid.Bool().Draw(t, "bare") {
		return text
	}
	text = strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(text)
	return `"` + text + `"`
}

// genLine makes a line that is right.
func genLine(t *rapid.T) string {
	var terms []string
	for range rapid.IntRange(0, 4).Draw(t, "terms") {
		k := rapid.SampledFrom(keys).Draw(t, "key")
		op := ":"
		var value string
		list := func(gen func() string) string {
			parts := gen()
			for range rapid.IntRange(0, 2).Draw(t, "more") {
				parts += "," + gen()
			}
			return parts
		}
		switch k.kind {
		case flagKind:
			op = ""
		case textKind:
			op = rapid.SampledFrom([]string{":", "~"}).Draw(t, "op")
			value = list(func() string { return genWord(t) })
		case folderKind:
			value = list(func() string {
				return rapid.SampledFrom([]string{"/", "/a", "/a/**", "/**/b", "/*", "/a/b/", `"/a b"`, "/a?"}).Draw(t, "folder")
			})
		case idKind:
			value = list(func() string { return rapid.SampledFrom([]string{"a", "ab", "b-1"}).Draw(t, "id") })
		case stateKind:
			value = list(func() string { return rapid.SampledFrom(states).Draw(t, "state") })
		case daysKind:
			value = list(func() string {
				return rapid.SampledFrom([]string{"today", "today-1", "2026-02-28", "today-1..today", "2026-02-27..", "..today+1", "2026-02-27..today-1"}).Draw(t, "days")
			})
		case momentKind:
			value = rapid.SampledFrom([]string{"24h", "90m", "today", "today-1T18:30", "2026-02-28"}).Draw(t, "moment")
		case lengthKind, numberKind:
			op = rapid.SampledFrom([]string{":", "=", "<", "<=", ">", ">="}).Draw(t, "op")
			value = rapid.SampledFrom([]string{"0", "1", "2", "30"}).Draw(t, "number")
			if k.kind == lengthKind {
				value += rapid.SampledFrom([]string{"s", "m", "h", "ms"}).Draw(t, "unit")
			}
		}
		terms = append(terms, rapid.SampledFrom([]string{"", "", "-"}).Draw(t, "not")+k.name+op+value)
	}
	if rapid.Bool().Draw(t, "sorted") {
		terms = append(terms, "sort:"+rapid.SampledFrom([]string{"", "-"}).Draw(t, "minus")+string(rapid.SampledFrom(sortKeys).Draw(t, "sort")))
	}
	return strings.Join(terms, " ")
}

func genRow(t *rapid.T) *Row {
	at := func(name string) time.Time {
		ago := rapid.SampledFrom([]time.Duration{-time.Hour, 0, time.Hour, 23 * time.Hour, 24 * time.Hour, 60 * time.Hour}).Draw(t, name)
		return now.Add(-ago)
	}
	text := func(name string) string { return rapid.SampledFrom(texts).Draw(t, name) }
	r := &Row{
		ID: text("id"), Namespace: text("namespace"), Workflow: text("workflow"), Folder: text("folder"), Owner: text("owner"),
		Labels: map[string]string{text("label"): text("label's value")}, State: rapid.SampledFrom(states).Draw(t, "state"),
		Reason: text("reason"), BusinessDate: rapid.SampledFrom(dates).Draw(t, "date"), Trigger: text("trigger"), Actor: text("actor"),
		AcceptedAt: at("accepted"), Held: rapid.Bool().Draw(t, "held"), Attempts: rapid.Uint32Range(0, 3).Draw(t, "attempts"),
	}
	if rapid.Bool().Draw(t, "started") {
		r.StartedAt = at("started")
	}
	if r.ended() {
		r.EndedAt = at("ended")
	}
	if rapid.Bool().Draw(t, "due") {
		r.DueAt = at("due at")
	}
	if rapid.Bool().Draw(t, "live") {
		live := Live{Waiting: []string{text("waiting")}, Workers: []string{text("worker")}, Wait: time.Duration(rapid.IntRange(0, 3).Draw(t, "wait")) * time.Minute}
		r.Live = func() (Live, bool) { return live, true }
	}
	return r
}

// same compares filters but for the columns of their terms.
func same(a, b Filter) bool {
	strip := func(f Filter) Filter {
		f.terms, f.sort = slices.Clone(f.terms), slices.Clone(f.sort)
		for i := range f.terms {
			f.terms[i].column = 0
		}
		for i := range f.sort {
			f.sort[i].column = 0
		}
		return f
	}
	return reflect.DeepEqual(strip(a), strip(b))
}

// TestStringIsReadAsTheSame: the canonical line of a filter is read as the filter.
func TestStringIsReadAsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := genLine(t)
		f, err := Parse(line, context())
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		again, err := Parse(f.String(), context())
		if err != nil || !same(f, again) || again.String() != f.String() {
			t.Fatalf("%s: written as %s, read as %s, %v", line, f, again, err)
		}
	})
}

// TestQueryLeavesNothingOut: what a filter has, or may have, is inside its query.
func TestQueryLeavesNothingOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f, err := Parse(genLine(t), context())
		if err != nil {
			t.Fatal(err)
		}
		row := genRow(t)
		if q := f.Query(); f.Match(row) != No && !inside(&q, row) {
			t.Fatalf("%s has %+v, but asks for %+v", f, row, q)
		}
	})
}

func inside(q *Query, r *Row) bool {
	among := func(list []string, text string) bool { return list == nil || slices.Contains(list, text) }
	return !q.None && among(q.Namespaces, r.Namespace) && among(q.Workflows, r.Workflow) && among(q.States, r.State) &&
		(q.DateFrom == "" && q.DateTo == "" || r.BusinessDate != "") &&
		(q.DateFrom == "" || r.BusinessDate >= q.DateFrom) && (q.DateTo == "" || r.BusinessDate <= q.DateTo) &&
		(q.AcceptedFrom.IsZero() || !r.AcceptedAt.Before(q.AcceptedFrom)) && (q.AcceptedTo.IsZero() || r.AcceptedAt.Before(q.AcceptedTo))
}

// TestMinusTurnsRound: of a term and the same with a minus, exactly one holds,
// or both are unknown.
func TestMinusTurnsRound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f, err := Parse(genLine(t), context())
		if err != nil {
			t.Fatal(err)
		}
		row := genRow(t)
		for i := range f.terms {
			one := Filter{context: f.context, terms: slices.Clone(f.terms[i : i+1])}
			was := one.Match(row)
			one.terms[0].not = !one.terms[0].not
			if got := one.Match(row); got != -was {
				t.Fatalf("%s: %v and %v", f.terms[i].String(), was, got)
			}
		}
	})
}

// TestQuery: what is decided by an index is.
func TestQuery(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]Query{
		"":                     {},
		"late worker:x":        {},
		"state:failed,running": {States: []string{"failed", "running"}},
		"-state:succeeded,failed,canceled,skipped": {States: []string{"pending", "queued", "running", "waiting"}},
		"state:failed,running -state:failed":       {States: []string{"running"}},
		"state:failed -state:failed":               {None: true},
		"name:a,b namespace:risk":                  {Namespaces: []string{"risk"}, Workflows: []string{"a", "b"}},
		"name:risk/a,fin/b":                        {Namespaces: []string{"fin", "risk"}, Workflows: []string{"a", "b"}},
		"name:risk/a,b":                            {Workflows: []string{"a", "b"}},
		"name:a,b*":                                {},
		"-name:a":                                  {},
		"name:a name:b":                            {None: true},
		"id:01jw":                                  {},
		"date:today-1..today":                      {DateFrom: "2026-02-27", DateTo: "2026-02-28"}, // in the zone it is still February
		"date:today,2026-01-01":                    {DateFrom: "2026-01-01", DateTo: "2026-02-28"},
		"date:..today date:2026-01-01..":           {DateFrom: "2026-01-01", DateTo: "2026-02-28"},
		"date:today date:today-1":                  {None: true},
		"date:today,2026-01-01..":                  {DateFrom: "2026-01-01"},
		"since:1d":                                 {AcceptedFrom: now.Add(-24 * time.Hour)},
		"since:1h until:2h":                        {None: true},
	} {
		f, err := Parse(line, context())
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Query(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

// FuzzParse: whatever the line, reading it ends, an error names a column of it,
// and what was read is written as a line that means the same; the query leaves
// nothing out.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		`state:failed,running late folder:/fin/** name~"gl_*" date:today-1..today worker:lnx* waiting:limit wait>15m attempt>1 label:crit owner:me sort:-wait`,
		`-name:"a\"\\\*b",c*  since:2026-01-01T10:00 until:1d`, `name:%'_ id:01 duration<=1h30m`, "predicted-late", "!x", "folder:/a/***",
	} {
		f.Add(line)
	}
	row := &Row{ID: "01", Namespace: "n", Workflow: "w", Folder: "/a/b", State: "failed", BusinessDate: "2026-02-28", AcceptedAt: now}
	f.Fuzz(func(t *testing.T, line string) {
		filter, err := Parse(line, context())
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Column < 1 || fault.Column > len([]rune(line))+1 || fault.Message == "" {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		again, err := Parse(filter.String(), context())
		if err != nil && len(filter.String()) <= MaxLine || err == nil && !same(filter, again) {
			t.Fatalf("%q: written as %q: %v", line, filter, err)
		}
		if q := filter.Query(); filter.Match(row) != No && !inside(&q, row) {
			t.Fatalf("%q has the row, but asks for %+v", line, q)
		}
	})
}
