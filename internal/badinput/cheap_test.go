package badinput

import (
	"runtime"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr/cel"
)

// TestRefusedCheaply: what is refused for its length or depth takes next to no
// memory (rows B03 and B04). It measures what is allocated in all, which bounds
// what is held at once and, unlike time, is the same on every machine.
func TestRefusedCheaply(t *testing.T) { // not parallel: it measures
	const most = 8 << 20 // bytes
	lang := cel.New()
	_, _ = lang.Compile("1", nil) // what is made once
	for name, source := range map[string]string{
		"1 MiB":                     strings.Repeat("1", 1<<20),
		"1 MiB of parentheses":      strings.Repeat("(", 1<<20),
		"10,000 nested parentheses": strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000),
		"4,000 nested parentheses":  strings.Repeat("(", 4_000) + "1" + strings.Repeat(")", 4_000),
		"5,000 additions":           "1" + strings.Repeat("+1", 5_000),
		"4,000 additions":           "1" + strings.Repeat("+1", 4_000),
		"nested lists":              strings.Repeat("[", 4_000) + strings.Repeat("]", 4_000),
		"nested macros":             strings.Repeat("[1].map(x,", 700) + "1" + strings.Repeat(")", 700),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, problems := lang.Compile(source, nil)
		runtime.ReadMemStats(&after)
		if len(problems) == 0 {
			t.Errorf("%s: not refused", name)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%s: %d KiB allocated", name, used>>10)
		}
	}
}
