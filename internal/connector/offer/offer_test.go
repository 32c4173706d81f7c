package offer_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/offer"
	"github.com/regie-dev/regie/internal/value"
)

func TestOffer(t *testing.T) {
	t.Parallel()
	said := ""
	call := connector.Call{Input: value.MustParse(`{"activity": "pack", "input": [1]}`), Log: func(line string) { said += line }}
	result, err := offer.New().Call(t.Context(), call)
	if err != nil || result.Output.String() != "{}" || !strings.Contains(said, "pack") {
		t.Errorf("%s, %v, said %q", result.Output, err, said)
	}
	call.Input = value.Object()
	if _, err := offer.New().Call(t.Context(), call); err == nil || !strings.Contains(err.Error(), "activity") {
		t.Errorf("without an activity: %v", err)
	}
}
