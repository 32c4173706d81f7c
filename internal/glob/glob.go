package glob

import (
	"path"
	"slices"
	"strings"
)

// Fault says what is wrong with a pattern, such as "is empty"; "" if nothing is.
func Fault(pattern string) string {
	switch {
	case pattern == "":
		return "is empty"
	case strings.HasPrefix(pattern, "/") || strings.Contains(pattern, `\`):
		return "is not a relative path with slashes"
	case slices.Contains(strings.Split(pattern, "/"), ".."):
		return "leaves its folder"
	case strings.IndexByte(pattern, 0) >= 0:
		return "has a NUL character"
	}
	for segment := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(segment, ""); err != nil {
			return "is malformed"
		}
	}
	return ""
}

// A Pattern is one without fault, cut into its segments.
type Pattern []string

// Parse reads a pattern that has no [Fault]. One that ends in ** stands for all
// files below.
func Parse(pattern string) Pattern {
	segments := strings.Split(path.Clean(pattern), "/")
	if segments[len(segments)-1] == "**" {
		segments = append(segments, "*")
	}
	return segments
}

// Base is the folder, or file, that the pattern names before its first wildcard;
// "." if it begins with one.
func (p Pattern) Base() string {
	n := 0
	for n < len(p) && !strings.ContainsAny(p[n], `*?[`) {
		n++
	}
	if n == 0 {
		return "."
	}
	return strings.Join(p[:n], "/")
}

// Match reports whether the pattern stands for a file, given by its clean path.
// The time is bounded by the product of the lengths.
func (p Pattern) Match(name string) bool {
	return p.reach(strings.Split(name, "/"))[len(p)]
}

// MayHold reports whether files below a folder may match.
func (p Pattern) MayHold(folder string) bool {
	return slices.Contains(p.reach(strings.Split(folder, "/"))[:len(p)], true)
}

// reach says for each number of segments of the pattern whether so many match
// the whole name.
func (p Pattern) reach(name []string) []bool {
	at := make([]bool, len(p)+1)
	at[0] = true
	p.skip(at)
	for _, segment := range name {
		next := make([]bool, len(p)+1)
		for i, s := range p {
			switch {
			case !at[i]:
			case s == "**":
				next[i] = next[i] || segment[0] != '.'
			case segmentMatches(s, segment):
				next[i+1] = true
			}
		}
		p.skip(next)
		at = next
	}
	return at
}

// skip lets ** stand for nothing.
func (p Pattern) skip(at []bool) {
	for i, s := range p {
		if at[i] && s == "**" {
			at[i+1] = true
		}
	}
}

func segmentMatches(pattern, segment string) bool {
	if segment[0] == '.' && pattern[0] != '.' {
		return false
	}
	ok, err := path.Match(pattern, segment)
	return err == nil && ok
}
