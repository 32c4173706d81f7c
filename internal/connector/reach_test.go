package connector_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/connector"
)

func TestReach(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"timeout": "failed", "http.connect": "failed", "http.protocol": "failed", "http.503": "failed", "http.500": "failed",
		"http.404": "reached", "http.429": "reached", "http.too_large": "reached",
		"sql.connect": "failed", "sql.connection_lost": "failed", "sql.08006": "failed", "sql.53300": "failed", "sql.57P01": "failed",
		"sql.23505": "reached", "sql.42601": "reached", "sql.57014": "reached", "sql.too_many_rows": "reached",
		"object.connect": "failed", "object.broken": "failed", "object.unavailable": "failed", "object.not_found": "reached",
		"smtp.connect": "failed", "smtp.protocol": "failed", "smtp.421": "failed", "smtp.550": "reached",
		"egress_denied": "unknown", "invalid_input": "unknown", "invalid_connection": "unknown", "canceled": "unknown", "internal": "unknown",
	} {
		got, known := connector.Errorf(name, "x").Reach()
		is := map[bool]string{true: "reached", false: "failed"}[got]
		if !known {
			is = "unknown"
		}
		if is != want {
			t.Errorf("%s: %s, want %s", name, is, want)
		}
	}
}
