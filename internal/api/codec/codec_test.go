package codec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/value"
)

func raw(text string) *regiev1.Json { return &regiev1.Json{Text: text} }

func TestUnmarshalReads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want proto.Message
	}{
		"a value stands for itself": {
			`{"workflow": "w", "input": { "b": 1.50, "a": [12345678901234567890, -0e+07] } }`,
			&regiev1.StartRunRequest{Workflow: "w", Input: raw(`{"b":1.50,"a":[12345678901234567890,-0e+07]}`)},
		},
		"null is a value":          {`{"input": null}`, &regiev1.StartRunRequest{Input: raw("null")}},
		"absent is absent":         {`{}`, &regiev1.StartRunRequest{}},
		"null elsewhere is absent": {`{"workflow":null}`, &regiev1.StartRunRequest{}},
		"escapes are kept": {
			`{"input":"\u00e9\ud83d\ude00\n<é"}`,
			&regiev1.StartRunRequest{Input: raw(`"\u00e9\ud83d\ude00\n<é"`)},
		},
		"a value that looks like a wrapped one": {
			`{"input":{"text":"{}"}}`,
			&regiev1.StartRunRequest{Input: raw(`{"text":"{}"}`)},
		},
		"values in lists and deep inside": {
			`{"inputs":[{"default":0,"enum":[1,"two",{"a":null}]}]}`,
			&regiev1.GetWorkflowResponse{Inputs: []*regiev1.InputSpec{
				{Default: raw("0"), Enum: []*regiev1.Json{raw("1"), raw(`"two"`), raw(`{"a":null}`)}},
			}},
		},
		"both kinds of names": {
			`{"businessDate":"d","idempotency_key":"k"}`,
			&regiev1.StartRunRequest{BusinessDate: "d", IdempotencyKey: "k"},
		},
		"well-known types": {
			`{"after":"18446744073709551615","wait":"1.5s"}`,
			&regiev1.ListEventsRequest{After: 1<<64 - 1, Wait: &durationpb.Duration{Seconds: 1, Nanos: 5e8}},
		},
		"a number of 64 bits": {`{"after":7}`, &regiev1.ListEventsRequest{After: 7}},
		"maps":                {`{"vars":{"a":"b"}}`, &regiev1.PutNamespaceRequest{Vars: map[string]string{"a": "b"}}},
		"enums":               {`{"action":"ACTION_HOLD"}`, &regiev1.ActRequest{Action: regiev1.Action_ACTION_HOLD}},
		"the top":             {` [1, 2] `, raw("[1,2]")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.want.ProtoReflect().New().Interface()
			if err := codec.Unmarshal([]byte(test.text), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message proto.Message
		text    string
		want    string // begins the error
	}{
		"nothing":               {&regiev1.StartRunRequest{}, " ", "there is no JSON value"},
		"unknown field":         {&regiev1.StartRunRequest{}, `{"inputs":1}`, "inputs: unknown field"},
		"unknown field, deep":   {&regiev1.ApplyRequest{}, `{"files":[{},{"pat":""}]}`, "files[1].pat: unknown field"},
		"field twice":           {&regiev1.StartRunRequest{}, `{"workflow":"a","workflow":"b"}`, "workflow: key stands twice"},
		"field by both names":   {&regiev1.StartRunRequest{}, `{"businessDate":"","business_date":""}`, "duplicate field"},
		"key of a value twice":  {&regiev1.StartRunRequest{}, `{"input":{"a":{"b":1,"\u0062":2}}}`, "input.a.b: key stands twice"},
		"byte order mark":       {&regiev1.StartRunRequest{}, "\ufeff{}", "expected a JSON value"},
		"trailing text":         {&regiev1.StartRunRequest{}, `{} {}`, "unexpected text after"},
		"not an object":         {&regiev1.StartRunRequest{}, `[]`, "unexpected token"},
		"wrong type":            {&regiev1.ListRunsRequest{}, `{"page_size":"x"}`, "invalid value for int32"},
		"number too large":      {&regiev1.ListEventsRequest{}, `{"after":18446744073709551616}`, "invalid value for uint64"},
		"unknown name of enum":  {&regiev1.ActRequest{}, `{"action":"HOLD"}`, "invalid value for enum"},
		"half a surrogate":      {&regiev1.StartRunRequest{}, `{"input":"\ud800"}`, "input: half of a surrogate pair"},
		"wrong low surrogate":   {&regiev1.StartRunRequest{}, `{"input":"\ud800\u0041"}`, "input: half of a surrogate pair"},
		"NUL":                   {&regiev1.StartRunRequest{}, `{"reason":"a\u0000"}`, "reason: NUL"},
		"NUL in a value":        {&regiev1.StartRunRequest{}, `{"input":["\u0000"]}`, "input[0]: NUL"},
		"not UTF-8":             {&regiev1.StartRunRequest{}, "{\"reason\":\"\xff\"}", "reason: text is not UTF-8"},
		"control character":     {&regiev1.StartRunRequest{}, "{\"reason\":\"\n\"}", "reason: control character"},
		"long name":             {&regiev1.StartRunRequest{}, `{"` + strings.Repeat("é", 1000) + `":1}`, strings.Repeat("é", 100) + "...: unknown field"},
		"long text":             {&regiev1.ListRunsRequest{}, `{"page_size":"` + strings.Repeat("x", 1000) + `"}`, "invalid value for int32 field page_size: \"" + strings.Repeat("x", 50)},
		"leading zero":          {&regiev1.StartRunRequest{}, `{"input":01}`, "expected ',' or '}'"},
		"not a number":          {&regiev1.StartRunRequest{}, `{"input":-}`, "input: expected a digit"},
		"no fraction":           {&regiev1.StartRunRequest{}, `{"input":1.}`, "input: expected a digit"},
		"no exponent":           {&regiev1.StartRunRequest{}, `{"input":1e}`, "input: expected a digit"},
		"NaN":                   {&regiev1.StartRunRequest{}, `{"input":NaN}`, "input: expected a JSON value"},
		"string that ends not":  {&regiev1.StartRunRequest{}, `{"input":"a`, "input: string does not end"},
		"object that ends not":  {&regiev1.StartRunRequest{}, `{"input":{"a":1`, "input: expected ',' or '}'"},
		"comma too many":        {&regiev1.StartRunRequest{}, `{"input":[1,]}`, "input[1]: expected a JSON value"},
		"escape that is none":   {&regiev1.StartRunRequest{}, `{"input":"\x"}`, "input: unknown escape"},
		"escape that is short":  {&regiev1.StartRunRequest{}, `{"input":"\u12"}`, "input: expected four hexadecimal"},
		"type of another world": {&regiev1.ListEventsRequest{}, `{"wait":"soon"}`, "invalid google.protobuf.Duration"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := codec.Unmarshal([]byte(test.text), test.message)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got error %q, want one that begins with %q", err, test.want)
			}
		})
	}
}

func TestUnmarshalBoundsDepth(t *testing.T) {
	t.Parallel()
	for depth, taken := range map[int]bool{codec.MaxDepth - 1: true, codec.MaxDepth: false, 1_000_000: false} {
		text := `{"input":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`
		err := codec.Unmarshal([]byte(text), &regiev1.StartRunRequest{})
		if (err == nil) != taken {
			t.Errorf("depth %d: got error %v", depth, err)
		}
		if !taken && !strings.Contains(err.Error(), "nested deeper than 520") {
			t.Errorf("depth %d: the error does not say so: %.200s", depth, err)
		}
	}
}

func TestMarshalWrites(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message proto.Message
		want    string
	}{
		"values stand for themselves": {
			&regiev1.StepData{Path: "a", Input: raw(`{"b": 1.50, "a": "\u00e9"}`), Output: raw("null")},
			`{"path":"a","input":{"b":1.50,"a":"\u00e9"},"output":null,"warning":""}`,
		},
		"null is a value": {&regiev1.RunError{Details: raw("null")}, `{"name":"","message":"","details":null}`},
		"zero values are written, absent messages are not": {
			&regiev1.GetRunDataResponse{}, `{"steps":[],"erased":false,"cancel_reason":"","next_steps":"0"}`,
		},
		"optional fields are written when set": {
			&regiev1.UpdateUserRequest{Name: "a", Disabled: proto.Bool(false)}, `{"name":"a","disabled":false}`,
		},
		"64 bits are a string": {&regiev1.DeleteGroupResponse{Position: 1 << 60}, `{"position":"1152921504606846976"}`},
		"times":                {&regiev1.AlertNote{At: &timestamppb.Timestamp{}}, `{"at":"1970-01-01T00:00:00Z","actor":"","text":""}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := codec.Marshal(test.message)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMarshalRefusesTextThatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "1 2", "[1,]"} {
		if got, err := codec.Marshal(&regiev1.StartRunRequest{Input: raw(text)}); err == nil {
			t.Errorf("%q became %s", text, got)
		}
	}
}

func TestUnmarshalBinaryRefuses(t *testing.T) {
	t.Parallel()
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	inFile := &regiev1.SourceFile{}
	inFile.ProtoReflect().SetUnknown(unknown)
	tests := map[string]struct {
		message proto.Message
		want    string
	}{
		"text that is no JSON":  {&regiev1.StartRunRequest{Input: raw("{")}, "input: expected a key in quotes"},
		"no text":               {&regiev1.StartRunRequest{Input: raw("")}, "input: expected a JSON value"},
		"NUL":                   {&regiev1.StartRunRequest{Reason: "a\x00"}, "reason: NUL character"},
		"NUL in a list":         {&regiev1.ActRequest{Runs: []string{"a", "\x00"}}, "runs[1]: NUL character"},
		"NUL in a map":          {&regiev1.PutNamespaceRequest{Vars: map[string]string{"k": "\x00"}}, "vars.k: NUL character"},
		"unknown field, inside": {&regiev1.ApplyRequest{Files: []*regiev1.SourceFile{inFile}}, "files[0]: unknown field 99 of regie.v1.SourceFile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := proto.Marshal(test.message)
			if err != nil {
				t.Fatal(err)
			}
			err = codec.UnmarshalBinary(data, test.message.ProtoReflect().New().Interface())
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got error %q, want one that begins with %q", err, test.want)
			}
		})
	}
}

func TestUnmarshalBinaryMakesValuesCompact(t *testing.T) {
	t.Parallel()
	data, err := proto.Marshal(&regiev1.StartRunRequest{Input: raw(" [ 1 ] ")})
	if err != nil {
		t.Fatal(err)
	}
	var got regiev1.StartRunRequest
	if err := codec.UnmarshalBinary(data, &got); err != nil || got.GetInput().GetText() != "[1]" {
		t.Errorf("got %q, %v", got.GetInput().GetText(), err)
	}
}

func TestFaultStaysInTheMessage(t *testing.T) {
	t.Parallel()
	unmarshal := map[string]struct {
		read func([]byte, any) error
		data string
		want string
	}{
		"JSON":   {codec.JSON{}.Unmarshal, `{"input":{"a":tru}}`, "input.a: expected a JSON value at byte 15"},
		"binary": {codec.Binary{}.Unmarshal, "\xff", "cannot parse invalid wire-format data"},
		// A fault that a client makes up is an unknown field like any other.
		"made up": {
			codec.Binary{}.Unmarshal,
			string(protowire.AppendString(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.BytesType), "mine")),
			"unknown field 536870911 of regie.v1.StartRunRequest; the client is newer than the server",
		},
	}
	for name, test := range unmarshal {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message := &regiev1.StartRunRequest{Workflow: "old"}
			if err := test.read([]byte(test.data), message); err != nil {
				t.Fatal(err)
			}
			if err := codec.Fault(message); err == nil || err.Error() != test.want {
				t.Errorf("got fault %q, want %q", err, test.want)
			}
			if message.GetWorkflow() != "" {
				t.Error("the message still has content")
			}
		})
	}
	if err := codec.Fault(&regiev1.StartRunRequest{}); err != nil {
		t.Errorf("got fault %q in a sound message", err)
	}
}

// Every message that the API can hold comes back as it was, in both forms.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	messages := regiev1.File_regie_v1_runs_proto.Messages()
	rapid.Check(t, func(t *rapid.T) {
		desc := messages.Get(rapid.IntRange(0, messages.Len()-1).Draw(t, "message"))
		message := fill(t, desc, 0)
		text, err := codec.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		got := message.ProtoReflect().New().Interface()
		if err := codec.Unmarshal(text, got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(message, got, protocmp.Transform()); diff != "" {
			t.Fatalf("JSON %s: %s", text, diff)
		}
		data, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.UnmarshalBinary(data, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(message, got, protocmp.Transform()); diff != "" {
			t.Fatalf("binary: %s", diff)
		}
	})
}

// fuzzed is a request and a response with every kind of field.
func fuzzed() []proto.Message {
	return []proto.Message{
		&regiev1.StartRunRequest{}, &regiev1.GetRunDataResponse{}, &regiev1.GetWorkflowResponse{},
		&regiev1.PutNamespaceRequest{}, &regiev1.ListEventsRequest{}, &regiev1.Json{},
	}
}

// What Unmarshal takes is valid for encoding/json too, Marshal writes it, and
// reading that again gives the same message. Nothing panics.
func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{
		`{"input":{"b":1.50,"a":[1e400,"\ud83d\ude00"]}}`, `{"inputs":[{"enum":[null,{}]}]}`, `{"vars":{"a":"b"}}`,
		`{"after":"7","wait":"1.5s"}`, `{"input":{"a":{"a":{}}},"input":1}`, `[[[[`, `{"text":"{}"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, message := range fuzzed() {
			if codec.Unmarshal(text, message) != nil {
				continue
			}
			again, err := codec.Marshal(message)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			got := message.ProtoReflect().New().Interface()
			if err := codec.Unmarshal(again, got); err != nil {
				t.Fatalf("%q: %v", again, err)
			}
			if !proto.Equal(message, got) {
				t.Errorf("%q became %q", text, again)
			}
		}
	})
}

// UnmarshalBinary never panics, and what it takes has only values that the
// strict parser takes, but for size and number limits of its own.
func FuzzUnmarshalBinary(f *testing.F) {
	seed, err := proto.Marshal(&regiev1.StartRunRequest{Input: raw(`{"a":[1]}`), Reason: "r"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var message regiev1.StartRunRequest
		if codec.UnmarshalBinary(data, &message) != nil || message.GetInput() == nil {
			return
		}
		text := message.GetInput().GetText()
		if _, err := value.Parse([]byte(text)); err != nil &&
			!strings.Contains(err.Error(), "number") && !strings.Contains(err.Error(), "deep") {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// fill makes a message with random content.
func fill(t *rapid.T, desc protoreflect.MessageDescriptor, depth int) proto.Message {
	message := newMessage(t, desc)
	if json, ok := message.(*regiev1.Json); ok {
		json.Text = anyJSON(3).Draw(t, "json")
		return json
	}
	fields := desc.Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if depth > 2 || rapid.Bool().Draw(t, "absent") {
			continue
		}
		fillField(t, message.ProtoReflect(), field, depth)
	}
	return message
}

func fillField(t *rapid.T, message protoreflect.Message, field protoreflect.FieldDescriptor, depth int) {
	switch {
	case field.IsMap():
		entry := message.Mutable(field).Map()
		entry.Set(scalar(t, field.MapKey()).MapKey(), one(t, field.MapValue(), depth))
	case field.IsList():
		list := message.Mutable(field).List()
		for range rapid.IntRange(0, 2).Draw(t, "length") {
			list.Append(one(t, field, depth))
		}
	default:
		message.Set(field, one(t, field, depth))
	}
}

func one(t *rapid.T, field protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	if field.Message() != nil {
		return protoreflect.ValueOfMessage(fill(t, field.Message(), depth+1).ProtoReflect())
	}
	return scalar(t, field)
}

func scalar(t *rapid.T, field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(anyText().Draw(t, "text"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, "enum")).Number())
	case protoreflect.Int32Kind:
		// Seconds and nanoseconds of well-known types have limits of their own.
		return protoreflect.ValueOfInt32(rapid.Int32Range(0, 999_999_999).Draw(t, "int32"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64Range(0, 1e9).Draw(t, "int64"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	default:
		t.Fatalf("a field of kind %s needs a generator", field.Kind())
		return protoreflect.Value{}
	}
}

// anyJSON makes compact JSON values.
func anyJSON(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{"null", "true", "1.50", "-0", "12345678901234567890", "1E+2", `"\u00e9\n"`, `{}`, `[]`})
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) string {
		inner := anyJSON(depth - 1)
		a, b := inner.Draw(t, "a"), inner.Draw(t, "b")
		return rapid.SampledFrom([]string{`{"z":` + a + `,"a":` + b + `}`, `[` + a + `,` + b + `]`}).Draw(t, "both")
	}))
}

// anyText makes strings without NUL.
func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.ReplaceAll(rapid.String().Draw(t, "string"), "\x00", "")
	})
}

func newMessage(t *rapid.T, desc protoreflect.MessageDescriptor) proto.Message {
	found, err := typeOf(desc)
	if err != nil {
		t.Fatal(err)
	}
	return found.New().Interface()
}

func typeOf(desc protoreflect.MessageDescriptor) (protoreflect.MessageType, error) {
	return protoregistry.GlobalTypes.FindMessageByName(desc.FullName())
}
