package calendar

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// maxTimes is how many times of day a description lists.
const maxTimes = 6

// Describe says in English when the expression ticks: "at 01:00, from Monday to
// Friday".
func (c Cron) Describe() string {
	if c.months == 0 {
		return "never"
	}
	parts := append([]string{c.describeTimes()}, c.describeDays()...)
	if c.months != fullSet(fieldMonth) {
		parts = append(parts, "in "+listed(c.months, func(n int) string { return time.Month(n).String() }))
	}
	return strings.Join(parts, ", ")
}

// fullSet has every number of the field.
func fullSet(field int) uint64 {
	f := cronFields[field]
	return 1<<(f.last+1) - 1<<f.min
}

func (c Cron) describeTimes() string {
	minutes, hours := bits.OnesCount64(c.minutes), bits.OnesCount64(c.hours)
	allHours := c.hours == fullSet(fieldHour)
	if minutes*hours <= maxTimes && !allHours {
		var times []string
		for at := 0; ; at++ {
			next, ok := c.timeOfDay(at)
			if !ok {
				return "at " + joined(times)
			}
			times = append(times, TimeOfDay(next).String())
			at = next
		}
	}
	text := describeEvery(c.minutes, fieldMinute)
	if text == "" {
		text = "at minute " + listed(c.minutes, strconv.Itoa)
		if allHours {
			return text + " of every hour"
		}
	}
	if allHours {
		return text
	}
	if every := describeEvery(c.hours, fieldHour); every != "" {
		return text + " in " + every
	}
	return text + " in the hours " + listed(c.hours, strconv.Itoa)
}

// describeEvery is "every 15 minutes" where the members of the set lie so from
// the first on, else empty.
func describeEvery(set uint64, field int) string {
	f := cronFields[field]
	for step := 1; step <= (f.last-f.min+1)/2; step++ {
		var regular uint64
		for n := f.min; n <= f.last; n += step {
			regular |= 1 << n
		}
		switch {
		case set != regular || (f.last-f.min+1)%step != 0:
		case step == 1:
			return "every " + f.name
		default:
			return fmt.Sprintf("every %d %ss", step, f.name)
		}
	}
	return ""
}

func (c Cron) describeDays() []string {
	var days, weekdays string
	if c.days != fullSet(fieldDay) {
		days = "on day " + listed(c.days, strconv.Itoa) + " of the month"
	}
	if c.weekdays != fullSet(fieldWeekday) {
		// A week begins on Monday here.
		weekdays = "on " + listed(c.weekdays>>1|c.weekdays&1<<6, func(n int) string { return time.Weekday((n + 1) % 7).String() })
	}
	switch {
	case c.either && (days == "" || weekdays == ""), days == "" && weekdays == "":
		return nil
	case days == "":
		return []string{weekdays}
	case weekdays == "":
		return []string{days}
	case c.either:
		return []string{days + " or " + weekdays}
	}
	return []string{days, "if that is " + strings.TrimPrefix(weekdays, "on ")}
}

// listed names the members of a set, three or more in a row as a range.
func listed(set uint64, name func(int) string) string {
	var out []string
	for n, ok := nextBit(set, 0); ok; n, ok = nextBit(set, n+1) {
		end := n
		for end < 63 && has(set, end+1) {
			end++
		}
		if end-n < 2 {
			out = append(out, name(n))
			continue
		}
		out = append(out, name(n)+" to "+name(end))
		n = end
	}
	return joined(out)
}

// joined is "a, b and c".
func joined(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
