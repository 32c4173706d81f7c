package filter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/filter"
)

// noon is a Wednesday; in Amsterdam it is 13:00.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func ada() filter.Context { return filter.Context{Me: "ada", Now: noon, Zone: time.UTC} }

// TestParse: each line means its canonical form, which is read as itself.
func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":             "",
		"   ":          "",
		" late  held ": "late held",
		`state:failed,running late folder:/fin/** name~"gl_*" date:today-1..today worker:lnx* waiting:limit wait>15m attempt>1 label:crit owner:me sort:-wait`: `state:failed,running late folder:/fin/** name:gl_* date:today-1..today worker:lnx* waiting:limit wait>15m attempt>1 label:crit owner:me sort:-wait`,
		"-late -state:failed":                "-late -state:failed",
		`state:"failed"`:                     "state:failed",
		"workflow:eod":                       "name:eod",
		"name:risk/eod,a?b":                  "name:risk/eod,a?b",
		`name:"gl_*"`:                        `name:"gl_*"`,
		`name~"a b*"`:                        `name~"a b*"`,
		`name~"a b*",c*,"d\*"`:               `name~"a b*",c*,"d\*"`,
		`name~gl***x`:                        "name:gl*x",
		`name:"say \"hi\\\""`:                `name:"say \"hi\\\""`,
		`reason:""`:                          `reason:""`,
		`owner:"me"`:                         `owner:"me"`,
		`owner~me,"m*"`:                      "owner:me,m*",
		`name:me`:                            "name:me",
		"folder:/fin/":                       "folder:/fin",
		"folder:/":                           "folder:/",
		"folder:/a//b/**":                    "folder:/a/b/**",
		`folder~"/a b/**","/c*"`:             `folder~"/a b/**",/c*`,
		"label:team=payments,crit":           "label:team=payments,crit",
		"date:2026-02-28":                    "date:2026-02-28",
		"date:today..today":                  "date:today",
		"date:..today,2026-01-01..,today+07": "date:..today,2026-01-01..,today+7",
		"date:today-5..2026-01-01":           "date:today-5..2026-01-01",
		"since:24h":                          "since:1d",
		"since:today-1T18:00 until:today":    "since:today-1T18:00 until:today",
		"wait:15m":                           "wait=15m",
		"duration>=90m wait<0s":              "duration>=1h30m wait<0s",
		"attempt:007":                        "attempt=7",
		"id:01JW3,abc":                       "id:01JW3,abc",
		"sort:name,-time":                    "sort:name,-time",
		"sort:-date late":                    "late sort:-date",
		"reason:-x":                          "reason:-x",
		"name:größe":                         "name:größe",
		// What would be a condition in another language is text.
		`name:"%' OR 1=1 --"`: `name:"%' OR 1=1 --"`,
		`name:%'_`:            `name:%'_`,
	} {
		f, err := filter.Parse(line, ada())
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := f.String(); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
		if again, err := filter.Parse(want, ada()); err != nil || again.String() != want {
			t.Errorf("%s again: %s, %v", want, again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"state:faild":            `column 7: there is no state "faild"; did you mean "failed"?`,
		"late state:running,xyz": `column 20: there is no state "xyz"; states are pending queued running waiting succeeded failed canceled skipped`,
		"state:fail*":            `column 7: there is no state "fail*"; did you mean "failed"?`,
		`state:"fail*"`:          `column 7: there is no state "fail*"; did you mean "failed"?`,
		"größe:1":                `column 1: there is no key "größe"; keys are id name namespace folder label owner actor trigger state reason date since until waiting worker wait duration attempt workflow sort`,
		"naem:x":                 `column 1: there is no key "naem"; did you mean "name"?`,
		"State:failed":           `column 1: there is no key "State"; did you mean "state"?`,
		"latte":                  `column 1: there is no flag "latte"; did you mean "late"?`,
		"--late":                 `column 2: there is no flag "-late"; did you mean "late"?`,
		"settle":                 `column 1: there is no flag "settle"; write name~"*settle*" to search names`,
		"late OR held":           "column 6: OR means nothing here; a space joins terms, a comma alternatives: state:failed,running late",
		"predicted-late":         "column 1: predicted-late is not available yet; late has the runs that are late by now",
		"late:yes":               "column 1: late takes no value; write late, or -late",
		"state":                  "column 1: state needs a value; write state:failed,running",
		"state:":                 `column 7: a value is missing; write "" for the empty text`,
		"state:failed,":          `column 14: a value is missing; write "" for the empty text`,
		"state:,failed":          `column 7: a value is missing; write "" for the empty text`,
		"state~failed":           "column 6: state knows no patterns; write state:failed,running",
		"state=failed":           "column 6: state is not followed by =; write state:failed,running",
		"wait~15m":               "column 5: wait is not followed by ~; write wait>15m",
		"wait>15":                `column 6: "15" is not a duration; write wait>15m`,
		"wait>15m,20m":           "column 10: wait takes one value; write wait>15m",
		"attempt>-1":             `column 9: "-1" is not a number; write attempt>1`,
		"attempt>4294967296":     `column 9: "4294967296" is not a number; write attempt>1`,
		"!late":                  "column 1: ! means nothing here; write - before a term to turn it round, as in -state:failed",
		`"settle"`:               `column 1: a term begins with a key; write name~"*text*" to search names`,
		"-":                      "column 2: a key is missing; write key:value, as in state:failed",
		":x":                     "column 1: a key is missing; write key:value, as in state:failed",
		"late,held":              `column 5: "," means nothing here; write key:value, as in state:failed`,
		`name:"a`:                `column 6: the quotes are not closed; write " at the end of the value`,
		`name:"a\n"`:             `column 8: after a backslash comes ", \, * or ?; write \\ for a backslash`,
		`name:"a"b`:              `column 9: "b" cannot stand here; put the whole value into quotes`,
		`name:a"b"`:              `column 7: "\"" cannot stand here; put the whole value into quotes`,
		`name:a\b`:               `column 7: "\\" cannot stand here; put the whole value into quotes`,
		`name:\b`:                `column 6: "\\" cannot stand here; put the whole value into quotes`,
		"folder:fin":             "column 8: a folder begins with /; write folder:/fin, or folder:/fin/** with all below it",
		"folder:/fin**":          "column 8: ** stands for whole folders only; write /fin/** or /fin/gl*",
		"folder:/a/***":          "column 8: ** stands for whole folders only; write /fin/** or /fin/gl*",
		"id:../x":                `column 4: "../x" is not the beginning of a run's ID; write id:01jw3k`,
		`id:""`:                  `column 4: "" is not the beginning of a run's ID; write id:01jw3k`,
		"id:a*":                  `column 4: "a*" is not the beginning of a run's ID; write id:01jw3k`,
		"date:yesterday":         `column 6: "yesterday" is not a day; write 2006-01-02, today, today-3 or today+3`,
		"date:2026-02-30":        `column 6: "2026-02-30" is not a day; write 2006-01-02, today, today-3 or today+3`,
		"date:today-99999":       `column 6: "today-99999" is not a day; write 2006-01-02, today, today-3 or today+3`,
		"date:today-10001":       `column 6: "today-10001" lies more than 10000 days away; write 2006-01-02, today, today-3 or today+3`,
		"date:..":                `column 6: ".." has neither begin nor end; write 2006-01-02, today, today-3 or today+3`,
		"date:today..today-1":    `column 6: "today..today-1" ends before it begins; write 2006-01-02, today, today-3 or today+3`,
		"since:x":                `column 7: "x" is no time; write a duration such as 24h, a day such as today-1, or a time such as today-1T18:00`,
		"since:todayT25:00":      `column 7: "todayT25:00" is no time; write a duration such as 24h, a day such as today-1, or a time such as today-1T18:00`,
		"sort:-size":             `column 6: there is no order "-size"; write sort:-time; keys are time name date state attempt wait duration`,
		"sort:name;drop":         `column 6: there is no order "name;drop"; write sort:-time; keys are time name date state attempt wait duration`,
		"sort:name sort:time":    "column 11: sort stands here for the second time; write several keys as in sort:name,-time",
		"sort:name,-name":        `column 11: the order "name" stands here for the second time`,
		"-sort:name":             "column 1: sort cannot be turned round as a term; write sort:-time to turn the order round",
		"sort=name":              "column 1: sort is followed by a colon; write sort:-time; keys are time name date state attempt wait duration",
		"name:a\x00":             "column 7: the character U+0000 cannot be seen; remove it",
		"late\nheld":             "column 5: the character U+000A cannot be seen; remove it",
		"name:a\u202e":           "column 7: the character U+202E cannot be seen; remove it",
		"name:\xff":              "column 6: the character is broken",
	} {
		_, err := filter.Parse(line, ada())
		var fault *filter.Error
		if !errors.As(err, &fault) || err.Error() != "filter, "+want {
			t.Errorf("%q:\n got %v\nwant filter, %s", line, err, want)
		}
	}
	nobody := filter.Context{Now: noon}
	if _, err := filter.Parse("late owner:me", nobody); err == nil || !strings.Contains(err.Error(), "column 12: nobody is signed in") {
		t.Errorf("%v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	values := func(n int) string { return "name:" + strings.TrimSuffix(strings.Repeat("a,", n), ",") }
	for name, c := range map[string]struct{ fits, tooMuch string }{
		"line":   {"late" + strings.Repeat(" ", filter.MaxLine-4), "late" + strings.Repeat(" ", filter.MaxLine-3)},
		"terms":  {strings.Repeat("late ", filter.MaxTerms), strings.Repeat("late ", filter.MaxTerms+1)},
		"values": {values(filter.MaxValues), values(filter.MaxValues + 1)},
		"value":  {"name:" + strings.Repeat("a", filter.MaxValue), "name:" + strings.Repeat("a", filter.MaxValue+1)},
		"stars":  {`name~"` + strings.Repeat(`\*`, filter.MaxValue) + `"`, `name~"` + strings.Repeat(`\*`, filter.MaxValue+1) + `"`},
		"quoted": {`name:"` + strings.Repeat("a", filter.MaxValue) + `"`, `name:"` + strings.Repeat("a", filter.MaxValue+1) + `"`},
	} {
		f, err := filter.Parse(c.fits, ada())
		if err == nil {
			_, err = filter.Parse(f.String(), ada())
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := filter.Parse(c.tooMuch, ada()); err == nil {
			t.Errorf("%s: too much is not refused", name)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"name:x namespace:y folder:/z label:a -owner:me sort:-name": "",
		"name:x state:failed":   "filter, column 8: state is of runs, not of workflows; workflows are filtered by name, namespace, folder, label and owner",
		"late":                  "filter, column 1: late is of runs, not of workflows; workflows are filtered by name, namespace, folder, label and owner",
		"name:x sort:name,time": "filter, column 18: workflows are not sorted by time; write sort:name or sort:-name",
	} {
		f, err := filter.Parse(line, ada())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := f.Check(filter.Workflows); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s", line, got)
		}
		if err := f.Check(filter.Runs); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func ExampleParse() {
	context := filter.Context{Me: "ada", Now: noon}
	f, err := filter.Parse("state:failed,running since:24h -owner:me", context)
	fmt.Println(f, err)
	run := filter.Row{State: "failed", AcceptedAt: noon.Add(-time.Hour), Owner: "payments"}
	fmt.Println(f.Match(&run))
	_, err = filter.Parse("state:faild", context)
	fmt.Println(err)
	// Output:
	// state:failed,running since:1d -owner:me <nil>
	// yes
	// filter, column 7: there is no state "faild"; did you mean "failed"?
}
