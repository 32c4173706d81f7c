package asl_test

import (
	"fmt"
	"strings"
	"testing"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/dialect/asl"
)

// BenchmarkStates converts machines of many states, in one flow, in many, and
// with names that leave nothing for IDs: twice the states take about twice the
// time.
func BenchmarkStates(b *testing.B) {
	for _, n := range []int{1_500, 3_000, 6_000} {
		for shape, write := range map[string]func(int) string{
			"flow":     func(n int) string { return longFlow("S%d", n) },
			"names":    func(n int) string { return longFlow("%c", n) },
			"branches": manyBranches,
		} {
			b.Run(fmt.Sprintf("%s-%d", shape, n), func(b *testing.B) {
				m, problems := asl.Read(aslConfig(asl.Standard), "machine.asl.yaml", []byte(write(n)))
				if asl.HasErrors(problems) {
					b.Fatal(problems)
				}
				for b.Loop() {
					if r := convert.Convert(convert.Config{Name: "machine", Target: target}, m); r.YAML == nil {
						b.Fatal(r.Report.Text())
					}
				}
			})
		}
	}
}

// longFlow is n states, one behind the other, with names of the form.
func longFlow(form string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "StartAt: "+form+"\nStates:\n", '一')
	for i := range rune(n - 1) {
		fmt.Fprintf(&b, "  "+form+": {Type: Pass, Result: %d, ResultPath: $.r%d, Next: "+form+"}\n", '一'+i, i, i, '一'+i+1)
	}
	fmt.Fprintf(&b, "  "+form+": {Type: Succeed}\n", '一'+n-1)
	return b.String()
}

// manyBranches is a Parallel of n branches with a state each.
func manyBranches(n int) string {
	var b strings.Builder
	b.WriteString("StartAt: All\nStates:\n  All:\n    Type: Parallel\n    End: true\n    Branches:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - {StartAt: S%d, States: {S%d: {Type: Pass, Result: %d, End: true}}}\n", i, i, i)
	}
	return b.String()
}
