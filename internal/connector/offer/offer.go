package offer

import (
	"context"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Offer is the connector activity.offer.
type Offer struct{ descriptor *connector.Descriptor }

var _ connector.Connector = (*Offer)(nil)

// Name is the name of the connector.
const Name = "activity.offer"

// New returns the connector.
func New() *Offer {
	return &Offer{&connector.Descriptor{
		Name: Name,
		Doc:  "Offers work to whoever asks for it. The attempt ends at once; the step ends with a message.",
		Input: &descriptor.Object{
			Name: Name, Doc: "The work.",
			Fields: []descriptor.Field{
				{Name: "activity", Doc: "Name by which it is asked for.", Type: descriptor.Type{Kind: descriptor.String}, Required: true},
				{Name: "input", Doc: "What is to be worked on.", Type: descriptor.Type{Kind: descriptor.Any}},
			},
		},
		Output:     &descriptor.Object{Name: Name + " output", Doc: "Nothing."},
		Idempotent: true,
		Hidden:     true,
	}}
}

// Describe returns the descriptor of activity.offer.
func (o *Offer) Describe() *connector.Descriptor { return o.descriptor }

// Call checks the input; there is nothing to do until somebody asks.
func (o *Offer) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	if _, err := connector.Prepare(ctx, o.descriptor, call); err != nil {
		return connector.Result{}, err
	}
	activity := call.Input.Get("activity").Text()
	if len(activity) > workflow.MaxActivity {
		return connector.Result{}, connector.Errorf(connector.InvalidInput, "the name of the activity has %d bytes, more than %d", len(activity), workflow.MaxActivity)
	}
	call.Log("offered to the workers of " + activity)
	return connector.Result{Output: value.Object()}, nil
}
