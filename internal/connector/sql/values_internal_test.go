package sql

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/regie-dev/regie/internal/value"
	"pgregory.net/rapid"
)

// Arrays of texts come back as they were written, whatever is in them.
func TestArrayRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.OneOf(
			rapid.Just(value.Null),
			rapid.Map(rapid.StringMatching(`[ab"\\{},é NULL']{0,8}`), value.String),
		), 1, 6).Draw(t, "items")
		list := value.List(items...)
		text, err := encodeParam(list, pgtype.TextArrayOID)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(string(text), pgtype.TextArrayOID); !value.Equal(got, list) {
			t.Fatalf("%s was written as %s and read as %s", list, text, got)
		}
	})
}

// Whatever text stands for an array, reading it ends with a list or the text.
func FuzzDecodeArray(f *testing.F) {
	f.Add(`{1,NULL,"a \"b\"",{2}}`)
	f.Add(`[0:1]={1,2}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // the server sends UTF-8
		}
		got := decode(text, pgtype.TextArrayOID)
		if s, ok := got.Str(); got.Kind() != value.KindList && (!ok || s != text) {
			t.Fatalf("%q was read as %s", text, got)
		}
	})
}

// The first word is found behind whatever may stand before it, and what is cut
// off holds no word.
func TestFirstWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOf(rapid.SampledFrom([]string{" ", "\n", "\t", ";", "(", "--x commit\n", "/* commit */", "/**/", "-- /*\n", "/* -- */"})).Draw(t, "before")
		word := rapid.SampledFrom([]string{"COMMIT", "commit", "Select", "with"}).Draw(t, "word")
		after := rapid.SampledFrom([]string{"", " x", ";", "--", "/*", "(", "\n"}).Draw(t, "after")
		if got := firstWord(strings.Join(before, "") + word + after); got != strings.ToLower(word) {
			t.Fatalf("got %q", got)
		}
	})
}
