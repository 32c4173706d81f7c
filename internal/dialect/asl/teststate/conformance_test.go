package teststate_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/dialect/asl/teststate"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
)

var update = flag.Bool("update", false, "write testdata/known-misses.txt anew")

func config() teststate.Config {
	return teststate.Config{
		Place: asl.Place{Region: "us-east-1", Account: "111111111111"}, JSONata: jsonata.New(jsonata.Config{AWS: true}), Now: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), Seed: 1,
	}
}

// TestConformance judges the tests of states in the folder asl below
// REGIE_CONFORMANCE in three levels: (1) status, output, error and next state,
// or the code of the refusal; (2) the inspection data; (3) the text of causes
// and messages. The misses of each level are listed in a file, which must be
// exact.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	groups := []string{"none, lambda", "other services, mocked"}
	least := []int{80, 29} // so that none are lost unnoticed
	passed, total := [2][4]int{}, [2]int{}
	misses := map[string]string{}
	for _, c := range asltest.ReadCases(t, filepath.Join(dir, "asl")) {
		if c.Get("kind").Text() != "test_state" {
			continue
		}
		group := 1
		if needs := c.Get("needs").At(0).Text(); needs == "none" || needs == "lambda" {
			group = 0
		}
		total[group]++
		for i, fault := range judge(c) {
			if fault == "" {
				passed[group][i+1]++
			} else {
				misses[fmt.Sprintf("%d %s", i+1, c.Get("id").Text())] = fault
			}
		}
	}
	for group, name := range groups {
		for level := 1; level <= 3; level++ {
			t.Logf("%-24s level %d: %3d of %3d", name, level, passed[group][level], total[group])
		}
		if total[group] < least[group] {
			t.Errorf("%s: there are %d cases, expected at least %d", name, total[group], least[group])
		}
	}
	asltest.CompareMisses(t, misses, "testdata/known-misses.txt", *update)
}

// judge says what is wrong at each level; empty if nothing is.
func judge(c value.Value) (faults [3]string) {
	expect := c.Get("expect")
	request, err := teststate.ParseRequest(c.Get("request"))
	var response teststate.Response
	if err == nil && request.Mock == nil && c.Get("lambdas").Len() > 0 {
		request.Mock, err = called(c, request)
	}
	if err == nil {
		response, err = teststate.Run(config(), request)
	}
	if err != nil {
		var refused *teststate.Error
		if !errors.As(err, &refused) {
			return [3]string{err.Error(), err.Error(), err.Error()}
		}
		faults[0] = differs("error_code", expect, value.String(refused.Code))
		faults[2] = differs("message", expect, value.String(refused.Message))
		return faults
	}
	got, compare := response.Value(), asltest.NewComparer(c)
	for _, key := range []string{"status", "error", "nextState", "error_code"} {
		if faults[0] == "" {
			faults[0] = differs(key, expect, got.Get(key))
		}
	}
	if want := expect.Get("output"); faults[0] == "" && !compare.Same(plain(response.Output), want) {
		faults[0] = fmt.Sprintf("output %s, want %s", response.Output, want)
	}
	faults[1] = inspection(compare, got.Get("inspectionData"), expect.Get("inspectionData"))
	for _, key := range []string{"cause", "message"} {
		if faults[2] == "" {
			faults[2] = differs(key, expect, got.Get(key))
		}
	}
	return faults
}

// called is a mock with what the function of the case, which AWS called,
// answers to the arguments of the Task.
func called(c value.Value, request teststate.Request) (*teststate.Mock, error) {
	request.Level, request.Mock = teststate.Trace, &teststate.Mock{Result: value.Null, Validation: teststate.None}
	asked, err := teststate.Run(config(), request)
	if err != nil {
		return nil, err
	}
	arguments := asked.Inspection.AfterParameters
	answer, failed, _ := asltest.Lambda(c, c.Get("request").Get("definition").Get("Resource").Text(), arguments)
	mock := &teststate.Mock{Result: answer}
	if failed != nil {
		mock = &teststate.Mock{Error: &teststate.MockError{Error: failed.Name, Cause: failed.Message}}
	}
	return mock, nil
}

func differs(key string, expect, got value.Value) string {
	if want := expect.Get(key); !value.Equal(want, got) {
		return fmt.Sprintf("%s %s, want %s", key, got, want)
	}
	return ""
}

// inspection compares the data, which the cases have as text unless it is an
// object.
func inspection(compare *asltest.Comparer, got, want value.Value) string {
	for _, m := range slices.Concat(want.Members(), got.Members()) {
		expected := want.Get(m.Key)
		if text, ok := expected.Str(); ok {
			if parsed, err := value.Parse([]byte(text)); err == nil {
				expected = parsed
			}
		}
		if v := plain(got.Get(m.Key)); !compare.Same(v, expected) {
			return fmt.Sprintf("%s %s, want %s", m.Key, v, expected)
		}
	}
	return ""
}

// plain is a value without what was taken out of the cases.
func plain(v value.Value) value.Value {
	if v.Kind() != value.KindObject {
		return v
	}
	var members []value.Member
	for _, m := range v.Members() {
		if m.Key != "SdkHttpMetadata" && m.Key != "SdkResponseMetadata" {
			members = append(members, value.M(m.Key, plain(m.Value)))
		}
	}
	return value.Object(members...)
}
