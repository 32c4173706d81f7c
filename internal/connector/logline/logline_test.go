package logline_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/logline"
)

func TestContract(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Suite{
		New:  func(*testing.T) connector.Connector { return logline.New() },
		Call: func(t *testing.T) connector.Call { return connectortest.Call(t, `{"message": "hello"}`) },
		Bad:  []string{`{"message": "x", "level": "fatal"}`, `{"level": "info"}`},
	})
}

func TestLog(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]struct{ log, output, warning string }{
		`{"message": "hello"}`:                                {"hello", `{"message":"hello","level":"info"}`, ""},
		`{"message": "a\r\nb\n", "level": "error"}`:           {"error: a\nerror: b", `{"message":"a\r\nb\n","level":"error"}`, ""},
		`{"message": "look", "level": "warning"}`:             {"warning: look", `{"message":"look","level":"warning"}`, "look"},
		`{"message": {"n": 12345678901234567890, "a": null}}`: {`{"n":12345678901234567890,"a":null}`, `{"message":"{\"n\":12345678901234567890,\"a\":null}","level":"info"}`, ""},
		`{"message": 1.50}`:                                   {"1.5", `{"message":"1.5","level":"info"}`, ""},
		`{"message": null}`:                                   {"null", `{"message":"null","level":"info"}`, ""},
		`{"message": ""}`:                                     {"", `{"message":"","level":"info"}`, ""},
	} {
		log := &connectortest.Log{}
		call := connectortest.Call(t, input)
		call.Log = log.Add
		result, err := logline.New().Call(t.Context(), call)
		if err != nil || log.String() != want.log || result.Output.String() != want.output || result.Warning != want.warning {
			t.Errorf("%s: log %q, output %s, warning %q, %v", input, log, result.Output, result.Warning, err)
		}
	}
}
