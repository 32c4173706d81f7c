package value_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/value"
)

// TestStored: every text that a program can make is the same after it was
// written by MarshalJSON and read by UnmarshalJSON, NUL and bad UTF-8 included;
// Parse, which reads what people send, refuses NUL.
func TestStored(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		v := value.Object(value.M(text, value.String(text)))
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got value.Value
		if err := json.Unmarshal(data, &got); err != nil || !value.Equal(got, v) {
			t.Fatalf("%q came back as %s, %v", text, got, err)
		}
	})
	if _, err := value.Parse([]byte(`"\u0000"`)); err == nil {
		t.Error("Parse took a NUL character")
	}
}
