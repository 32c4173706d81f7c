package telemetry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// tracesPath is where collectors take spans (OTLP/HTTP).
const tracesPath = "/v1/traces"

// Endpoint is where spans go, and what is said of who sends them. The zero
// Endpoint is nowhere.
type Endpoint struct {
	URL *url.URL
	// Header goes with each request. It may have secrets: never show it.
	Header http.Header
	// Service is the name of the service, Attributes what else describes the
	// resource, by key.
	Service    string
	Attributes map[string]string
}

// On reports whether there is anywhere to send spans.
func (e *Endpoint) On() bool { return e.URL != nil }

// ParseEndpoint reads where spans go. The text is host:port or an http or https
// URL; empty: what the variables say. Without a scheme a host that is not this
// machine is called by https; without a path spans go to /v1/traces.
//
// Of the environment, which is by name, it reads these of OpenTelemetry's
// variables: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER (none, or one that has otlp),
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, _ENDPOINT, _TRACES_PROTOCOL, _PROTOCOL (only
// with an endpoint of theirs), _TRACES_HEADERS, _HEADERS, OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES. Errors say what is wrong where, and no values of
// headers.
func ParseEndpoint(text string, environ map[string]string) (Endpoint, error) {
	if strings.EqualFold(environ["OTEL_SDK_DISABLED"], "true") {
		return Endpoint{}, nil
	}
	name, fromEnviron := "address of the collector", text == ""
	if fromEnviron {
		if exporter := environ["OTEL_TRACES_EXPORTER"]; exporter != "" && !strings.Contains(exporter, "otlp") {
			return Endpoint{}, nil
		}
		if name, text = first(environ, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"); text == "" {
			return Endpoint{}, nil
		}
		if variable, protocol := first(environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
			return Endpoint{}, fmt.Errorf("%s is %q, and traces are sent by http/protobuf only: set it so, and name the collector's port for HTTP, often 4318", variable, protocol)
		}
	}
	to, err := endpointURL(text)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", name, err)
	}
	switch name {
	case "OTEL_EXPORTER_OTLP_ENDPOINT": // the base of all signals
		to.Path = strings.TrimSuffix(to.Path, "/") + tracesPath
	case "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
	default:
		if to.Path == "" || to.Path == "/" {
			to.Path = tracesPath
		}
	}
	e := Endpoint{URL: to, Header: http.Header{}, Service: "regie"}
	variable, headers := first(environ, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
	pairs, err := parsePairs(headers)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", variable, err)
	}
	for key, value := range pairs {
		if !token(key) || strings.ContainsAny(value, "\r\n\x00") {
			return Endpoint{}, fmt.Errorf("%s: %q is no name of a header, or its value has a line break", variable, key)
		}
		e.Header.Set(key, value)
	}
	if e.Attributes, err = parsePairs(environ["OTEL_RESOURCE_ATTRIBUTES"]); err != nil {
		return Endpoint{}, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if service, ok := e.Attributes[keyService]; ok {
		e.Service = service
		delete(e.Attributes, keyService)
	}
	if service := environ["OTEL_SERVICE_NAME"]; service != "" {
		e.Service = service
	}
	return e, nil
}

// first is the first of the variables that is set, and its value.
func first(environ map[string]string, names ...string) (name, value string) {
	for _, name := range names {
		if v := environ[name]; v != "" {
			return name, v
		}
	}
	return "", ""
}

func endpointURL(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		host, _, err := net.SplitHostPort(text)
		if err != nil || host == "" {
			return nil, errors.New("want HOST:PORT, such as localhost:4318, or a URL")
		}
		scheme := "https://"
		if local(host) {
			scheme = "http://"
		}
		text = scheme + text
	}
	to, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("this is no URL; write http://HOST:PORT or https://HOST:PORT")
	case to.Scheme != "http" && to.Scheme != "https", to.Host == "" || to.Hostname() == "":
		return nil, errors.New("want http://HOST:PORT or https://HOST:PORT")
	case to.User != nil:
		return nil, errors.New("the URL has a user: put credentials into OTEL_EXPORTER_OTLP_HEADERS")
	case to.RawQuery != "" || to.Fragment != "":
		return nil, errors.New("the URL has a query or fragment: leave it out")
	}
	return to, nil
}

// local reports whether the host is this machine. A name is not looked up.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// parsePairs reads key=value,key=value with values in percent encoding.
func parsePairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	number := 0
	for entry := range strings.SplitSeq(text, ",") {
		number++
		if strings.TrimSpace(entry) == "" {
			continue
		}
		key, value, ok := strings.Cut(entry, "=")
		key = strings.TrimSpace(key)
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || key == "" || err != nil {
			return nil, fmt.Errorf("entry %d is not NAME=VALUE with the value in percent encoding", number)
		}
		pairs[key] = plain
	}
	return pairs, nil
}

// token reports whether the text can be the name of a header (RFC 9110, 5.6.2).
func token(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
}
