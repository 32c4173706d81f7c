package api

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// TestKeptAnswers: what is kept of the largest answers fits, and says of each run
// and definition what became of it.
func TestKeptAnswers(t *testing.T) {
	t.Parallel()
	act := &regiev1.ActResponse{Position: 7}
	for i := range MaxActed {
		act.Results = append(act.Results, &regiev1.ActResult{
			Run: fmt.Sprintf("%026d", i), Done: i%2 == 0, Code: "refused", Message: strings.Repeat("ä", 10_000),
			Steps: []string{strings.Repeat("x", 10_000)},
		})
	}
	kept1, ok := kept(act).(*regiev1.ActResponse)
	if !ok || proto.Size(kept1) > MaxAnswer || len(kept1.GetResults()) != MaxActed || !kept1.GetResults()[0].GetDone() || kept1.GetPosition() != 7 {
		t.Errorf("%d bytes of %d results", proto.Size(kept1), len(kept1.GetResults()))
	}
	if m := kept1.GetResults()[0].GetMessage(); !utf8.ValidString(m) || !strings.HasPrefix(m, "ää") {
		t.Errorf("message %q", m)
	}
	if len(act.GetResults()[0].GetSteps()) != 1 {
		t.Error("the answer itself was changed")
	}
	apply := &regiev1.ApplyResponse{Changes: []*regiev1.Change{{Name: "a", Action: "updated", Differences: []string{strings.Repeat("x", MaxAnswer)}}}}
	if kept2, ok := kept(apply).(*regiev1.ApplyResponse); !ok || proto.Size(kept2) > MaxAnswer || kept2.GetChanges()[0].GetAction() != "updated" {
		t.Errorf("%d bytes of an Apply", proto.Size(kept2))
	}
	if small := (&regiev1.ActResponse{Position: 1}); kept(small) != proto.Message(small) {
		t.Error("a small answer is not kept as it is")
	}
}
