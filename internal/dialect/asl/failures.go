package asl

import (
	"slices"

	"github.com/regie-dev/regie/internal/yamldoc"
)

// retry reads the retriers.
func (o *object) retry(s *State) {
	if n := o.get("Retry"); n != nil && n.Kind == yamldoc.List && len(n.Items) == 0 {
		return // an empty list is as good as none
	}
	items := o.list("Retry")
	for i, n := range items {
		r := o.inner(n, index(o.where("Retry"), i))
		if r == nil {
			continue
		}
		r.fields(fieldSet{both: words("ErrorEquals IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy Comment")})
		r.required("ErrorEquals")
		s.Retry = append(s.Retry, Retrier{
			ErrorEquals:     r.errors(i == len(items)-1),
			IntervalSeconds: r.number("IntervalSeconds", bounds{whole: true, max: maxSeconds}),
			MaxAttempts:     r.number("MaxAttempts", bounds{whole: true, max: maxAttempts}),
			MaxDelaySeconds: r.number("MaxDelaySeconds", bounds{whole: true, min: 1, max: maxDelaySeconds}),
			BackoffRate:     r.number("BackoffRate", bounds{min: 1}),
			FullJitter:      r.oneOf("JitterStrategy", "NONE", "FULL") == "FULL",
			Comment:         r.str("Comment").Text,
			Pos:             n.Pos,
		})
	}
}

// catch reads the catchers.
func (o *object) catch(s *State) {
	if n := o.get("Catch"); n != nil && n.Kind == yamldoc.List && len(n.Items) == 0 {
		return
	}
	items := o.list("Catch")
	for i, n := range items {
		c := o.inner(n, index(o.where("Catch"), i))
		if c == nil {
			continue
		}
		c.caught = true
		c.fields(fieldSet{words("ErrorEquals Next Assign Comment"), words("ResultPath"), words("Output")})
		c.required("ErrorEquals", "Next")
		s.Catch = append(s.Catch, Catcher{
			ErrorEquals: c.errors(i == len(items)-1),
			Next:        c.str("Next"),
			ResultPath:  c.path("ResultPath", pathRule{null: true, reference: true, input: true}),
			Assign:      c.assign(),
			Output:      c.template("Output"),
			Comment:     c.str("Comment").Text,
			Pos:         n.Pos,
			Location:    c.at,
		})
	}
}

// errors reads ErrorEquals; last says that no retrier or catcher follows.
func (o *object) errors(last bool) []string {
	items := o.list("ErrorEquals")
	var names []string
	for i, n := range items {
		if n.Kind != yamldoc.String {
			o.wrongType(n, index(o.where("ErrorEquals"), i), "[STRING]")
			continue
		}
		names = append(names, n.Text)
	}
	if slices.Contains(names, "States.ALL") && (len(items) > 1 || !last) {
		o.fail(o.get("ErrorEquals"), o.where("ErrorEquals"), "States.ALL must appear alone and at end of list")
	}
	return names
}
