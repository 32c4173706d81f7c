package workflow

import (
	"fmt"
	"strings"
)

// Segment makes any name a segment of a path of steps: what has a meaning in
// paths is percent-encoded.
func Segment(name string) string {
	const special = "/[]#~%"
	if !strings.ContainsAny(name, special) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(special, name[i]) >= 0 {
			fmt.Fprintf(&b, "%%%02X", name[i])
		} else {
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
