package asltest

import (
	"testing"

	"github.com/regie-dev/regie/internal/value"
)

func TestComparer(t *testing.T) {
	t.Parallel()
	c := value.MustParse(`{
		"wildcards": ["<uuid:1>", "<name>"], "wildcard_values": ["date", "drawn"], "nondeterministic": ["Intrinsic.States.MathRandom"],
		"input": {"FunctionInput": {"fst": 1, "snd": 5}}
	}`)
	for _, test := range []struct {
		got, want string
		same      bool
	}{
		{`1`, `1.0`, true},
		{`"1"`, `1`, false},
		{`{"b": 1, "a": [2]}`, `{"a": [2], "b": 1}`, true},
		{`{"a": 1, "b": 2}`, `{"a": 1}`, false},
		{`{}`, `{"a": null}`, false},
		{`[1, 2]`, `[2, 1]`, false},
		{`"{\"a\": 1}"`, `{"a": 1}`, true},
		{`"[1]"`, `[1]`, false},
		{`{"a": 1}`, `"{\"a\": 1}"`, false},
		{`{"a": 1, "SdkHttpMetadata": {}}`, `{"a": 1}`, true},
		{`{"errorMessage": "m", "errorType": "T"}`, `{"errorMessage": "m", "errorType": "T", "requestId": "1", "stackTrace": []}`, true},
		{`{"errorMessage": "n", "errorType": "T"}`, `{"errorMessage": "m", "errorType": "T", "requestId": "1"}`, false},
		{`{}`, `{"requestId": "1"}`, false},
		{`["x:a:y", "a"]`, `["x:<name>:y", "<name>"]`, true},
		{`["x:a:y", "b"]`, `["x:<name>:y", "<name>"]`, false},
		{`"x:a:z"`, `"x:<name>:y"`, false},
		{`""`, `"<name>"`, false},
		{`7`, `"<name>"`, false},
		{`4`, `"date"`, true},
		{`5`, `"drawn"`, false},
	} {
		if got := NewComparer(c).Same(value.MustParse(test.got), value.MustParse(test.want)); got != test.same {
			t.Errorf("%s and the recorded %s: same is %v", test.got, test.want, got)
		}
	}
}
