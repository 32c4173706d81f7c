package workflow

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
)

// DateAt is the business date of a run of the program that belongs to the
// instant: that of its acceptance, or for one that a schedule started, that of
// the tick.
func (p *Program) DateAt(instant time.Time) (calendar.Date, error) {
	return p.BusinessDate.DateAt(instant, p.Zone)
}

// DateAt is the business date of the instant by this rule, in the zone with the
// IANA name (empty: UTC). Without a rule it is the day itself.
func (b *BusinessDate) DateAt(instant time.Time, zone string) (calendar.Date, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return calendar.Date{}, fmt.Errorf("find the business date: %w", err)
	}
	var spec calendar.Spec
	if b != nil {
		var known bool
		if spec.Calendar, known = calendar.Builtin(b.Calendar); !known {
			return calendar.Date{}, fmt.Errorf("find the business date: there is no calendar %q", b.Calendar)
		}
		spec.Offset = b.Offset
		if b.DayStarts != "" {
			if spec.DayStarts, err = calendar.ParseTimeOfDay(b.DayStarts); err != nil {
				return calendar.Date{}, fmt.Errorf("find the business date: %w", err)
			}
		}
	}
	date, err := calendar.BusinessDate(instant, location, spec)
	if err != nil {
		return calendar.Date{}, fmt.Errorf("find the business date: %w", err)
	}
	return date, nil
}
