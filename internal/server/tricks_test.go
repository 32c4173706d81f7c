package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
)

// TestPathTricks (row B31): a path that is not written as the route has it is no
// route; nothing in header or query makes another request of one.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "tricks")
	w.apply(t, "tricks", quick)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "tricks", Workflow: "quick", Held: true}).GetId()
	stranger := w.user(t, "tricks-stranger", "viewer@default").token
	reader := w.newToken(t, &regiev1.CreateTokenRequest{ReadOnly: true})
	base := "/v1/namespaces/tricks/runs/" + run
	for _, path := range []string{
		base + "/configs", base + "/", base + "//", base + "/.", base + "/..", base + ";a=b", base + "/data;a=b", base + ".", base + ".json", base + "%00", base + "%2fdata",
		"//v1/namespaces/tricks/runs/" + run, "/v1//namespaces/tricks/runs/" + run, "/v1/namespaces//runs/" + run, "/./v1/namespaces/tricks/runs", "/v1/../metrics",
		"/v1/../v1/namespaces/tricks/runs", "/v1/namespaces/default/../tricks/runs", "/v1/namespaces/default/%2e%2e/tricks/runs", "/v1/namespaces/default%2f..%2ftricks/runs",
		"/V1/namespaces/tricks/runs", "/v1/Namespaces/tricks/runs", "/v1/namespaces/tricks/runs.", "/v1/namespaces/tricks/runs/", "/v1/namespaces/tricks/runs%20",
		"/v1/namespaces/tricks/runs%2f" + run, "/v1/namespaces/TRICKS/runs", "/v1/namespaces/%74ricks/runs/%ff", "/api/v1/runs/" + run, "/v1\\namespaces\\tricks\\runs",
		"/healthz/../v1/namespaces/tricks/runs", "/metrics/", "/metrics/..", "/healthz/v1/namespaces/tricks/runs", "/openapi.json/../v1/users", "/debug/pprof/", "/.git/config", "/regie.v1.RunService", "/regie.v1.RunService/", "/regie.v1.RunService/getrun",
		"/regie.v1.RunService/GetRun/", "//regie.v1.RunService/GetRun", "/regie.v1.RunService/GetRun/../ListRuns", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	} {
		for who, token := range map[string]string{"nobody": "", "a stranger": stranger} {
			for _, verb := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"} {
				if a := w.raw(t, token, verb, path, ""); a.status < 400 || a.status >= 500 {
					t.Errorf("%s %s as %s: status %d: %s", verb, path, who, a.status, a.body)
				}
			}
		}
		// A namespace that is written otherwise is another one, with nothing in it.
		if a := w.raw(t, w.token, "GET", path, ""); (a.status < 400 || a.status >= 500) && !strings.HasPrefix(a.body, `{"runs":[]`) {
			t.Errorf("GET %s as admin: status %d: %s", path, a.status, a.body)
		}
	}
	// What proxies and frameworks take instead of the method or the path.
	for _, header := range []string{
		"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method", "X-Original-URL", "X-Rewrite-URL", "X-Original-Uri", "X-Forwarded-Uri",
		"X-Forwarded-Path", "X-Forwarded-Prefix", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Forwarded-Host",
		"X-Auth-Token", "Proxy-Authorization", "X-Api-Key", "Token",
	} {
		for _, value := range []string{"DELETE", "POST", "/healthz", "127.0.0.1", "admin", "user=admin", "Bearer " + w.token, w.token} {
			if a := w.raw(t, "", "GET", base, "", header, value); a.status != http.StatusUnauthorized {
				t.Errorf("%s: %s: status %d", header, value, a.status)
			}
			if a := w.raw(t, reader, "GET", "/v1/namespaces/tricks/workflows/quick", "", header, value); a.status != http.StatusOK {
				t.Errorf("%s: %s with a good token: status %d", header, value, a.status)
			}
		}
	}
	for _, query := range []string{"access_token=", "token=", "authorization=Bearer ", "auth=", "key=", "_method=DELETE&token=", "X-HTTP-Method-Override=DELETE&token="} {
		if a := w.raw(t, "", "GET", base+"?"+query+w.token, ""); a.status < 400 {
			t.Errorf("?%s: status %d", query, a.status)
		}
		if a := w.raw(t, reader, "GET", base+"?"+query+"x", ""); a.status != http.StatusBadRequest {
			t.Errorf("?%s with a good token: status %d: %s", query, a.status, a.body)
		}
	}
	// A read-only token writes by no method.
	for path, body := range map[string]string{
		"/v1/namespaces/tricks/workflows/quick/runs": `{}`, "/v1/namespaces/tricks/runs:act": `{"run":"` + run + `","action":"ACTION_CANCEL"}`,
		base + "/actions": `{"action":"ACTION_CANCEL"}`,
	} {
		for _, verb := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			a := w.raw(t, reader, verb, path, body, "X-HTTP-Method-Override", "POST")
			if a.status < 400 || verb == "POST" && a.status != http.StatusForbidden {
				t.Errorf("%s %s with a read-only token: status %d: %s", verb, path, a.status, a.body)
			}
		}
	}
	for _, name := range []string{"StartRun", "Act"} {
		a := w.raw(t, reader, "GET", "/regie.v1.RunService/"+name+"?connect=v1&encoding=json&message="+`%7B%22namespace%22%3A%22tricks%22%2C%22workflow%22%3A%22quick%22%7D`, "")
		if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("GET of %s: status %d, allow %q", name, a.status, a.header.Get("Allow"))
		}
	}
	still, err := w.admin.runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{Namespace: "tricks"})
	if err != nil || len(still.GetRuns()) != 1 || !still.GetRuns()[0].GetHeld() || still.GetRuns()[0].GetEvents() != 3 && still.GetRuns()[0].GetEndedAt() != nil {
		t.Errorf("it changed something: %v, %v", still, err)
	}
}

// TestCredentialTricks (rows B33 and B34): whatever is no credential of Regie is
// refused in the same words, and nothing of it is read.
func TestCredentialTricks(t *testing.T) {
	t.Parallel()
	w := shared
	jwt := func(header string) string {
		return "Bearer " + strings.TrimRight(base64URL(header), "=") + "." + strings.TrimRight(base64URL(`{"sub":"admin"}`), "=") + "."
	}
	cut, changed := w.token[:len(w.token)-1], w.token[:len(w.token)-1]+"x"
	if strings.HasSuffix(w.token, "x") {
		changed = w.token[:len(w.token)-1] + "y"
	}
	for name, header := range map[string][]string{
		"none":               nil,
		"empty":              {"Authorization", " "},
		"empty bearer":       {"Authorization", "Bearer "},
		"bearer of spaces":   {"Authorization", "Bearer    "},
		"no scheme":          {"Authorization", w.token},
		"two headers":        {"Authorization", "Bearer " + w.token, "Authorization", "Bearer " + w.token},
		"two, one bad":       {"Authorization", "Bearer x", "Authorization", "Bearer " + w.token},
		"two in one":         {"Authorization", "Bearer x, Bearer " + w.token},
		"two spaces":         {"Authorization", "Bearer  " + w.token},
		"basic":              {"Authorization", "Basic " + base64Of("admin:"+w.token)},
		"basic with NUL":     {"Authorization", "Basic " + base64Of("admin\x00:x")},
		"digest":             {"Authorization", `Digest username="admin"`},
		"cut off":            {"Authorization", "Bearer " + cut},
		"changed":            {"Authorization", "Bearer " + changed},
		"more":               {"Authorization", "Bearer " + w.token + "a"},
		"upper case":         {"Authorization", "Bearer " + strings.ToUpper(w.token)},
		"percent signs":      {"Authorization", "Bearer " + strings.Replace(w.token, "_", "%5f", 1)},
		"long":               {"Authorization", "Bearer regie_pat_" + strings.Repeat("a", 50_000)},
		"jwt, no algorithm":  {"Authorization", jwt(`{"alg":"none"}`)},
		"jwt, key of a file": {"Authorization", jwt(`{"alg":"HS256","kid":"../../dev/null"}`)},
		"jwt, foreign keys":  {"Authorization", jwt(`{"alg":"RS256","jku":"http://127.0.0.1:1/keys"}`)},
		"jwt, certificate":   {"Authorization", jwt(`{"alg":"RS256","x5u":"http://127.0.0.1:1/cert"}`)},
		"a cookie":           {"Cookie", "regie=" + w.token},
		"a cookie of TLS":    {"Cookie", "__Host-regie=" + w.token},
		"two cookies":        {"Cookie", "regie=a; regie=b"},
		"both":               {"Authorization", "Bearer " + w.token, "Cookie", "regie=a"},
	} {
		if a := w.rest(t, "", "GET", "/v1/whoami", "", header...); a.status != http.StatusUnauthorized || restError(t, a).problem != "unauthenticated" {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
	// More than a header may have ends before anybody asks who that is.
	if a := w.raw(t, "", "GET", "/v1/whoami", "", "Authorization", "Bearer "+strings.Repeat("a", 1<<20)); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a token of 1 MiB: status %d", a.status)
	}
	if a := w.rest(t, "", "GET", "/v1/whoami", "", "Authorization", "bearer "+w.token); a.status != http.StatusOK {
		t.Errorf("the scheme in lower case: status %d", a.status)
	}
}

// TestMediaTypes (row B44): what is no JSON by its header is not read.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	w := shared
	const path = "/v1/namespaces/default/definitions:validate"
	for _, kind := range []string{
		"application/xml", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16",
		"application/yaml", "*/*", "application/jsonx", "application/json, text/plain", "",
	} {
		a := w.raw(t, w.token, "POST", path, `{"files":[]}`, "Content-Type", "", "Content-Type", kind)
		if kind != "" {
			a = w.rest(t, w.token, "POST", path, `{"files":[]}`, "Content-Type", "", "Content-Type", kind)
		}
		if a.status != http.StatusUnsupportedMediaType || restError(t, a).problem != "media_type_unsupported" {
			t.Errorf("%q: status %d: %s", kind, a.status, a.body)
		}
	}
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "APPLICATION/JSON"} {
		if a := w.rest(t, w.token, "POST", path, `{"files":[]}`, "Content-Type", "", "Content-Type", kind); a.status != http.StatusBadRequest {
			t.Errorf("%q: status %d: %s", kind, a.status, a.body)
		}
	}
}

// TestNamespacesOfRequests (row B36): a body that names another namespace than
// the path, and definitions of several namespaces, are refused as a whole.
func TestNamespacesOfRequests(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "mixed-a")
	w.namespace(t, "mixed-b")
	author := w.user(t, "mixed-author", "author@mixed-a", "operator@mixed-a")
	if a := w.rest(t, author.token, "POST", "/v1/namespaces/mixed-a/definitions:apply", `{"namespace":"mixed-b","files":[]}`); a.status != http.StatusBadRequest {
		t.Errorf("another namespace in the body: status %d: %s", a.status, a.body)
	}
	if a := w.rest(t, author.token, "GET", "/v1/namespaces/mixed-a/runs?namespace=mixed-b", ""); a.status != http.StatusBadRequest {
		t.Errorf("another namespace in the query: status %d: %s", a.status, a.body)
	}
	if a := w.rest(t, author.token, "POST", "/v1/namespaces/mixed-a/definitions:apply", `{"namespace":"mixed-a","namespace":"mixed-b","files":[]}`); a.status != http.StatusBadRequest {
		t.Errorf("two namespaces in the body: status %d: %s", a.status, a.body)
	}
	for _, text := range []string{
		quick + "---\n" + strings.Replace(quick, "name: quick", "name: mixed-b/quick", 1),
		quick + "---\n" + strings.Replace(quick, "name: quick", "name: quick\nnamespace: mixed-b", 1),
		quick + "---\nkind: Channel\nname: ops\nnamespace: mixed-b\ntype: webhook\nurl: https://example.org/\n",
	} {
		if _, err := author.workflows.Apply(t.Context(), definitions("mixed-a", text)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := author.workflows.Validate(t.Context(), &regiev1.ValidateRequest{Namespace: "mixed-a", Files: definitions("", text).GetFiles()}); err == nil {
			a, _ := author.workflows.Validate(t.Context(), &regiev1.ValidateRequest{Namespace: "mixed-a", Files: definitions("", text).GetFiles()})
			if len(a.GetDiagnostics()) == 0 {
				t.Errorf("%q: nothing is wrong with it", text)
			}
		}
	}
	for _, namespace := range []string{"mixed-a", "mixed-b"} {
		a, err := w.admin.workflows.ListWorkflows(t.Context(), &regiev1.ListWorkflowsRequest{Namespace: namespace})
		if err != nil || len(a.GetWorkflows()) != 0 {
			t.Errorf("%s has %v, %v", namespace, a.GetWorkflows(), err)
		}
	}
	// Runs of another namespace are not there, and those of the own are acted on.
	w.apply(t, "mixed-a", quick)
	w.apply(t, "mixed-b", quick)
	mine := w.begun(t, &regiev1.StartRunRequest{Namespace: "mixed-a", Workflow: "quick", Held: true}).GetId()
	theirs := w.begun(t, &regiev1.StartRunRequest{Namespace: "mixed-b", Workflow: "quick", Held: true}).GetId()
	a, err := author.runs.Act(t.Context(), &regiev1.ActRequest{Namespace: "mixed-a", Runs: []string{theirs, mine, "none"}, Action: regiev1.Action_ACTION_CANCEL})
	if err != nil || len(a.GetResults()) != 3 || a.GetResults()[0].GetCode() != "run_not_found" || !a.GetResults()[1].GetDone() || a.GetResults()[2].GetCode() != "run_not_found" {
		t.Errorf("%v, %v", a, err)
	}
	still, err := w.admin.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "mixed-b", Run: theirs})
	if err != nil || !still.GetRun().GetHeld() || still.GetRun().GetEndedAt() != nil {
		t.Errorf("%v, %v", still, err)
	}
	for _, prefix := range []string{theirs[:10], theirs[:25], strings.ToUpper(theirs)} {
		if _, err := author.runs.GetRun(t.Context(), &regiev1.GetRunRequest{Namespace: "mixed-a", Run: prefix}); connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// TestLogPaths (row B14): no step, run or attempt leads out of the logs, and
// whoever tries is on record.
func TestLogPaths(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "log-paths")
	w.apply(t, "log-paths", quick)
	run := w.begun(t, &regiev1.StartRunRequest{Namespace: "log-paths", Workflow: "quick"}).GetId()
	w.ended(t, "log-paths", run)
	reader := w.user(t, "log-reader", "viewer@log-paths")
	tried := 0
	for _, step := range []string{
		"..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fregie.db", "..%5c..%5cetc", "%2fetc%2fpasswd", "a%2f..%2f..%2fdata%2fkey", "a%20", "a.1", "1.1", "A", "a%5B0%5D", ".", "%C0%AE%C0%AE",
	} {
		for _, kind := range []string{"log", "log/text"} {
			a := w.rest(t, reader.token, "GET", fmt.Sprintf("/v1/namespaces/log-paths/runs/%s/%s?step=%s", run, kind, step), "")
			if a.status != http.StatusNotFound && (a.status != http.StatusBadRequest || step != "%C0%AE%C0%AE") {
				t.Errorf("%s of step %s: status %d: %s", kind, step, a.status, a.body)
			}
			if a.status == http.StatusNotFound {
				tried++
			}
		}
	}
	for _, id := range []string{"..", "%2e%2e", "..%2f..%2fdata", "..%2f" + run, run + "%2f..", run + "%2f1.1", ".%2f" + run, "%2fetc%2fpasswd", "%252e%252e", "none"} {
		for _, kind := range []string{"log", "log/text"} {
			a := w.rest(t, reader.token, "GET", fmt.Sprintf("/v1/namespaces/log-paths/runs/%s/%s?step=a", id, kind), "")
			if a.status != http.StatusNotFound {
				t.Errorf("%s of run %s: status %d: %s", kind, id, a.status, a.body)
			}
			tried++
		}
	}
	if a := w.rest(t, reader.token, "GET", fmt.Sprintf("/v1/namespaces/log-paths/runs/%s/log?step=a&attempt=4294967295", run), ""); a.status != http.StatusNotFound {
		t.Errorf("an attempt that is none: status %d", a.status)
	}
	// Beyond some they are counted, and the count is on record later.
	entries := w.entries(t, &regiev1.ListEntriesRequest{Actor: "user/log-reader", Action: "log.read"})
	if len(entries) != min(tried, access.DenialsPerMinute) {
		t.Errorf("%d of %d vain reads are on record", len(entries), tried)
	}
	for _, e := range entries {
		if e.GetOutcome() != "denied" || e.GetReason() == "" || e.GetRequestId() == "" {
			t.Errorf("on record is %v", e)
		}
	}
}

// TestUserNames (row B65): a name that could be taken for another is refused.
func TestUserNames(t *testing.T) {
	t.Parallel()
	w := shared
	for _, name := range []string{
		"admin\x00x", "аdmin", "admin ", " admin", "Admin", "ADMIN", "admin\u200b", "admin\u202e", "a\u0301da", "user/admin", "admin@x", "system/x", "", ".", "..", "me", strings.Repeat("a", 64),
	} {
		text := fmt.Sprintf(`{"name":%s}`, jsonText(name))
		if a := w.rest(t, w.token, "POST", "/v1/users", text); a.status != http.StatusBadRequest && (name != "me" || a.status != http.StatusOK) {
			t.Errorf("%q: status %d: %s", name, a.status, a.body)
		}
		if a := w.rest(t, w.token, "PUT", "/v1/groups/"+pathText(name), `{}`); a.status != http.StatusBadRequest && a.status != http.StatusNotFound && name != "me" {
			t.Errorf("group %q: status %d: %s", name, a.status, a.body)
		}
	}
	if a := w.rest(t, w.token, "POST", "/v1/users", `{"name":"admin"}`); a.status != http.StatusConflict {
		t.Errorf("a second admin: status %d: %s", a.status, a.body)
	}
}

// TestRunAsOfTheAPI (row B70): nobody gets a task to run as somebody by the API
// whom the supervisor was not told.
func TestRunAsOfTheAPI(t *testing.T) {
	t.Parallel()
	w := shared
	w.namespace(t, "run-as")
	for _, user := range []string{"root", "0", "+0", "nobody ", "-1", "root\u0000", "nobody"} {
		_, err := w.admin.workflows.Apply(t.Context(), definitions("run-as", fmt.Sprintf("kind: Workflow\nname: as\nsteps: [{id: a, run: id, run_as: %q, retry: {max_attempts: 1}}]\n", user)))
		if err != nil {
			checkError(t, err, connect.CodeInvalidArgument, "definition_invalid")
			continue
		}
		run := w.begun(t, &regiev1.StartRunRequest{Namespace: "run-as", Workflow: "as"}).GetId()
		events := w.ended(t, "run-as", run)
		data, err := w.admin.runs.GetRunData(t.Context(), &regiev1.GetRunDataRequest{Namespace: "run-as", Run: run, Steps: true})
		if err != nil || events[len(events)-1].GetState() != "failed" || !strings.Contains(data.String(), "run_as") {
			t.Errorf("%q: it ended as %v: %v, %v", user, events[len(events)-1], data, err)
		}
		log, err := w.admin.runs.GetLog(t.Context(), &regiev1.GetLogRequest{Namespace: "run-as", Run: run, Step: "a"})
		if err != nil || slices.ContainsFunc(log.GetLines(), func(l *regiev1.LogLine) bool { return strings.Contains(l.GetText(), "uid=") }) {
			t.Errorf("%q: it ran: %v, %v", user, log, err)
		}
	}
}

// TestRawRequests: what no client sends is refused, or ends the connection.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := shared
	host := strings.TrimPrefix(w.url, "http://")
	for name, text := range map[string]string{
		"two lengths":         "POST /v1/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
		"length and chunks":   "POST /v1/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: xchunked\r\n\r\n{}",
		"no host":             "GET /v1/whoami HTTP/1.1\r\n\r\n",
		"two hosts":           "GET /v1/whoami HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"space in the header": "GET /v1/whoami HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer " + w.token + "\r\n\r\n",
		"line feed in a path": "GET /v1/whoami\n HTTP/1.1\r\nHost: h\r\n\r\n",
		"absolute path":       "GET http://other/v1/whoami HTTP/1.1\r\nHost: h\r\n\r\n",
		"asterisk":            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"connect":             "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && r.StatusCode < 400 && name != "asterisk" {
			t.Errorf("%s: status %d", name, r.StatusCode)
		} else if err == nil {
			_ = r.Body.Close()
		}
		_ = c.Close()
	}
}
