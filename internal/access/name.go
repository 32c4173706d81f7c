package access

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/descriptor"
)

// Limits of texts, in bytes.
const (
	MaxName        = 63
	MaxDisplayName = 200
	MaxDescription = 1000
	MaxTokenName   = 100
)

// shown is how much of a text from outside is repeated in messages, in bytes.
const shownBytes = 80

// shown quotes a text from outside: what does not print, and letters that look
// like others, are escaped.
func shown(text string) string {
	if len(text) > shownBytes {
		return fmt.Sprintf("%+q…", text[:shownBytes])
	}
	return fmt.Sprintf("%+q", text)
}

// checkName says what is wrong with a name of an object.
func checkName(field, what, name string) error {
	if descriptor.ValidName(name) {
		return nil
	}
	fault := "names have small letters a-z, digits, dots, underscores and hyphens"
	switch bad := strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) }); {
	case name == "":
		return invalid(field, "the %s has no name", what)
	case bad < 0 && len(name) > MaxName:
		fault = fmt.Sprintf("it has %d characters and may have %d", len(name), MaxName)
	case bad < 0:
		fault = "names begin with a small letter or a digit"
	case !utf8.ValidString(name):
		fault = "it is not UTF-8"
	default:
		r, _ := utf8.DecodeRuneInString(name[bad:])
		switch lower := strings.ToLower(name); {
		case unicode.IsControl(r):
			fault = fmt.Sprintf("the control character %U is in it", r)
		case unicode.IsSpace(r):
			fault = fmt.Sprintf("the space %U is in it, maybe at its end", r)
		case r > unicode.MaxASCII:
			fault = fmt.Sprintf("%U is not one of a-z, 0-9, dot, underscore and hyphen, though it may look like one", r)
		case descriptor.ValidName(lower):
			fault = fmt.Sprintf("capitals are not allowed, write %q", lower)
		}
	}
	return invalid(field, "%s is not a name of a %s: %s", shown(name), what, fault)
}

func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-'
}

// checkText says what is wrong with a text that people read: characters that
// print, at most as many bytes. Joiners are part of some scripts; other invisible
// characters could make a text read as another.
func checkText(field, text string, most int) error {
	if len(text) > most {
		return invalid(field, "%s has %d bytes and may have %d", field, len(text), most)
	}
	if !utf8.ValidString(text) {
		return invalid(field, "%s is not UTF-8", field)
	}
	for _, r := range text {
		if !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' {
			return invalid(field, "%s has the character %U, which does not print", field, r)
		}
	}
	return nil
}

// checkGrants says what is wrong with grants, but for whether the namespaces
// exist.
func checkGrants(field string, grants []Grant) error {
	if len(grants) > MaxGrants {
		return invalid(field, "%d grants are more than %d", len(grants), MaxGrants)
	}
	for _, g := range grants {
		if !g.Role.known() {
			return invalid(field, "there is no role %s; roles are %s", shown(string(g.Role)), rolesText(Roles()))
		}
		if g.Namespace != All {
			if err := checkName(field, "namespace", g.Namespace); err != nil {
				return err
			}
		}
	}
	return nil
}

// rolesText lists roles for people.
func rolesText(list []Role) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = string(r)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
