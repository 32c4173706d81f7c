package duration

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Pattern is the grammar as a regular expression (ECMA-262 and RE2).
const Pattern = `^([0-9]+(\.[0-9]+)?(w|d|h|m|s|ms))+$`

// Max is the longest duration: 100 years of 365 days.
const Max = 100 * 365 * 24 * time.Hour

var units = []struct {
	suffix string
	length time.Duration
}{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
	{"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// Parse reads a duration such as 1h30m. Units are w, d (always 24 hours), h,
// m, s and ms, each at most once, the larger first.
func Parse(text string) (time.Duration, error) {
	if text == "" {
		return 0, fmt.Errorf("empty duration; write a number and a unit, such as 90s, 10m or 1h30m")
	}
	var total float64
	next := 0 // units from here on may follow
	for rest := text; rest != ""; {
		digits := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if digits <= 0 || rest[0] == '.' || rest[digits-1] == '.' {
			return 0, fmt.Errorf("%q is not a duration; write a number and a unit, such as 90s, 10m or 1h30m", text)
		}
		number, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration: bad number %q", text, rest[:digits])
		}
		rest = rest[digits:]
		letters := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
		if letters < 0 {
			letters = len(rest)
		}
		i := next
		for i < len(units) && units[i].suffix != rest[:letters] {
			i++
		}
		if i == len(units) {
			return 0, fmt.Errorf("%q is not a duration: unit %q is unknown, repeated or out of order (w d h m s ms, larger first)", text, rest[:letters])
		}
		total += number * float64(units[i].length)
		next = i + 1
		rest = rest[letters:]
	}
	if total > float64(Max) {
		return 0, fmt.Errorf("duration %q is longer than 100 years", text)
	}
	return time.Duration(math.Round(total)), nil
}

// Format writes d in the shortest exact form that [Parse] reads; parts below
// a millisecond are rounded away. Negative durations have a minus sign, which
// Parse refuses.
func Format(d time.Duration) string {
	if d < 0 {
		return "-" + Format(-d)
	}
	d = d.Round(time.Millisecond)
	var b strings.Builder
	for _, u := range units[1:] { // weeks are read, not written
		if n := d / u.length; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.suffix)
			d -= n * u.length
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
