package yamldoc

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestBombs has row B71 of the bad inputs. The row allows 32 MiB; what is
// allocated in all bounds what is held at once, and does not depend on the
// speed of the machine as time does.
func TestBombs(t *testing.T) { // not parallel: it measures allocations
	sequence := func(format string, n int) string {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	laughs := func(merge bool) string {
		b := bytes.NewBufferString("a0: &a0 {x: 1}\n")
		for i := 1; i <= 7; i++ {
			refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ",")
			if merge {
				fmt.Fprintf(b, "a%d: &a%d\n  <<: [%s]\n", i, i, refs)
			} else {
				fmt.Fprintf(b, "a%d: &a%d [%s]\n", i, i, refs)
			}
		}
		return b.String()
	}
	tests := []struct{ name, text, code string }{
		{"alias bomb 9^7", laughs(false), CodeLimit},
		{"merge key bomb", laughs(true), CodeMergeKey},
		{"alias cycle", "a: &a [*a, *a]", CodeCycle},
		{"20k nested flow lists", strings.Repeat("[", 20_000), CodeLimit},
		{"20k nested and closed", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), CodeLimit},
		{"20k nested flow mappings", strings.Repeat("{a: ", 20_000), CodeLimit},
		{"20k nested block lists", strings.Repeat("- ", 20_000), CodeLimit},
		{"nested JSON", strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), CodeLimit},
		{"5 MB scalar", "a: " + strings.Repeat("x", 5<<20), CodeLimit},
		{"100k anchors", sequence("- &a%d x\n", 100_000), CodeLimit},
		{"100k aliases", "a: &a x\nb:\n" + strings.Repeat("- *a\n", 100_000), CodeLimit},
		{"512k values in a line", "[" + strings.Repeat("a,", 1<<19-10) + "]", CodeLimit},
		{"512k values in JSON", "[" + strings.Repeat("1,", 1<<19-10) + "1]", CodeLimit},
		{"260k values in lines", strings.Repeat("- a\n", 260_000), CodeLimit},
		{"1M line ends", strings.Repeat("\n", 1<<20), CodeLimit},
		{"300k properties in a line", strings.Repeat("&a ", 300_000), CodeLimit},
	}
	for _, tt := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, problems := Parse("f", []byte(tt.text))
		runtime.ReadMemStats(&after)
		if len(problems) == 0 || problems[0].Code != tt.code {
			t.Errorf("%s: %v, want code %s", tt.name, problems, tt.code)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
			t.Errorf("%s: %d MiB allocated", tt.name, used>>20)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + "\n" + strings.Repeat("]", n) + " # not JSON\n" }
	items := func(n int) string { return "a: &a [" + strings.Repeat("x, ", n) + "]\n" }
	aliases := func(n int) string { return "b:\n" + strings.Repeat("- *a\n", n) }
	chain := func(levels int) string { // each level nests the one before twice as deep
		b := "- &a0 [x]\n"
		for i := 1; i <= levels; i++ {
			b += fmt.Sprintf("- &a%d [[[[*a%d]]]]\n", i, i-1)
		}
		return b
	}
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"size", "a: " + strings.Repeat("x", MaxBytes-3), true},
		{"size passed", "a: " + strings.Repeat("x", MaxBytes-2), false},
		{"depth", nested(MaxDepth), true},
		{"depth passed", nested(MaxDepth + 1), false},
		{"depth of JSON", strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), true},
		{"depth of JSON passed", strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), false},
		{"depth through aliases", chain(15), true},
		{"depth through aliases passed", chain(16), false},
		{"aliases", items(900) + aliases(MaxAliases), true},
		{"aliases passed", items(1) + aliases(MaxAliases+1), false},
		{"values through aliases passed", items(1100) + aliases(MaxAliases), false},
		{"values", "[" + strings.Repeat("0,", MaxNodes-2) + "0]", true},
		{"values passed", "[" + strings.Repeat("0,", MaxNodes-1) + "0]", false},
		{"anchors", strings.Repeat("- &a x\n", MaxAnchors), true},
		{"anchors passed", strings.Repeat("- &a x\n", MaxAnchors+1), false},
		{"line density", "a: '" + strings.Repeat(",", MaxLineDensity-1) + "'", true},
		{"line density passed", "a: '" + strings.Repeat(",", MaxLineDensity) + "'", false},
		{"density", "a: |\n" + strings.Repeat("\n", MaxDensity-2), true},
		{"density passed", "a: |\n" + strings.Repeat("\n", MaxDensity), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := Parse("f", []byte(tt.text))
			if tt.ok && len(problems) > 0 {
				t.Errorf("refused: %v", problems)
			}
			if !tt.ok && (len(problems) != 1 || problems[0].Code != CodeLimit) {
				t.Errorf("problems %v, want one of code %s", problems, CodeLimit)
			}
		})
	}
}
