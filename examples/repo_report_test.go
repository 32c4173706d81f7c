package examples_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sampleMonth is the last month of the sample repository.
const sampleMonth = "2026-11"

// sampleRepository makes the repository with odd names.
func sampleRepository(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("repo-report/sample-repository.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "odd's \"name\" & <b> \\ back\tslash")
	command(t, t.TempDir(), "sh", script, dir, sampleMonth)
	return dir
}

// report runs the example on the repository in which it is called.
func (w *world) report(t *testing.T, input map[string]any, args ...string) (*document, int) {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	return w.run(t, append(args, example(t, "repo-report"), "--date", sampleMonth+"-15", "--input", string(text))...)
}

// counts are what a month or all months add up to.
type counts struct{ commits, people, added, removed int }

// history counts by git's plumbing, over the whole history. Commits for which
// without is true have no lines.
func history(t *testing.T, repository string, without func(id string) bool) (months map[string]counts, all counts) {
	t.Helper()
	months = map[string]counts{}
	people, monthOf := map[[2]string]bool{}, map[string]string{}
	for line := range strings.Lines(command(t, repository, "git", "log", "--format=%H %ct %aN")) {
		facts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		seconds, err := strconv.ParseInt(facts[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		month := time.Unix(seconds, 0).UTC().Format("2006-01")
		monthOf[facts[0]] = month
		people[[2]string{month, facts[2]}], people[[2]string{"", facts[2]}] = true, true
		m := months[month]
		m.commits++
		months[month] = m
	}
	diffs := command(t, repository, "sh", "-c", "git rev-list HEAD | git diff-tree --stdin --root -r -M --numstat")
	id := ""
	for line := range strings.Lines(diffs) {
		line = strings.TrimSuffix(line, "\n")
		if _, ok := monthOf[line]; ok {
			id = line
			continue
		}
		var added, removed int
		if n, _ := fmt.Sscanf(line, "%d\t%d", &added, &removed); n == 2 && !without(id) {
			m := months[monthOf[id]]
			m.added += added
			m.removed += removed
			months[monthOf[id]] = m
		}
	}
	for key := range people {
		m := months[key[0]]
		m.people++
		months[key[0]] = m
	}
	all.people = months[""].people
	delete(months, "")
	for _, m := range months {
		all.commits += m.commits
		all.added += m.added
		all.removed += m.removed
	}
	return months, all
}

// countsOf reads counts out of an output.
func countsOf(t *testing.T, output map[string]any) (c counts) {
	t.Helper()
	for name, at := range map[string]*int{"commits": &c.commits, "people": &c.people, "added": &c.added, "removed": &c.removed} {
		n, ok := output[name].(float64)
		if !ok {
			t.Fatalf("%s is %v", name, output[name])
		}
		*at = int(n)
	}
	return c
}

func TestReportNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir = sampleRepository(t)
	d, code := w.report(t, map[string]any{"months": 14, "folder": w.env["HOME"] + "/report"})
	if code != 0 {
		t.Fatalf("ended with %d, %v", code, d.Run.Error)
	}
	months, all := history(t, w.dir, func(string) bool { return false })
	if got := countsOf(t, d.Run.Output); got != all {
		t.Errorf("all months: got %+v, want %+v", got, all)
	}
	first := time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC)
	for i := range 14 {
		month := first.AddDate(0, i, 0).Format("2006-01")
		output := d.step(t, fmt.Sprintf("history/read/months[%d]", i)).object(t)
		if got := countsOf(t, output); output["month"] != month || got != months[month] {
			t.Errorf("month %d: got %v, want %s with %+v", i, output, month, months[month])
		}
	}
	if _, err := os.Stat(filepath.Join(w.env["HOME"], "owned")); err == nil {
		t.Error("the name of an author was executed")
	}
	if left, _ := filepath.Glob(w.env["HOME"] + "/report/.*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	checkPage(t, w.env["HOME"]+"/report/report.html", []string{
		"odd's \"name\" & <b> \\ back slash", "1,195", "Zoë Bødker 李", "Robert'); DROP TABLE commits;--", `$(touch "$HOME/owned"); rm -rf nothing-here`, "-n --help",
		"main: trim \"quotes\" & <angles>", "docs: <script>alert(1)</script> explains everything", "v0.2.0-<i>odd</i>",
		`"odd \"name\" <b>.txt"`, "Tab here", "(no subject)", "src/machine.go",
	})
}

// elements are all that a page consists of.
var elements = strings.Fields("bdi body caption code dd desc details div dl dt footer h1 h2 head header html line main meta p path " +
	"rect section span style summary svg table tbody td text th thead title tr")

// checkPage checks that the page is sound, has nothing in it that the
// repository could have put there as markup, and nothing that is fetched; and
// that it shows the texts.
func checkPage(t *testing.T, path string, texts []string) {
	t.Helper()
	page, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	decoder := xml.NewDecoder(page)
	var shown strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !slices.Contains(elements, token.Name.Local) {
				t.Errorf("the page has an element %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if slices.Contains([]string{"src", "href", "srcset", "data", "action"}, a.Name.Local) ||
					strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "url(") {
					t.Errorf("the page has an attribute %s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			shown.Write(token)
		}
	}
	for _, text := range texts {
		if !strings.Contains(shown.String(), text) {
			t.Errorf("the page does not show %q", text)
		}
	}
}

// Repositories of every shape.
func TestReportShapes(t *testing.T) {
	t.Parallel()
	sample := sampleRepository(t)
	for _, test := range []struct {
		name   string
		make   func(t *testing.T, dir string) // puts a repository into dir
		months int
		texts  []string
	}{
		{"no commits", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "init", "--quiet")
		}, 3, []string{"No commits yet"}},
		{"one commit", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "init", "--quiet")
			commitAt(t, dir, "2026-11-30T23:59:59Z")
		}, 1, []string{"November 2026 to November 2026"}},
		{"nothing in these months", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "init", "--quiet")
			commitAt(t, dir, "2026-10-31T23:59:59Z")
			commitAt(t, dir, "2026-12-01T00:00:00Z")
		}, 1, []string{"The whole history has 2 commits."}},
		{"shallow", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "clone", "--quiet", "--depth", "3", "file://"+sample, ".")
		}, 14, []string{"This is a shallow clone"}},
		{"bare", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "clone", "--quiet", "--bare", sample, ".")
		}, 14, nil},
		{"no branch", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "clone", "--quiet", sample, ".")
			command(t, dir, "git", "checkout", "--quiet", "HEAD~1")
		}, 14, []string{"no branch"}},
		{"two years", func(t *testing.T, dir string) {
			t.Helper()
			command(t, dir, "git", "clone", "--quiet", sample, ".")
		}, 26, []string{"October 2024 to November 2026"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.make(t, w.dir)
			d, code := w.report(t, map[string]any{"months": test.months, "folder": w.env["HOME"]})
			if code != 0 {
				t.Fatalf("ended with %d, %v", code, d.Run.Error)
			}
			var want counts
			if test.name != "no commits" {
				shallow, _ := os.ReadFile(filepath.Join(w.dir, ".git", "shallow"))
				months, all := history(t, w.dir, func(id string) bool { return strings.Contains(string(shallow), id) })
				want = all
				if test.months == 1 {
					want = months[sampleMonth]
				}
			}
			if got := countsOf(t, d.Run.Output); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			checkPage(t, w.env["HOME"]+"/report.html", test.texts)
		})
	}
}

// What cannot be read is tried again and then fails the run; no page says that
// there was nothing.
func TestReportOnDamage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	command(t, w.dir, "git", "init", "--quiet")
	if err := os.WriteFile(filepath.Join(w.dir, "file"), []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, w.dir, "git", "add", "file")
	commitAt(t, w.dir, "2026-11-02T00:00:00Z")
	blob := strings.TrimSpace(command(t, w.dir, "git", "rev-parse", "HEAD:file"))
	if err := os.Remove(filepath.Join(w.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	d, code := w.report(t, map[string]any{"months": 2, "folder": w.env["HOME"]}, "--time", "virtual")
	if code != 1 || d.Run.Error.Name != "exit.128" {
		t.Errorf("ended with %d, error %v; want 1 and exit.128", code, d.Run.Error)
	}
	if got := d.step(t, "history/read/months[1]").Attempts; got != 3 {
		t.Errorf("made %d attempts, want 3", got)
	}
	if left, _ := filepath.Glob(w.env["HOME"] + "/*report*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// commitAt makes an empty commit with a date.
func commitAt(t *testing.T, dir, when string) {
	t.Helper()
	command(t, dir, "env", "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when,
		"git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--allow-empty", "-m", "work")
}

// What cannot be reported on fails, and says why.
func TestReportRefuses(t *testing.T) {
	t.Parallel()
	sound := t.TempDir()
	command(t, sound, "git", "init", "--quiet")
	commitAt(t, sound, "2026-11-01T00:00:00Z")
	for name, input := range map[string]map[string]any{
		"no repository": {"path": "/"},
		"no folder":     {"path": "/no/such/folder"},
		"no months":     {"path": sound, "months": 0},
		"too many":      {"path": sound, "months": 121},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			input["folder"] = w.env["HOME"]
			d, code := w.report(t, input)
			if code != 1 || d.Run.Error.Name != "exit.2" {
				t.Errorf("ended with %d, error %v; want 1 and exit.2", code, d.Run.Error)
			}
			if _, err := os.Stat(w.env["HOME"] + "/report.html"); err == nil {
				t.Error("there is a report all the same")
			}
		})
	}
}
