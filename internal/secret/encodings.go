package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"
)

// Encodings returns the forms of text that are masked, plain first, without
// repetitions: base64 (standard and URL alphabet, with and without padding,
// also inside of longer encoded data at any of the three alignments, and with
// a line end encoded along), percent encoding of queries and paths with
// capital and small digits, JSON strings, hexadecimal with capital and small
// digits, and the inside of a shell's single quotes. Each line of a secret of
// several lines counts by itself if it is long enough.
func Encodings(text string) []string {
	forms := []string{text}
	forms = append(forms, base64Forms(text)...)
	query, path := url.QueryEscape(text), url.PathEscape(text)
	strict := strings.ReplaceAll(query, "+", "%20")
	forms = append(forms, query, path, strict, lowerPercent(query), lowerPercent(path), lowerPercent(strict))
	forms = append(forms, jsonForms(text)...)
	forms = append(forms, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))))
	forms = append(forms, strings.ReplaceAll(text, "'", `'\''`), strings.ReplaceAll(text, "'", `'"'"'`))
	forms = append(forms, lines(text)...)

	seen := make(map[string]bool, len(forms))
	unique := forms[:0]
	for _, f := range forms {
		if !seen[f] {
			seen[f] = true
			unique = append(unique, f)
		}
	}
	return unique
}

func base64Forms(text string) []string {
	var forms []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for _, t := range []string{text, text + "\n"} {
			full := enc.EncodeToString([]byte(t))
			forms = append(forms, full, strings.TrimRight(full, "="))
		}
		for before := range 3 {
			// The digits that hold bits of the text only; at the end of the
			// data the next digit and the padding are known, too.
			full := enc.EncodeToString(append(make([]byte, before), text...))
			from := (8*before + 5) / 6
			to := 8 * (before + len(text)) / 6
			forms = append(forms, full[from:to], strings.TrimRight(full[from:], "="), full[from:])
		}
	}
	return forms
}

// lowerPercent writes the digits of percent escapes small.
func lowerPercent(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// jsonForms returns the text as encoders write it in a JSON string, without
// the quotes: plain, with HTML signs escaped, with slashes escaped, and all in
// ASCII.
func jsonForms(text string) []string {
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return nil // no encoder writes such a text
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(plain.String()), `"`), `"`)
	html := strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(inner)
	return []string{
		inner, html, strings.ReplaceAll(inner, "/", `\/`),
		ascii(inner, `\u%04x`), ascii(inner, `\u%04X`),
	}
}

func ascii(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, format, unit)
		}
	}
	return b.String()
}

// lines returns the lines of a text of several lines that are long enough to
// be masked and are not a frame such as -----BEGIN CERTIFICATE-----.
func lines(text string) []string {
	if !strings.Contains(text, "\n") {
		return nil
	}
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if len(line) >= MinMaskLength && !strings.HasPrefix(line, "-----") {
			found = append(found, line)
		}
	}
	return found
}
