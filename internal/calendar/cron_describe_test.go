package calendar

import "testing"

func TestDescribe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0 1 * * *":            "at 01:00",
		"30 1,13 * * 1-5":      "at 01:30 and 13:30, on Monday to Friday",
		"0 6 1 * *":            "at 06:00, on day 1 of the month",
		"0 6 * * SAT,SUN":      "at 06:00, on Saturday and Sunday",
		"0 0 29 2 *":           "at 00:00, on day 29 of the month, in February",
		"0 0 13 * FRI":         "at 00:00, on day 13 of the month or on Friday",
		"0 0 */2 6-8 7":        "at 00:00, on day 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month, if that is Sunday, in June to August",
		"* * * * *":            "every minute",
		"*/15 * * * *":         "every 15 minutes",
		"*/15 8-18 * * *":      "every 15 minutes in the hours 8 to 18",
		"@hourly":              "at minute 0 of every hour",
		"5,35 * * * *":         "at minute 5 and 35 of every hour",
		"* */2 * * *":          "every minute in every 2 hours",
		"*/7 * * * *":          "at minute 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour",
		"0 0 1-31 1-12 0-6":    "at 00:00",
		"0-10 1-2 * JAN,DEC *": "at minute 0 to 10 in the hours 1 and 2, in January and December",
	} {
		if got := cronOf(t, text).Describe(); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	if got := (Cron{}).Describe(); got != "never" {
		t.Errorf("the zero expression: %q", got)
	}
}
