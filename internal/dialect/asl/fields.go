package asl

import (
	"slices"
	"strings"
)

// fieldSet is what may stand in an object: in every query language, or in one
// of them only.
type fieldSet struct{ both, path, nata []string }

func words(s string) []string { return strings.Fields(s) }

// fieldsOf is what may stand in a state of the type, beside Type, Comment and
// QueryLanguage.
func fieldsOf(t Type) fieldSet {
	switch t {
	case Pass:
		return fieldSet{words("Assign Next End"), words("InputPath OutputPath ResultPath Parameters Result"), words("Output")}
	case Task:
		return fieldSet{
			words("Resource Assign Credentials Retry Catch TimeoutSeconds HeartbeatSeconds Next End"),
			words("InputPath OutputPath ResultPath ResultSelector Parameters TimeoutSecondsPath HeartbeatSecondsPath"),
			words("Output Arguments"),
		}
	case Wait:
		return fieldSet{words("Assign Seconds Timestamp Next End"), words("InputPath OutputPath SecondsPath TimestampPath"), words("Output")}
	case Parallel:
		return fieldSet{
			words("Branches Assign Retry Catch Next End"),
			words("InputPath OutputPath ResultPath ResultSelector Parameters"), words("Output Arguments"),
		}
	case Map:
		return fieldSet{
			words("ItemProcessor Iterator ItemSelector ItemReader ItemBatcher ResultWriter MaxConcurrency " +
				"ToleratedFailurePercentage ToleratedFailureCount Label Assign Retry Catch Next End"),
			words("InputPath OutputPath ResultPath ResultSelector Parameters ItemsPath MaxConcurrencyPath " +
				"ToleratedFailurePercentagePath ToleratedFailureCountPath"),
			words("Output Items"),
		}
	case Choice:
		return fieldSet{words("Choices Default Assign"), words("InputPath OutputPath"), words("Output")}
	case Succeed:
		return fieldSet{nil, words("InputPath OutputPath"), words("Output")}
	case Fail:
		return fieldSet{words("Error Cause"), words("ErrorPath CausePath"), nil}
	}
	return fieldSet{}
}

// types lists the types of states.
func types() []string { return words("Task Parallel Map Pass Wait Choice Succeed Fail") }

// Bounds of fields, as AWS enforces them.
const (
	maxSeconds      = 99_999_999
	maxAttempts     = 99_999_999
	maxDelaySeconds = 31_622_400 // a year
	maxReaderItems  = 100_000_000
	maxStateName    = 80 // characters
	maxLabel        = 40 // characters
	maxVariableName = 80 // characters
)

// operand is what a comparison of a Choice compares with.
type operand uint8

const (
	ofText operand = iota
	ofNumber
	ofBoolean
	ofTimestamp
)

// operators lists the comparisons of a Choice, in an order of their own.
func operators() []string {
	var out []string
	for _, of := range []string{"String", "Numeric", "Timestamp"} {
		for _, op := range []string{"Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"} {
			out = append(out, of+op, of+op+"Path")
		}
	}
	return append(out, "BooleanEquals", "BooleanEqualsPath", "StringMatches",
		"IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp")
}

// operatorOf takes the name of a comparison apart.
func operatorOf(name string) (base string, of operand, path bool) {
	base, path = strings.CutSuffix(name, "Path")
	switch {
	case strings.HasPrefix(base, "Numeric"):
		of = ofNumber
	case strings.HasPrefix(base, "Boolean"), strings.HasPrefix(base, "Is"):
		of = ofBoolean
	case strings.HasPrefix(base, "Timestamp"):
		of = ofTimestamp
	}
	return base, of, path
}

// known reports whether the set has the field, in whatever language.
func (f fieldSet) known(name string) bool {
	return slices.Contains(f.both, name) || slices.Contains(f.path, name) || slices.Contains(f.nata, name)
}

func (f fieldSet) all() []string { return slices.Concat(f.both, f.path, f.nata) }
