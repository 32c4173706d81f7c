package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// maxDifferences bounds how many lines of a change are shown.
const maxDifferences = 40

// differences shows the lines in which two texts differ: those between what
// they begin with and what they end with in common.
func differences(old, text string) []string {
	a, b := strings.Split(old, "\n"), strings.Split(text, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out []string
	for _, line := range a {
		out = append(out, "- "+line)
	}
	for _, line := range b {
		out = append(out, "+ "+line)
	}
	if more := len(out) - maxDifferences; more > 0 {
		out = append(out[:maxDifferences], fmt.Sprintf("… and %d lines more", more))
	}
	return out
}

// same reports whether two objects say the same.
func same(a, b *Object) bool {
	x, y := *a, *b
	x.UpdatedBy, y.UpdatedBy = "", ""
	if s, err := json.Marshal(x.TaskType); err == nil {
		t, err := json.Marshal(y.TaskType)
		if err != nil || !bytes.Equal(s, t) {
			return false
		}
		x.TaskType, y.TaskType = nil, nil
	}
	return reflect.DeepEqual(x, y)
}
