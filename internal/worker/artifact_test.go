package worker_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/blob/folder"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// blobs opens a store in a folder of the test.
func blobs(t *testing.T, max int64) *folder.Store {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	s, err := folder.Open(folder.Config{Root: root, Name: "blobs", MaxBytes: max})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keeping makes an attempt that leaves what fill makes, and keeps what the
// patterns name.
func keeping(t *testing.T, s *folder.Store, fill func(work string), result executor.Result, patterns ...string) (engine.TaskOutcome, *memoryLog) {
	t.Helper()
	x := newScripted(func(task executor.Task) (executor.Result, error) {
		work := filepath.Join(task.Dir, "work")
		if err := os.MkdirAll(work, 0o700); err != nil {
			t.Error(err)
		}
		fill(work)
		return result, nil
	})
	w, l, log := setup(t, func(c *worker.Config) {
		c.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		if s != nil {
			c.Blobs = s
		}
	})
	task := processTask("x")
	task.Node = &workflow.Node{Task: &workflow.Task{Artifacts: patterns}}
	task.Program = &workflow.Program{Files: []workflow.File{{Path: "bundled", SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}}}
	w.Assign(task)
	return <-l.ends, log
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestArtifacts: the files that the patterns name are kept, each once, and listed
// by path; those of the bundle if they changed.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	s := blobs(t, 0)
	out, _ := keeping(t, s, func(work string) {
		writeFiles(t, work, map[string]string{"b/2.txt": "two", "b/c/1.txt": "one", "a.csv": "one", "other": "x", ".hidden": "x", "bundled": "hello"})
		if err := os.Chmod(filepath.Join(work, "a.csv"), 0o755); err != nil {
			t.Error(err)
		}
	}, executor.Result{}, "b/**", "**/*.txt", "*.csv", "none", "bundled", ".h")
	var got []string
	for _, a := range out.Artifacts {
		got = append(got, a.Value().String())
	}
	const one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
	want := []string{
		`{"path":"a.csv","size":3,"sha256":"` + one + `","executable":true}`,
		`{"path":"b/2.txt","size":3,"sha256":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","executable":false}`,
		`{"path":"b/c/1.txt","size":3,"sha256":"` + one + `","executable":false}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || out.Kind != engine.OutcomeSucceeded {
		t.Errorf("%s, %v: kept\n%s\nwant\n%s", out.Kind, out.Error, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if out.Warning != "artifacts: no file matches none, .h" {
		t.Errorf("warning %q", out.Warning)
	}
	r, err := s.Open("r1", one)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(r); err != nil || text.String() != "one" {
		t.Errorf("blob %q, %v", &text, err)
	}
}

// TestArtifactsOfAFailure: what a failed attempt leaves is kept too, and its error
// stays; what was told to stop keeps nothing.
func TestArtifactsOfAFailure(t *testing.T) {
	t.Parallel()
	fill := func(work string) { writeFiles(t, work, map[string]string{"a": "x"}) }
	out, _ := keeping(t, blobs(t, 0), fill, executor.Result{ErrorName: "exit.3"}, "a", "none")
	if out.Kind != engine.OutcomeFailed || out.Error.Name != "exit.3" || len(out.Artifacts) != 1 || out.Warning != "" {
		t.Errorf("%+v", out)
	}
	out, log := keeping(t, blobs(t, 0), func(work string) {
		fill(work)
		_ = os.Symlink("/etc/passwd", filepath.Join(work, "b"))
	}, executor.Result{ErrorName: "exit.3"}, "*")
	if out.Error.Name != "exit.3" || len(out.Artifacts) > 0 || !strings.Contains(log.text.String(), `no artifacts are kept: "b" is a symbolic link`) {
		t.Errorf("%+v, log %q", out, log.text.String())
	}
	if out, _ := keeping(t, blobs(t, 0), fill, executor.Result{ErrorName: "canceled"}, "a"); len(out.Artifacts) > 0 || out.Kind != engine.OutcomeCanceled {
		t.Errorf("%+v", out)
	}
}

// TestArtifactsRefused: what is no regular file of the working directory is not
// read, and the error names it.
func TestArtifactsRefused(t *testing.T) {
	t.Parallel()
	link := func(target, name string) func(string) {
		return func(work string) {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(work, name)), 0o700); err != nil {
				t.Error(err)
			}
			if err := os.Symlink(target, filepath.Join(work, name)); err != nil {
				t.Error(err)
			}
		}
	}
	nothing := func(string) {}
	for name, c := range map[string]struct {
		fill    func(work string)
		pattern string
		want    string
	}{
		"absolute":           {nothing, "/etc/passwd", `"/etc/passwd" is not a relative path`},
		"outwards":           {nothing, "a/../../../x", `"a/../../../x" leaves its folder`},
		"link":               {link("/etc/shadow", "out"), "out", `"out" is a symbolic link`},
		"link by wildcard":   {link("/etc/shadow", "a/out"), "**", `"a/out" is a symbolic link`},
		"link inside":        {link("x", "out"), "*", `"out" is a symbolic link`},
		"link to a folder":   {link("/etc", "out"), "out/passwd", `"out" is a symbolic link`},
		"folder above":       {link("/etc", "a"), "a/b/*", `"a" is a symbolic link`},
		"wildcard in a link": {link("/", "out"), "out/**", `"out" is a symbolic link`},
		"pipe": {func(work string) {
			if err := syscall.Mkfifo(filepath.Join(work, "p"), 0o600); err != nil {
				t.Error(err)
			}
		}, "*", `"p" is a named pipe`},
		"not UTF-8": {func(work string) { writeFiles(t, work, map[string]string{"\xff": "x"}) }, "*", "is not UTF-8"},
		"too large": {func(work string) { writeFiles(t, work, map[string]string{"big": strings.Repeat("x", 101)}) }, "*", `"big" cannot be kept: it has more than 100 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := keeping(t, blobs(t, 100), c.fill, executor.Result{Output: value.Int(1)}, c.pattern)
			if out.Kind != engine.OutcomeFailed || out.Error.Name != worker.ErrArtifacts || !strings.Contains(out.Error.Message, c.want) || len(out.Artifacts) > 0 {
				t.Errorf("%s: %v, artifacts %v; want %q", out.Kind, out.Error, out.Artifacts, c.want)
			}
		})
	}
	if out, _ := keeping(t, nil, nothing, executor.Result{}, "a"); out.Error == nil || !strings.Contains(out.Error.Message, "nothing here keeps artifacts") {
		t.Errorf("without a store: %+v", out)
	}
	many := func(work string) {
		for i := range worker.MaxArtifacts + 1 {
			writeFiles(t, work, map[string]string{string(rune('一' + i)): "x"})
		}
	}
	if out, _ := keeping(t, blobs(t, 0), many, executor.Result{}, "*"); out.Error == nil || !strings.Contains(out.Error.Message, "more than 1000 files") {
		t.Errorf("too many: %+v", out.Error)
	}
}

// TestFilesFrom: artifacts of earlier steps are put beside the bundle, in place of
// its files of the same name.
func TestFilesFrom(t *testing.T) {
	t.Parallel()
	s := blobs(t, 0)
	var got []executor.File
	x := newScripted(func(task executor.Task) (executor.Result, error) {
		got = task.Files
		return executor.Result{}, nil
	})
	w, l, _ := setup(t, func(c *worker.Config) {
		c.Executors, c.Blobs = map[string]executor.Executor{workflow.UsesProcess: x}, s
	})
	artifact := func(path, text string) engine.Artifact {
		ref, err := s.Put(t.Context(), "r1", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return engine.Artifact{Path: path, Size: ref.Size, SHA256: ref.SHA256, Executable: path == "tool"}
	}
	attempt := 0
	run := func(lists ...[]engine.Artifact) engine.TaskOutcome {
		var files []value.Value
		for _, list := range lists {
			files = append(files, engine.ArtifactsValue(list))
		}
		task := processTask("x")
		attempt++
		task.Attempt, task.Secrets = attempt, nil
		task.Input = value.Object(value.M("script", value.String("x")), value.M(workflow.ProcessFiles, value.List(files...)))
		task.Program = &workflow.Program{Files: []workflow.File{{Path: "a", Data: []byte("bundled")}, {Path: "b", Data: []byte("bundled")}}}
		w.Assign(task)
		return <-l.ends
	}
	out := run([]engine.Artifact{artifact("a", "new"), artifact("tool", "x")}, []engine.Artifact{artifact("a", "new")}, nil)
	text := ""
	for _, f := range got {
		text += f.Path + "=" + string(f.Data) + " "
	}
	if out.Kind != engine.OutcomeSucceeded || text != "b=bundled a=new tool=x " || got[2].Mode != 0o755 {
		t.Errorf("%v: files %s", out.Error, text)
	}
	gone := artifact("gone", "x")
	gone.SHA256 = strings.Repeat("0", 64)
	short := artifact("short", "xyz")
	short.Size--
	for want, lists := range map[string][][]engine.Artifact{
		`"a" comes from two steps`:       {{artifact("a", "1")}, {artifact("a", "2")}},
		`"gone" cannot be had`:           {{gone}},
		`"short" cannot be had`:          {{short}},
		"have more than 64 MiB together": {{{Path: "huge", Size: worker.MaxFilesFrom + 1, SHA256: gone.SHA256}}},
	} {
		if out := run(lists...); out.Error == nil || out.Error.Name != worker.ErrFilesFrom || !strings.Contains(out.Error.Message, want) {
			t.Errorf("%s: %v", want, out.Error)
		}
	}
}
