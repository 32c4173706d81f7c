package offer_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/offer"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

func TestOffer(t *testing.T) {
	t.Parallel()
	said := ""
	call := connector.Call{Input: value.MustParse(`{"activity": "pack", "input": [1]}`), Log: func(line string) { said += line }}
	result, err := offer.New().Call(t.Context(), call)
	if err != nil || result.Output.String() != "{}" || !strings.Contains(said, "pack") {
		t.Errorf("%s, %v, said %q", result.Output, err, said)
	}
	call.Input = value.Object(value.M("activity", value.String(strings.Repeat("a", workflow.MaxActivity+1))))
	if _, err := offer.New().Call(t.Context(), call); err == nil || !strings.Contains(err.Error(), "1001 bytes") {
		t.Errorf("with a name that is too long: %v", err)
	}
	call.Input = value.Object()
	if _, err := offer.New().Call(t.Context(), call); err == nil || !strings.Contains(err.Error(), "activity") {
		t.Errorf("without an activity: %v", err)
	}
}
