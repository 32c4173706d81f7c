package teststate

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/value"
)

// shape is the form of an API's answer, as far as mocks are held against it.
type shape struct {
	kind     value.Kind // KindUndefined: anything; KindFloat: any number
	required bool       // in the object around it
	members  []member   // of an object; others are not looked at
	items    *shape     // of a list
	// least and most bound a number; shortest is the least length of a text.
	least, most float64
	bounded     bool
	shortest    int
	oneOf       []string
}

type member struct {
	name string
	shape
}

func text() shape    { return shape{kind: value.KindString} }
func numeric() shape { return shape{kind: value.KindFloat} }
func between(least, most int) shape {
	return shape{kind: value.KindFloat, bounded: true, least: float64(least), most: float64(most)}
}
func object(members ...member) shape { return shape{kind: value.KindObject, members: members} }
func list(items shape) shape         { return shape{kind: value.KindList, items: &items} }
func (s shape) must() shape          { s.required = true; return s }
func is(name string, s shape) member { return member{name, s} }
func nonEmpty() shape                { return shape{kind: value.KindString, shortest: 1} }
func among(values ...string) shape   { return shape{kind: value.KindString, oneOf: values} }

// shapes are the answers of APIs by service and action, from the reference of
// each: the ones that definitions call most. A task of another API is mocked
// unchecked.
var shapes = map[string]shape{
	"lambda:invoke": object(
		is("StatusCode", numeric()), is("FunctionError", text()), is("LogResult", text()), is("ExecutedVersion", text()),
	),
	"aws-sdk:lambda:getFunction": object(
		is("Configuration", object(
			is("FunctionName", text()), is("FunctionArn", text()), is("Runtime", text()), is("Role", text()), is("Handler", text()),
			is("CodeSize", numeric()), is("Timeout", between(1, 900)), is("MemorySize", between(128, 10240)), is("Version", text()),
		)),
		is("Code", object(is("RepositoryType", text()), is("Location", text()))),
	),
	"events:putEvents": object(
		is("FailedEntryCount", numeric()),
		is("Entries", list(object(is("EventId", text()), is("ErrorCode", text()), is("ErrorMessage", text())))),
	),
	"states:startExecution": object(is("ExecutionArn", nonEmpty().must()), is("StartDate", text().must())),
	"sqs:sendMessage": object(
		is("MessageId", text()), is("MD5OfMessageBody", text()), is("MD5OfMessageAttributes", text()), is("SequenceNumber", text()),
	),
	"sns:publish":      object(is("MessageId", text()), is("SequenceNumber", text())),
	"dynamodb:putItem": dynamoDB, "dynamodb:updateItem": dynamoDB, "dynamodb:deleteItem": dynamoDB,
	"aws-sdk:s3:getObject": object(
		is("ContentLength", numeric()), is("ContentType", text()), is("ETag", text()), is("VersionId", text()),
		is("StorageClass", among("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
			"DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP")),
	),
	"aws-sdk:kms:encrypt": object(is("CiphertextBlob", nonEmpty()), is("KeyId", nonEmpty()), is("EncryptionAlgorithm", text())),
}

var dynamoDB = object(
	is("Attributes", object()),
	is("ConsumedCapacity", object(
		is("TableName", nonEmpty()), is("CapacityUnits", numeric()), is("ReadCapacityUnits", numeric()), is("WriteCapacityUnits", numeric()),
	)),
)

// check says what is wrong with the value of a field; empty if nothing is. With
// all, required members must be there.
func (s *shape) check(field string, v value.Value, all bool) string {
	if want := s.wants(v); want != "" {
		if field == "" {
			return "The result must be " + want
		}
		return fmt.Sprintf("Field '%s' must be %s", field, want)
	}
	for i := range s.members {
		m := &s.members[i]
		inner, ok := v.Lookup(m.name)
		switch {
		case ok:
			if fault := m.check(m.name, inner, all); fault != "" {
				return fault
			}
		case all && m.required:
			return fmt.Sprintf("Required field '%s' is missing", m.name)
		}
	}
	if s.items != nil {
		for _, item := range v.Items() {
			if fault := s.items.check(field, item, all); fault != "" {
				return fault
			}
		}
	}
	return s.bound(field, v)
}

// bound is about the bounds of a value that is of the right kind.
func (s *shape) bound(field string, v value.Value) string {
	text, _ := v.Str()
	number, _ := v.Float()
	switch {
	case s.bounded && number < s.least:
		return fmt.Sprintf("Field '%s' is less than the minimum value", field)
	case s.bounded && number > s.most:
		return fmt.Sprintf("Field '%s' exceeds the maximum value", field)
	case len(text) < s.shortest:
		return fmt.Sprintf("Field '%s' is smaller than the minimum length", field)
	case len(s.oneOf) > 0 && !slices.Contains(s.oneOf, text):
		return fmt.Sprintf("Field '%s' is not an expected value", field)
	}
	return ""
}

// wants is the kind that the value should have; empty if it has.
func (s *shape) wants(v value.Value) string {
	switch s.kind {
	case value.KindString:
		if v.Kind() != value.KindString {
			return "a string"
		}
	case value.KindFloat:
		if _, ok := v.Float(); !ok {
			return "a number"
		}
	case value.KindObject:
		if v.Kind() != value.KindObject {
			return "an object"
		}
	case value.KindList:
		if v.Kind() != value.KindList {
			return "an array"
		}
	default:
	}
	return ""
}
