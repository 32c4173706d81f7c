package project

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// language knows a definition when it sees one.
type language struct {
	name       string
	recognises func(path string, text []byte) bool
}

// languages are asked in order.
var languages = []language{
	{asl.Name, recogniseASL},
	{native.Name, recogniseNative},
}

// aslEnds are how the names of files in Amazon States Language end.
var aslEnds = []string{".asl.json", ".asl.yaml", ".asl.yml"}

// recogniseASL goes by the name alone: other files that hold a state machine
// are taken for one where they are named, see [isMachine].
func recogniseASL(path string, _ []byte) bool {
	return slices.ContainsFunc(aslEnds, func(end string) bool { return strings.HasSuffix(path, end) })
}

// isMachine reports whether the text is a state machine: it has StartAt and
// States at its top.
func isMachine(path string, text []byte) bool {
	docs, _ := yamldoc.Parse(path, text)
	return len(docs) == 1 && docs[0].Get("StartAt") != nil && docs[0].Get("States") != nil
}

// kindKey is a key `kind` at the top of a YAML document; apiVersion marks the
// objects of another system that have a kind too.
var (
	kindKey    = regexp.MustCompile(`(?m)^(kind|"kind"|'kind')[ \t]*:`)
	apiVersion = regexp.MustCompile(`(?m)^apiVersion[ \t]*:`)
)

// recogniseNative takes every document that says its kind; whether the kind is
// known is for the dialect to say.
func recogniseNative(path string, text []byte) bool {
	if filepath.Ext(path) != ".json" {
		return kindKey.Match(text) && !apiVersion.Match(text)
	}
	v, err := value.Parse(text)
	if err != nil { // reported where it is loaded, if somebody meant it
		return bytes.Contains(text, []byte(`"kind"`))
	}
	return !v.Get("kind").IsUndefined() && v.Get("apiVersion").IsUndefined()
}

// Languages are the names of the languages of definitions.
func Languages() []string {
	var names []string
	for _, l := range languages {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return names
}
