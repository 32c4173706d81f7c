package project

import (
	"bytes"
	"path/filepath"
	"regexp"

	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/value"
)

// language knows a definition when it sees one.
type language struct {
	name       string
	recognises func(path string, text []byte) bool
}

// languages are asked in order.
var languages = []language{
	{native.Name, recogniseNative},
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
