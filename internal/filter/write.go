package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/duration"
)

// String writes the term as it is read.
func (t *term) String() string {
	sign := ""
	if t.not {
		sign = "-"
	}
	return sign + t.key.name + t.rest()
}

func (t *term) rest() string {
	switch t.key.kind {
	case flagKind:
		return ""
	case daysKind:
		parts := make([]string, len(t.days))
		for i, r := range t.days {
			parts[i] = r.String()
		}
		return ":" + strings.Join(parts, ",")
	case momentKind:
		return ":" + t.moment.String()
	case lengthKind:
		return t.op + duration.Format(t.length)
	case numberKind:
		return t.op + strconv.FormatUint(uint64(t.number), 10)
	case textKind, idKind, folderKind, stateKind:
	}
	// Wildcards beside characters that need quotes are written after ~.
	quotes := slices.ContainsFunc(t.values, func(v value) bool { return v.wild() && !v.bare() })
	op := ":"
	if quotes {
		op = "~"
	}
	parts := make([]string, len(t.values))
	for i, v := range t.values {
		switch {
		case v.me:
			parts[i] = meWord
		case v.bare() && (!t.key.me || v.String() != meWord):
			parts[i] = v.String()
		default:
			parts[i] = `"` + v.quoted(quotes) + `"`
		}
	}
	return op + strings.Join(parts, ",")
}

// globs are the patterns that the value consists of.
func (v *value) globs() []Glob {
	if v.folder != nil {
		return v.folder
	}
	return []Glob{v.glob}
}

// wild reports whether the value has wildcards.
func (v *value) wild() bool {
	return slices.ContainsFunc(v.globs(), func(g Glob) bool { _, literal := g.Literal(); return !literal })
}

// bare reports whether the value can stand without quotes.
func (v *value) bare() bool {
	text := v.String()
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < 0x80 && !bareByte(byte(r)) })
}

// String is the value's pattern.
func (v *value) String() string { return v.join(Glob.String) }

// quoted is what stands within quotes. After a colon nothing is a wildcard there.
func (v *value) quoted(wildcards bool) string {
	if wildcards {
		return v.join(func(g Glob) string { return g.escaped(`"*?\`) })
	}
	return v.join(func(g Glob) string { return g.escaped(`"\`) })
}

func (v *value) join(write func(Glob) string) string {
	if v.folder == nil {
		return write(v.glob)
	}
	var b strings.Builder
	for _, part := range v.folder {
		b.WriteByte('/')
		b.WriteString(write(part))
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}
