package engine_test

import (
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// person does a command of a script about signals and approvals.
func (w *world) person(word, first, rest string) {
	w.t.Helper()
	second, third, _ := strings.Cut(rest, " ")
	switch word {
	case "signal":
		in := engine.Signal{Name: first, Actor: "user/ada"}
		if rest != "" {
			in.Data = value.MustParse(rest)
		}
		w.action(in)
	case "signal-key":
		w.action(engine.Signal{Name: rest, Key: first, Data: value.String(first), Actor: "user/ada"})
	case "reject":
		w.action(engine.Vote{Step: first, Actor: "user/" + second, Comment: third})
	default:
		in := engine.Vote{Step: first, Actor: "user/" + second, Approve: true, Authors: []string{"user/author"}}
		if third != "" {
			in.Roles = []string{third}
		}
		if word == "approve-old" {
			in.Wait = 1
		}
		w.action(in)
	}
}
