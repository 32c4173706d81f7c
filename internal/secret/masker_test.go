package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"pgregory.net/rapid"
)

func newMasker(t testing.TB, texts ...string) *secret.Masker {
	t.Helper()
	named := make([]secret.Named, len(texts))
	for i, text := range texts {
		named[i] = secret.Named{Name: fmt.Sprintf("S%d", i), Secret: secret.New(text)}
	}
	m, warnings := secret.NewMasker(named...)
	if len(warnings) != 0 {
		t.Fatalf("warnings: %q", warnings)
	}
	return m
}

// The listed encodings of a secret are masked (row B39).
func TestMaskEncodings(t *testing.T) {
	t.Parallel()
	const s = `p/ss "w'rd<é>&+?`
	m := newMasker(t, s)
	quoted, _ := json.Marshal(s)
	inner := string(quoted[1 : len(quoted)-1])
	for name, text := range map[string]string{
		"plain":                s,
		"base64":               base64.StdEncoding.EncodeToString([]byte(s)),
		"base64 raw":           base64.RawStdEncoding.EncodeToString([]byte(s)),
		"base64 url":           base64.URLEncoding.EncodeToString([]byte(s)),
		"base64 raw url":       base64.RawURLEncoding.EncodeToString([]byte(s)),
		"base64 with line end": base64.StdEncoding.EncodeToString([]byte(s + "\n")),
		"query":                url.QueryEscape(s),
		"path":                 url.PathEscape(s),
		"path, spaces escaped": strings.ReplaceAll(url.QueryEscape(s), "+", "%20"),
		"query in small":       strings.ToLower(url.QueryEscape(s)),
		"JSON":                 inner,
		"JSON without HTML":    strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(inner),
		"JSON in ASCII":        `p/ss \"w'rd<\u00e9>&+?`,
		"JSON in ASCII, caps":  `p/ss \"w'rd<\u00E9>&+?`,
		"JSON, slash escaped":  `p\/ss \"w'rd<é>&+?`,
		"hex":                  hex.EncodeToString([]byte(s)),
		"hex in capitals":      strings.ToUpper(hex.EncodeToString([]byte(s))),
		"shell":                `p/ss "w'\''rd<é>&+?`,
		"shell, double quotes": `p/ss "w'"'"'rd<é>&+?`,
	} {
		if got := m.String("before " + text + " after"); got != "before *** after" {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
}

// Inside of longer base64 data at most the two digits that it shares with its
// neighbours remain of a secret.
func TestMaskBase64Alignments(t *testing.T) {
	t.Parallel()
	const s = "correct-horse-battery"
	m := newMasker(t, s)
	for _, before := range []string{"", "a", "ab", "abc", "user:", "user1:", "user12:"} {
		for _, after := range []string{"", "z", "zy", "zyx", " and more"} {
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				text := enc.EncodeToString([]byte(before + s + after))
				got := m.String(text)
				if strings.Count(got, secret.Mask) != 1 {
					t.Errorf("%q + secret + %q: %q became %q", before, after, text, got)
				}
				own := enc.EncodeToString([]byte(before + after))
				if len(got) > len(own)+len(secret.Mask)+4 {
					t.Errorf("%q + secret + %q: too much remains: %q", before, after, got)
				}
			}
		}
	}
}

func TestMaskText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secrets    []string
		text, want string
	}{
		"no secrets":             {nil, "as it was", "as it was"},
		"nothing found":          {[]string{"hunter2hunter2"}, "hunter2 hunter", "hunter2 hunter"},
		"beginning and end":      {[]string{"abcdefgh"}, "abcdefgh-abcdefgh", "***-***"},
		"touching is one":        {[]string{"abcdefgh"}, "abcdefghabcdefgh!", "***!"},
		"overlapping secrets":    {[]string{"abcdefghij", "fghijklmno"}, "<abcdefghijklmno>", "<***>"},
		"self-overlapping":       {[]string{"abaabaaba"}, "abaabaabaaba|", "***|"},
		"one within the other":   {[]string{"cdefghij", "abcdefghijkl"}, "abcdefghijkl abcdefghij", "*** ab***"},
		"longer one breaks off":  {[]string{"abcdefgh", "bcdefghijklmnop"}, "abcdefghijk", "***ijk"},
		"suffix is another":      {[]string{"xxabcdefgh", "abcdefgh"}, "xabcdefgh", "x***"},
		"secret of lines":        {[]string{"-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n"}, "x second-line-of-it", "x ***"},
		"frame of lines remains": {[]string{"-----BEGIN KEY-----\nfirst-line-of-it\n"}, "-----BEGIN KEY-----", "-----BEGIN KEY-----"},
		"not UTF-8":              {[]string{"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"}, "a\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8b", "a***b"},
	} {
		if got := newMasker(t, c.secrets...).String(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Short secrets and common words are refused for masking, with a warning that
// does not show them (row B41).
func TestUnmaskable(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"":         "common word",
		"x":        "1 bytes",
		"abc":      "3 bytes",
		"7letter":  "7 bytes",
		"true":     "common word",
		"False":    "common word",
		"null":     "common word",
		"password": "common word",
	} {
		m, warnings := secret.NewMasker(secret.Named{Name: "PIN", Secret: secret.New(text)})
		if len(warnings) != 1 || !strings.Contains(warnings[0], "secret PIN is not masked") || !strings.Contains(warnings[0], reason) {
			t.Errorf("%q: warnings %q, want one with %q", text, warnings, reason)
		}
		if text != "" && strings.Contains(warnings[0], `"`+text+`"`) {
			t.Errorf("the warning shows the secret: %q", warnings[0])
		}
		const line = "x abc true 7letter"
		if got := m.String(line); got != line {
			t.Errorf("%q: %q became %q", text, line, got)
		}
	}
	if _, warnings := secret.NewMasker(secret.Named{Name: "S", Secret: secret.New("8letters")}); len(warnings) != 0 {
		t.Errorf("8 bytes: warnings %q", warnings)
	}
}

func TestMaskValue(t *testing.T) {
	t.Parallel()
	m := newMasker(t, "abcdefgh", "1234567890")
	in := value.MustParse(`{"a": "x abcdefgh y", "abcdefgh": [1, true, null, {"b": 12345678901}], "n": 1234567890, "f": 1.5, "same": "clean"}`)
	want := value.MustParse(`{"a": "x *** y", "***": [1, true, null, {"b": "***1"}], "n": "***", "f": 1.5, "same": "clean"}`)
	if got := m.Value(in); got.String() != want.String() {
		t.Errorf("got %s, want %s", got, want)
	}
	none, _ := secret.NewMasker()
	if got := none.Value(in); got.String() != in.String() {
		t.Errorf("without secrets: %s", got)
	}
}

type brokenWriter struct{ calls int }

var errBroken = errors.New("disk full")

func (w *brokenWriter) Write([]byte) (int, error) { w.calls++; return 0, errBroken }

func TestWriterKeepsError(t *testing.T) {
	t.Parallel()
	below := &brokenWriter{}
	w := newMasker(t, "abcdefgh").Writer(below)
	for range 3 {
		if _, err := w.Write([]byte("some text")); !errors.Is(err, errBroken) {
			t.Errorf("Write: %v", err)
		}
	}
	if err := w.Flush(); !errors.Is(err, errBroken) || below.calls != 1 {
		t.Errorf("Flush: %v after %d calls", err, below.calls)
	}
}

// What a flush cut off is not joined with what follows, and the writer goes on
// masking after it.
func TestWriterFlushBeginsAnew(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newMasker(t, "abcdefgh").Writer(&out)
	for _, part := range []string{"abcd", "efgh", "abcdefgh"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "abcdefgh***" {
		t.Errorf("got %q", out.String())
	}
}

// mask writes text in the pieces given by cuts and checks the bound of what
// is held back.
func mask(t interface{ Fatalf(string, ...any) }, m *secret.Masker, text string, cuts []int) string {
	var out bytes.Buffer
	w := m.Writer(&out)
	slices.Sort(cuts)
	written, from := 0, 0
	for _, to := range append(cuts, len(text)) {
		n, err := w.Write([]byte(text[from:to]))
		if err != nil || n != to-from {
			t.Fatalf("write: %d, %v", n, err)
		}
		written += n
		from = to
		// Masks make the output shorter or longer; without any the difference
		// is what is held back.
		if !strings.Contains(out.String(), secret.Mask) && written-out.Len() > m.HoldBack() {
			t.Fatalf("holds back %d bytes, more than %d", written-out.Len(), m.HoldBack())
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatalf("flush: %v", err)
	}
	return out.String()
}

// referenceMask marks all occurrences of all patterns, naively.
func referenceMask(text string, patterns []string) string {
	hidden := make([]bool, len(text))
	for _, p := range patterns {
		for i := 0; i+len(p) <= len(text); i++ {
			if text[i:i+len(p)] == p {
				for j := range len(p) {
					hidden[i+j] = true
				}
			}
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			out.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			out.WriteString(secret.Mask)
		}
	}
	return out.String()
}

// For any cut of any text into pieces the output is what the naive reference
// gives for the whole, and no form of a secret is in it.
func TestMaskAnySplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// A small alphabet makes overlaps and near misses frequent.
		texts := rapid.SliceOfN(rapid.StringMatching(`[ab/ ]{8,14}`).Filter(func(s string) bool {
			return secret.Maskable(s) == nil
		}), 1, 3).Draw(t, "secrets")
		var named []secret.Named
		var forms []string
		for _, s := range texts {
			named = append(named, secret.Named{Name: "S", Secret: secret.New(s)})
			forms = append(forms, secret.Encodings(s)...)
		}
		m, _ := secret.NewMasker(named...)
		parts := rapid.SliceOfN(rapid.OneOf(
			rapid.StringMatching(`[ab/ x]{0,12}`),
			rapid.SampledFrom(forms),
			rapid.Custom(func(t *rapid.T) string {
				f := rapid.SampledFrom(forms).Draw(t, "form")
				return f[:rapid.IntRange(0, len(f)).Draw(t, "cut")]
			}),
		), 0, 8).Draw(t, "parts")
		text := strings.Join(parts, "")
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 10).Draw(t, "cuts")

		got := mask(t, m, text, cuts)
		if want := referenceMask(text, forms); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		for _, f := range forms {
			if strings.Contains(got, f) {
				t.Fatalf("output %q contains %q", got, f)
			}
		}
	})
}

// Any secret, any text around it, cut anywhere: the same output as uncut, and
// no form of the secret in it.
func FuzzMask(f *testing.F) {
	f.Add("hunter2hunter2", "my password is hunter2hunter2!", uint16(20))
	f.Add("it's \"quoted\"\n", "x", uint16(0))
	f.Add("\xff\x00\xfe12345", "\xff\x00\xfe", uint16(2))
	f.Fuzz(func(t *testing.T, s, text string, cut uint16) {
		if secret.Maskable(s) != nil || len(s) > 1000 || len(text) > 10_000 || strings.Contains(s, "*") {
			return
		}
		m := newMasker(t, s)
		forms := secret.Encodings(s)
		text += forms[int(cut)%len(forms)] + text
		got := mask(t, m, text, []int{int(cut) % (len(text) + 1)})
		if whole := m.String(text); got != whole {
			t.Fatalf("cut at %d: %q, uncut %q", cut, got, whole)
		}
		for _, form := range forms {
			if strings.Contains(got, form) {
				t.Fatalf("output %q contains %q", got, form)
			}
		}
	})
}

// A long secret of one repeated byte, the worst case for what is held back,
// takes time in proportion to the text.
func TestMaskWorstCase(t *testing.T) {
	t.Parallel()
	m := newMasker(t, strings.Repeat("a", 20_000))
	text := strings.Repeat("a", 1_000_000) + "b"
	if got := m.String(text); got != "***b" {
		t.Errorf("got %d bytes", len(got))
	}
	short := strings.Repeat(strings.Repeat("a", 19_999)+"b", 50)
	if got := m.String(short); got != short {
		t.Errorf("text without the secret was changed")
	}
}

func BenchmarkMaskLog(b *testing.B) {
	m := newMasker(b, "correct-horse-battery", "hunter2hunter2", strings.Repeat("0123456789abcdef", 100))
	line := []byte("2026-01-02T03:04:05Z INFO settled 123 of 456 payments for account NL91ABNA0417164300\n")
	var out bytes.Buffer
	w := m.Writer(&out)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		out.Reset()
		_, _ = w.Write(line)
	}
}
