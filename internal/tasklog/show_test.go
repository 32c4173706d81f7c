package tasklog

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ plain, colour string }{
		"":               {"", ""},
		"plain\ttext ~!": {"plain\ttext ~!", "plain\ttext ~!"},
		"é 漢字 🎭 é":       {"é 漢字 🎭 é", "é 漢字 🎭 é"},
		"👨\u200d👩\u200d👧 می\u200cخواهم":          {"👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"},
		"\x1b[31mred\x1b[0m":                     {"red", "\x1b[31mred\x1b[0m\x1b[0m"},
		"\x1b[1;38;5;8mgrey":                     {"grey", "\x1b[1;38;5;8mgrey\x1b[0m"},
		"\x1b[38;2;8;8;8mx":                      {"x", "\x1b[38;2;8;8;8mx\x1b[0m"},
		"\x1b[38:5:8mx":                          {"x", "\x1b[38:5:8mx\x1b[0m"},
		"\x1b[mx":                                {"x", "\x1b[mx\x1b[0m"},
		"\x1b[8mhidden":                          {`\x1b[8mhidden`, `\x1b[8mhidden`},
		"\x1b[31;08mhidden":                      {`\x1b[31;08mhidden`, `\x1b[31;08mhidden`},
		"\x1b[2Jcleared":                         {`\x1b[2Jcleared`, `\x1b[2Jcleared`},
		"\x1b[1A\x1b[2Kover":                     {`\x1b[1A\x1b[2Kover`, `\x1b[1A\x1b[2Kover`},
		"\x1b]8;;http://x\x1b\\link":             {`\x1b]8;;http://x\x1b\link`, `\x1b]8;;http://x\x1b\link`},
		"\x1b]0;title\x07":                       {`\x1b]0;title\x07`, `\x1b]0;title\x07`},
		"\x1bPq#0\x1b\\":                         {`\x1bPq#0\x1b\`, `\x1bPq#0\x1b\`},
		"\x1b[?25l\x1b[>c\x1bc":                  {`\x1b[?25l\x1b[>c\x1bc`, `\x1b[?25l\x1b[>c\x1bc`},
		"\x1b[31":                                {`\x1b[31`, `\x1b[31`},
		"\x1b":                                   {`\x1b`, `\x1b`},
		"\x1b[" + strings.Repeat("1;", 40) + "m": {`\x1b[` + strings.Repeat("1;", 40) + "m", `\x1b[` + strings.Repeat("1;", 40) + "m"},
		"a\rb\nc\bd\x7f\x00":                     {`a\rb\nc\x08d\x7f\x00`, `a\rb\nc\x08d\x7f\x00`},
		"\u009b31mC1":                            {`\u009b31mC1`, `\u009b31mC1`},
		"\x9b31mC1 byte":                         {`\x9b31mC1 byte`, `\x9b31mC1 byte`},
		"\xff\xc3":                               {`\xff\xc3`, `\xff\xc3`},
		"\ufffd":                                 {"\ufffd", "\ufffd"},
		"user\u202eexe.txt\u2066\u200f":          {`user\u202eexe.txt\u2066\u200f`, `user\u202eexe.txt\u2066\u200f`},
		"\u200b\ufeff\u2028\u00ad":               {`\u200b\ufeff\u2028\u00ad`, `\u200b\ufeff\u2028\u00ad`},
		"\U000e0041":                             {`\U000e0041`, `\U000e0041`},
		"\u0600":                                 {"\u0600", "\u0600"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if got := Sanitize(text, false); got != c.plain {
				t.Errorf("plain: %q, want %q", got, c.plain)
			}
			if got := Sanitize(text, true); got != c.colour {
				t.Errorf("colour: %q, want %q", got, c.colour)
			}
		})
	}
}

// Sanitised text is valid, has no hidden character, and is left as it is by
// another turn; with colour the same holds between the escapes, and the text
// ends without colour.
func FuzzSanitize(f *testing.F) {
	for _, seed := range []string{"a\x1b[31mb", "\x1b]0;x\x07", "\u202e", "\xff", "\x1b[\x1b[31mm", "\x1b[38;5;8;8m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain := Sanitize(text, false)
		if !utf8.ValidString(plain) || strings.ContainsFunc(plain, hidden) {
			t.Fatalf("%q gives %q", text, plain)
		}
		if again := Sanitize(plain, false); again != plain {
			t.Fatalf("%q gives %q, and then %q", text, plain, again)
		}
		coloured := Sanitize(text, true)
		if Sanitize(coloured, false) != plain {
			t.Fatalf("%q gives %q with colour, %q without", text, coloured, plain)
		}
		if strings.Contains(coloured, "\x1b") && !strings.HasSuffix(coloured, "\x1b[0m") {
			t.Fatalf("%q gives %q, which ends in colour", text, coloured)
		}
	})
}

func TestStyle(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for name, c := range map[string]struct {
		style Style
		line  Line
		want  string
	}{
		"stdout":    {Style{}, Line{Stream: out, Text: "hello"}, "| hello\n"},
		"stderr":    {Style{}, Line{Stream: bad, Text: "hello"}, "! hello\n"},
		"regie":     {Style{}, Line{Stream: sys, Text: "cut"}, "= cut\n"},
		"empty":     {Style{}, Line{Stream: out}, "|\n"},
		"prefix":    {Style{Prefix: "settle[0]"}, Line{Stream: out, Text: "hello"}, "settle[0] | hello\n"},
		"time":      {Style{Zone: time.FixedZone("", 3600)}, Line{At: at, Stream: out, Text: "x"}, "2026-01-02T04:04:05.678+01:00 | x\n"},
		"colour":    {Style{Colour: true}, Line{Stream: out, Text: "\x1b[31mx"}, "| \x1b[31mx\x1b[0m\n"},
		"no colour": {Style{}, Line{Stream: out, Text: "\x1b[31mx"}, "| x\n"},
		"fake":      {Style{}, Line{Stream: out, Text: "x\r= approved by admin"}, `| x\r= approved by admin` + "\n"},
		"fake log":  {Style{}, Line{Stream: out, Text: `2026-01-02 level=INFO msg="approved by admin"`}, `| 2026-01-02 level=INFO msg="approved by admin"` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(c.style.Append(nil, c.line)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
