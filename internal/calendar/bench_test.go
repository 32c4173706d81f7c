package calendar

import (
	"testing"
	"time"
)

// BenchmarkBetween: ticks of a year of every minute, as after a long outage.
func BenchmarkBetween(b *testing.B) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	zone := zoneOf(b, "Europe/Amsterdam")
	for name, text := range map[string]string{"minutes": "* * * * *", "days": "30 2 * * *", "leap days": "0 0 29 2 *"} {
		c := cronOf(b, text)
		b.Run(name, func(b *testing.B) {
			at := from
			for b.Loop() {
				tick, ok := c.Next(at, zone)
				if at = tick.At; !ok || at.Year() > 2500 {
					at = from
				}
			}
		})
	}
}
