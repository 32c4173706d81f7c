package asl

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
)

// The codes of diagnostics, as AWS names them.
const (
	CodeInvalidJSON        = "INVALID_JSON_DESCRIPTION"
	CodeMissing            = "MISSING_DESCRIPTION"
	CodeSchema             = "SCHEMA_VALIDATION_FAILED"
	CodeMissingTarget      = "MISSING_TRANSITION_TARGET"
	CodeMissingEnd         = "MISSING_END_STATE"
	CodeDuplicateState     = "DUPLICATE_STATE_NAME"
	CodeStateName          = "INVALID_STATE_NAME"
	CodeDuplicateLabel     = "DUPLICATE_LABEL_NAME"
	CodeLabelName          = "INVALID_LABEL_NAME"
	CodeVariableName       = "INVALID_VARIABLE_NAME"
	CodeReservedVariable   = "RESERVED_VARIABLE_NAME"
	CodeJSONata            = "INVALID_JSONATA_EXPRESSION"
	CodeUnsupportedJSONata = "UNSUPPORTED_JSONATA_EXPRESSION"
	// CodeNoDollar and those below are of warnings.
	CodeNoDollar     = "NO_DOLLAR"
	CodeNoPath       = "NO_PATH"
	CodeStaticResult = "PASS_RESULT_IS_STATIC"
)

// Severity is the severity of a diagnostic, as AWS names it.
type Severity string

// A definition with an Error is refused.
const (
	Error   Severity = "ERROR"
	Warning Severity = "WARNING"
)

// Diagnostic is one finding.
type Diagnostic struct {
	Severity Severity
	Code     string
	Message  string
	// Location is the place in the definition, such as /States/Order/Next;
	// empty where AWS gives none.
	Location string
	// Pos is the place in the file; Length the characters to mark there.
	Pos    diag.Pos
	Length int
	// Hint says what to write instead.
	Hint string
	// State is the state whose resource is not mapped.
	State string
}

// Diag is the diagnostic in the form of Regie.
func (d Diagnostic) Diag() diag.Diagnostic {
	severity := diag.Error
	if d.Severity == Warning {
		severity = diag.Warning
	}
	return diag.Diagnostic{
		File: d.Pos.File, Line: d.Pos.Line, Column: d.Pos.Column, Length: d.Length,
		Code: d.Code, Severity: severity, Message: d.Message, Location: d.Location, Hint: d.Hint,
	}
}

// HasErrors reports whether one of the diagnostics is an error.
func HasErrors(items []Diagnostic) bool {
	for _, d := range items {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// InvalidDefinition is the message with which AWS refuses to create a state
// machine with these diagnostics; empty when there is no error.
func InvalidDefinition(items []Diagnostic) string {
	var parts []string
	for _, d := range items {
		if d.Severity != Error {
			continue
		}
		location := d.Location
		if location == "" {
			location = "null"
		}
		parts = append(parts, fmt.Sprintf("%s: %s at %s", d.Code, d.Message, location))
	}
	if len(parts) == 0 {
		return ""
	}
	return "Invalid State Machine Definition: '" + strings.Join(parts, ", ") + "'"
}
