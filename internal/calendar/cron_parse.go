package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MaxCronLength bounds the text of an expression, in bytes.
const MaxCronLength = 1000

// CronError says what is wrong with a cron expression, and where.
type CronError struct {
	Text           string // the expression
	Offset, Length int    // of the part that is wrong, in bytes
	Message        string
	Hint           string // what to write instead; may be empty
	// Later says that what stands there comes with a later release.
	Later bool
}

// Error returns the message with what it is about.
func (e *CronError) Error() string {
	text := fmt.Sprintf("cron expression %q, character %d: %s", e.Text, len([]rune(e.Text[:e.Offset]))+1, e.Message)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// cronField is one of the five fields.
type cronField struct {
	name     string
	min, max int
	// names stand for numbers from the first on; last is the number that the
	// field counts up to where a star has a step.
	names []string
	first int
	last  int
}

var cronFields = [5]cronField{
	{name: "minute", max: 59, last: 59},
	{name: "hour", max: 23, last: 23},
	{name: "day of the month", min: 1, max: 31, last: 31},
	{name: "month", min: 1, max: 12, first: 1, last: 12, names: []string{
		"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	// 0 and 7 are Sunday.
	{name: "day of the week", max: 7, last: 6, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// Positions of the fields.
const (
	fieldMinute = iota
	fieldHour
	fieldDay
	fieldMonth
	fieldWeekday
)

const fieldsHint = "the fields are minute, hour, day of the month, the month, day of the week"

// ParseCron reads a cron expression of five fields, each a list of numbers,
// ranges (1-5), steps (*/15, 8-18/2) and stars, months and days of the week
// also by their English names of three letters; or one of @hourly, @daily,
// @midnight, @weekly, @monthly, @yearly and @annually. The error is a
// [*CronError]; an expression that can never tick is one.
func ParseCron(text string) (Cron, error) {
	if len(text) > MaxCronLength {
		return Cron{}, &CronError{Text: text[:0], Message: fmt.Sprintf("the expression is longer than %d bytes", MaxCronLength)}
	}
	p := &cronParser{text: text, expanded: text}
	if word := strings.TrimSpace(text); strings.HasPrefix(word, "@") {
		if p.expanded = cronAlias(strings.ToLower(word)); p.expanded == "" {
			return Cron{}, p.aliasError(word)
		}
	}
	parts := splitCron(p.expanded)
	if err := p.count(parts); err != nil {
		return Cron{}, err
	}
	var sets [5]uint64
	var stars [5]bool
	for i, part := range parts {
		var err *CronError
		if sets[i], stars[i], err = p.field(&cronFields[i], part); err != nil {
			return Cron{}, err
		}
	}
	if sets[fieldWeekday]>>7 == 1 {
		sets[fieldWeekday] = sets[fieldWeekday]&^(1<<7) | 1
	}
	c := Cron{
		text: text, minutes: sets[fieldMinute], hours: sets[fieldHour],
		days: sets[fieldDay], months: sets[fieldMonth], weekdays: sets[fieldWeekday],
		either: !stars[fieldDay] && !stars[fieldWeekday],
		fixed:  !stars[fieldMinute] && !stars[fieldHour],
	}
	if !c.either && !c.hasDay() {
		at := parts[fieldDay]
		return Cron{}, p.errorf(at.offset, len(at.text), "it never ticks: no month among those of %q has the day %s", parts[fieldMonth].text, at.text)
	}
	return c, nil
}

// hasDay reports whether one of the months has one of the days. Every day of
// the year, 29 February too, falls on each day of the week in time.
func (c Cron) hasDay() bool {
	for month := 1; month <= 12; month++ {
		longest := Date{Year: 2000, Month: 1, Day: 1}.AddMonths(month - 1).MonthEnd().Day // a leap year
		if first, ok := nextBit(c.days, 1); ok && first <= longest && has(c.months, month) {
			return true
		}
	}
	return false
}

// cronAlias is what a name with @ stands for.
func cronAlias(name string) string {
	switch name {
	case "@hourly":
		return "0 * * * *"
	case "@daily", "@midnight":
		return "0 0 * * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@monthly":
		return "0 0 1 * *"
	case "@yearly", "@annually":
		return "0 0 1 1 *"
	}
	return ""
}

type cronParser struct {
	text     string // as written
	expanded string // with the name replaced
}

// cronPart is a piece of an expression.
type cronPart struct {
	text   string
	offset int // in bytes
}

func (p *cronParser) errorf(offset, length int, format string, args ...any) *CronError {
	return &CronError{Text: p.text, Offset: min(offset, len(p.text)), Length: length, Message: fmt.Sprintf(format, args...)}
}

func (p *cronParser) aliasError(word string) *CronError {
	e := p.errorf(strings.Index(p.text, word), len(word), "%q is not a name of a schedule", word)
	e.Hint = "names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
	switch name, _, _ := strings.Cut(strings.ToLower(word), " "); name {
	case "@every":
		e.Message, e.Later = "intervals come with a later release", true
		e.Hint = "write */15 in the minutes for every quarter of an hour"
	case "@reboot":
		e.Hint = "a schedule goes by the clock only; " + e.Hint
	}
	return e
}

// splitCron splits at spaces and tabs.
func splitCron(text string) []cronPart {
	var out []cronPart
	start := -1
	for i := 0; i <= len(text); i++ {
		space := i == len(text) || strings.IndexByte(" \t\r\n", text[i]) >= 0
		switch {
		case space && start >= 0:
			out = append(out, cronPart{text[start:i], start})
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	return out
}

// count checks the number of fields.
func (p *cronParser) count(parts []cronPart) *CronError {
	switch n := len(parts); {
	case n == len(cronFields):
		return nil
	case n == 0:
		e := p.errorf(0, 0, "the expression is empty")
		e.Hint = fieldsHint
		return e
	case strings.Contains(parts[0].text, "="):
		e := p.errorf(parts[0].offset, len(parts[0].text), "a zone cannot stand in the expression")
		e.Hint = "write `timezone` beside it"
		return e
	case n == len(cronFields)+1:
		e := p.errorf(parts[0].offset, len(p.text)-parts[0].offset, "6 fields, the first for seconds, come later")
		e.Hint, e.Later = "write 5: "+strings.TrimPrefix(fieldsHint, "the fields are "), true
		return e
	case n < len(cronFields):
		e := p.errorf(len(p.text), 0, "the %s is missing: it has %d of 5 fields", cronFields[n].name, n)
		e.Hint = fieldsHint
		return e
	default:
		e := p.errorf(parts[len(cronFields)].offset, len(p.text)-parts[len(cronFields)].offset, "it has %d fields, 5 are allowed", n)
		e.Hint = fieldsHint
		return e
	}
}

// field reads one field: its set, and whether it is written with a star.
func (p *cronParser) field(f *cronField, part cronPart) (set uint64, star bool, err *CronError) {
	offset := part.offset
	for item := range strings.SplitSeq(part.text, ",") {
		one, starred, err := p.item(f, cronPart{item, offset})
		if err != nil {
			return 0, false, err
		}
		set |= one
		star = star || starred
		offset += len(item) + 1
	}
	return set, star, nil
}

// item reads one item of a list: a star, a number or a range, with or without
// a step.
func (p *cronParser) item(f *cronField, part cronPart) (set uint64, star bool, err *CronError) {
	if part.text == "" {
		return 0, false, p.errorf(part.offset, 1, "a value is missing in the %s", f.name)
	}
	if special.MatchString(part.text) {
		return 0, false, p.special(f, part)
	}
	body, stepText, stepped := strings.Cut(part.text, "/")
	low, high := f.min, f.last
	first, last, isRange := strings.Cut(body, "-")
	star = body == "*"
	switch {
	case star:
	case isRange:
		if low, err = p.number(f, cronPart{first, part.offset}); err != nil {
			return 0, false, err
		}
		if high, err = p.number(f, cronPart{last, part.offset + len(first) + 1}); err != nil {
			return 0, false, err
		}
		if f == &cronFields[fieldWeekday] && high == 0 && low > 0 && strings.EqualFold(last, "SUN") {
			high = 7 // FRI-SUN
		}
		if low > high {
			e := p.errorf(part.offset, len(body), "the range %s of the %s ends before it begins", body, f.name)
			e.Hint = fmt.Sprintf("write two: %s-%d,%d-%s", first, f.last, f.min, last)
			return 0, false, e
		}
	default:
		if low, err = p.number(f, cronPart{body, part.offset}); err != nil {
			return 0, false, err
		}
		if high = low; stepped {
			e := p.errorf(part.offset, len(part.text), "the step has no range in the %s", f.name)
			e.Hint = fmt.Sprintf("write %s-%d/%s", body, f.last, stepText)
			return 0, false, e
		}
	}
	step := 1
	if stepped {
		if step, err = p.step(f, cronPart{stepText, part.offset + len(body) + 1}, high-low); err != nil {
			return 0, false, err
		}
	}
	for n := low; n <= high; n += step {
		set |= 1 << n
	}
	return set, star, nil
}

// number reads a number or name.
func (p *cronParser) number(f *cronField, part cronPart) (int, *CronError) {
	for i, name := range f.names {
		if strings.EqualFold(part.text, name) {
			return f.first + i, nil
		}
	}
	n, ok := digits(part.text)
	if !ok {
		e := p.errorf(part.offset, max(1, len(part.text)), "%q is not a %s", part.text, f.name)
		e.Hint = fmt.Sprintf("write a number from %d to %d", f.min, f.max)
		if f.names != nil {
			e.Hint += fmt.Sprintf(" or a name such as %s", f.names[0])
		}
		return 0, e
	}
	if n < f.min || n > f.max {
		return 0, p.errorf(part.offset, len(part.text), "the %s must be from %d to %d; this is %s", f.name, f.min, f.max, part.text)
	}
	return n, nil
}

// step reads a step over a range of the width.
func (p *cronParser) step(f *cronField, part cronPart, width int) (int, *CronError) {
	n, ok := digits(part.text)
	switch {
	case !ok || n == 0:
		e := p.errorf(part.offset, max(1, len(part.text)), "%q is not a step", part.text)
		e.Hint = "write a number from 1 on"
		return 0, e
	case n > width:
		e := p.errorf(part.offset, len(part.text), "the step %d is larger than the range of the %s, of which only the first value would remain", n, f.name)
		e.Hint = "write that value alone"
		return 0, e
	}
	return n, nil
}

// digits reads a number of at most four digits.
func digits(text string) (int, bool) {
	if text == "" || len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// special is an item in a form that other crons know: L, 3L, FRIL, L-2, W, 15W,
// LW, FRI#2, H, H/15, H(0-29), ?.
var special = regexp.MustCompile(`^(?i:L(-[0-9]*)?|LW|[0-9]*W|([0-9]+|[A-Z]{3})L|[^#/]*#[^/]*|H(\([^)]*\))?|\?)(/.*)?$`)

func (p *cronParser) special(f *cronField, part cronPart) *CronError {
	if strings.HasPrefix(part.text, "?") {
		e := p.errorf(part.offset, len(part.text), "%q is not a %s", part.text, f.name)
		e.Hint = "write *"
		return e
	}
	e := p.errorf(part.offset, len(part.text), "%q: L, W, # and H are not available yet", part.text)
	e.Hint, e.Later = "they come with a later release", true
	return e
}
