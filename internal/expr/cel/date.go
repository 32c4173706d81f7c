package cel

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
)

var (
	dateType     = types.NewOpaqueType("date")
	calendarType = types.NewOpaqueType("calendar")
)

// date is a day without zone; text in JSON.
type date struct{ calendar.Date }

// calendarVal is a calendar that calendar() found.
type calendarVal struct{ calendar.Calendar }

var (
	_ ref.Val = date{}
	_ ref.Val = calendarVal{}
)

// ConvertToNative implements ref.Val.
func (date) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToType implements ref.Val.
func (d date) ConvertToType(t ref.Type) ref.Val { return convertOwn(d, dateType, t) }

// Equal implements ref.Val.
func (d date) Equal(other ref.Val) ref.Val { return equalVal(d, other) }

// Type implements ref.Val.
func (date) Type() ref.Type { return dateType }

// Value implements ref.Val.
func (d date) Value() any { return d.String() }

// ConvertToNative implements ref.Val.
func (calendarVal) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToType implements ref.Val.
func (c calendarVal) ConvertToType(t ref.Type) ref.Val { return convertAggregate(c, calendarType, t) }

// Equal implements ref.Val.
func (c calendarVal) Equal(other ref.Val) ref.Val {
	o, ok := other.(calendarVal)
	return types.Bool(ok && c.Name() == o.Name())
}

// Type implements ref.Val.
func (calendarVal) Type() ref.Type { return calendarType }

// Value implements ref.Val.
func (c calendarVal) Value() any { return c.Name() }

const oneDay = 24 * time.Hour

// moment is a date or an instant in the zone of the evaluation.
type moment struct {
	day    calendar.Date
	at     time.Time // when isTime
	isTime bool
}

// readMoment takes a date, a datetime or the text of either.
func readMoment(v ref.Val, zone *time.Location) (moment, error) {
	switch v := v.(type) {
	case date:
		return moment{day: v.Date}, nil
	case types.Timestamp:
		at := v.In(zone)
		return moment{day: calendar.DateOf(at), at: at, isTime: true}, nil
	case types.String:
		k := kDateTime
		if !strings.Contains(string(v), "T") {
			k = kDate
		}
		read, err := parseKind(k, string(v))
		if err != nil {
			return moment{}, err
		}
		return readMoment(read, zone)
	}
	return moment{}, fmt.Errorf("%s is neither a date nor a datetime", typeName(v))
}

// onDay is the moment on another day, at the same time of the clock. A time
// that the zone skips on that day moves forward.
func (m moment) onDay(day calendar.Date) (ref.Val, error) {
	if !day.IsValid() {
		return nil, fmt.Errorf("overflow: the date lies outside the years %d to %d", calendar.MinYear, calendar.MaxYear)
	}
	if !m.isTime {
		return date{day}, nil
	}
	at := day.At(calendar.TimeOfDayOf(m.at), m.at.Location())
	within := time.Duration(m.at.Second())*time.Second + time.Duration(m.at.Nanosecond())
	return types.Timestamp{Time: at.Add(within)}, nil
}

// add moves by an exact length of time; a date only by whole days.
func (m moment) add(d time.Duration) (ref.Val, error) {
	if m.isTime {
		v := (types.Timestamp{Time: m.at}).Add(types.Duration{Duration: d})
		if err, ok := v.(*types.Err); ok {
			return nil, err
		}
		return v, nil
	}
	if d%oneDay != 0 {
		return nil, fmt.Errorf("a date moves by whole days, not by %s; use date.at(date, time) to make a datetime of it", durationText(d))
	}
	return m.onDay(m.day.AddDays(int(d / oneDay)))
}

// sumDates computes a date and a duration, or the difference of two dates.
// ok is false when the operator does not work on the values.
func sumDates(op string, a, b ref.Val) (result ref.Val, ok bool, fault *expr.Error) {
	x, isDate := a.(date)
	if !isDate {
		if y, isDate := b.(date); isDate && op == opAdd {
			if _, isDuration := a.(types.Duration); isDuration {
				return sumDates(op, y, a)
			}
		}
		return nil, false, nil
	}
	switch y := b.(type) {
	case date:
		if op != opSub {
			return nil, false, nil
		}
		days := y.DaysUntil(x.Date)
		if limit := int(maxDuration / oneDay); days > limit || -days > limit {
			return nil, true, fail(-1, expr.Overflow, "duration overflow: the dates lie too far apart; use date.diff")
		}
		return types.Duration{Duration: time.Duration(days) * oneDay}, true, nil
	case types.Duration:
		d := y.Duration
		if op == opSub {
			d = -d
		}
		if op != opAdd && op != opSub {
			return nil, false, nil
		}
		out, err := moment{day: x.Date}.add(d)
		if err != nil {
			return nil, true, fail(-1, codeOf(err.Error()), err.Error())
		}
		return out, true, nil
	}
	return nil, false, nil
}

const maxDuration = time.Duration(1<<63 - 1)

// findCalendar returns the calendar with the name.
func findCalendar(name string) (ref.Val, error) {
	c, ok := calendar.Builtin(name)
	if ok {
		return calendarVal{c}, nil
	}
	hint := diag.DidYouMean(name, calendar.BuiltinNames())
	if hint == "" {
		hint = "there are " + strings.Join(calendar.BuiltinNames(), " and ")
	}
	return nil, fmt.Errorf("there is no calendar %q; %s", name, hint)
}
