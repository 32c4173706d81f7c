package telemetry_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/telemetry"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	const base, own, headers, attributes = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"
	for _, c := range []struct {
		text    string
		environ map[string]string
		want    string // the URL, or ! and the error
	}{
		{"", nil, ""},
		{"localhost:4318", nil, "http://localhost:4318/v1/traces regie"},
		{"127.0.0.1:4318", nil, "http://127.0.0.1:4318/v1/traces regie"},
		{"[::1]:4318", nil, "http://[::1]:4318/v1/traces regie"},
		{"collector.example:4318", nil, "https://collector.example:4318/v1/traces regie"},
		{"http://collector.example:4318/", nil, "http://collector.example:4318/v1/traces regie"},
		{"https://example.com/otlp", nil, "https://example.com/otlp regie"},
		{"", map[string]string{base: "http://c:4318/x/"}, "http://c:4318/x/v1/traces regie"},
		{"", map[string]string{base: "http://c:4318", own: "http://d:4318/y"}, "http://d:4318/y regie"},
		{"localhost:1", map[string]string{own: "http://d:4318/y"}, "http://localhost:1/v1/traces regie"},
		{"localhost:1", map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, ""},
		{"", map[string]string{base: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""},
		{"", map[string]string{base: "http://c:4318", "OTEL_TRACES_EXPORTER": "otlp"}, "http://c:4318/v1/traces regie"},
		{
			"localhost:1", map[string]string{headers: "x-a=1, X-B=two%20words%2C,,", attributes: "service.name=here,site=ams%3D1"},
			"http://localhost:1/v1/traces here X-A=1 X-B=two words, site=ams=1",
		},
		{
			"localhost:1",
			map[string]string{headers: "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2", attributes: "service.name=x", "OTEL_SERVICE_NAME": "named"},
			"http://localhost:1/v1/traces named B=2",
		},

		{"localhost", nil, "!address of the collector: want HOST:PORT"},
		{":4318", nil, "!want HOST:PORT"},
		{"grpc://c:4317", nil, "!want http://HOST:PORT or https://HOST:PORT"},
		{"http://:80", nil, "!want http://HOST:PORT"},
		{"http://a b:80", nil, "!this is no URL"},
		{"http://ada:s3cret@c:80", nil, "!the URL has a user"},
		{"http://c:80/?key=s3cret", nil, "!has a query"},
		{"", map[string]string{base: "ftp://c"}, "!" + base + ": want http"},
		{"", map[string]string{base: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, `!OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"`},
		{"localhost:1", map[string]string{headers: "a=1,s3cret"}, "!" + headers + ": entry 2 is not NAME=VALUE"},
		{"localhost:1", map[string]string{headers: "a=s3cret%zz"}, "!" + headers + ": entry 1"},
		{"localhost:1", map[string]string{headers: "a=s3cret%0d%0ab: c"}, "!" + headers + `: "a" is no name of a header, or its value has a line break`},
		{"localhost:1", map[string]string{headers: "a b=s3cret"}, "!" + headers + `: "a b" is no name`},
		{"localhost:1", map[string]string{attributes: "=x"}, "!" + attributes + ": entry 1"},
	} {
		e, err := telemetry.ParseEndpoint(c.text, c.environ)
		if part, wrong := strings.CutPrefix(c.want, "!"); wrong {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "s3cret") || e.On() {
				t.Errorf("%q %v: error %v, want %q", c.text, c.environ, err, part)
			}
			continue
		}
		got := ""
		if e.On() {
			got = e.URL.String() + " " + e.Service
			for _, k := range slices.Sorted(maps.Keys(e.Header)) {
				got += fmt.Sprintf(" %s=%s", k, e.Header.Get(k))
			}
			for _, k := range slices.Sorted(maps.Keys(e.Attributes)) {
				got += fmt.Sprintf(" %s=%s", k, e.Attributes[k])
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%q %v: %q, %v, want %q", c.text, c.environ, got, err, c.want)
		}
	}
}
