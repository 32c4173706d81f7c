package connector

import (
	"strconv"
	"strings"
)

// Reach says what an error tells about the other side: got, whether the call got
// through to something that works; known is false if the error says nothing about
// that, because Regie itself refused or ended the call.
//
// Not got through are: no connection (name, network, TLS), an answer that broke
// off or is none, no answer in time, and an answer that says the server is broken
// or busy (HTTP 500 to 599, SMTP 421, the SQL states of classes 08, 53 and 57P, a
// store that is unavailable). Any other answer, a refusal too, got through.
func (e *Error) Reach() (got, known bool) {
	family, rest, _ := strings.Cut(e.Name, ".")
	switch family {
	case Timeout:
		return false, true
	case "http", "sql", "smtp", "object":
	default:
		return false, false
	}
	switch rest {
	case "connect", "connection_lost", "protocol", "broken", "unavailable":
		return false, true
	}
	if status, err := strconv.Atoi(rest); err == nil && len(rest) == 3 {
		broken := family == "http" && status >= 500 || family == "smtp" && status == 421
		return !broken, true
	}
	if family == "sql" && len(rest) == 5 && (strings.HasPrefix(rest, "08") || strings.HasPrefix(rest, "53") || strings.HasPrefix(rest, "57P")) {
		return false, true
	}
	return true, true
}
