package descriptor

import "regexp"

// The grammar of texts (ECMA-262 and RE2).
const (
	IdentifierPattern = `^[A-Za-z_][A-Za-z0-9_]{0,62}$` // step IDs, names of inputs
	NamePattern       = `^[a-z0-9][a-z0-9._-]{0,62}$`   // names of objects
	DatePattern       = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	DateTimePattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})$`
	DecimalPattern    = `^[-+]?[0-9]{1,200}(\.[0-9]{1,200})?$`
)

var (
	identifierForm = regexp.MustCompile(IdentifierPattern)
	nameForm       = regexp.MustCompile(NamePattern)
	dateTimeForm   = regexp.MustCompile(DateTimePattern)
	decimalForm    = regexp.MustCompile(DecimalPattern)
)

// ValidIdentifier reports whether s can be a step ID or the name of an input.
func ValidIdentifier(s string) bool { return identifierForm.MatchString(s) }

// ValidName reports whether s can be the name of an object.
func ValidName(s string) bool { return nameForm.MatchString(s) }
