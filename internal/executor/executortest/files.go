package executortest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/value"
)

func testEnvironment(t *testing.T, x executor.Executor) {
	for _, text := range []string{
		"", " ", "plain", "; touch pwned", "$(touch pwned)", "`touch pwned`", "a\nb\n\n", "'\"\\", "*", "~", "-n",
		"&& exit 1", "| cat", "%s%n", "é漢🎭", "\x80\xff\x01\x1b[2J\r", strings.Repeat("x", 100_000),
	} {
		name := text[:min(len(text), 20)]
		t.Run(strconv.Quote(name), func(t *testing.T) {
			t.Parallel()
			_, l := succeed(t, x, executor.Task{
				Script: `printf %s "$VALUE"; for f in *; do test "$f" = "*"; done`,
				Env:    []executor.EnvVar{{Name: "VALUE", Value: "an earlier one"}, {Name: "VALUE", Value: text}},
			})
			if got := l.text(executor.Stdout); got != text {
				t.Errorf("got %q", got)
			}
		})
	}
}

func testVariables(t *testing.T, x executor.Executor) {
	_, l := succeed(t, x, executor.Task{
		RunID: "01RUN", Step: "settle[0]", Attempt: 3, IdempotencyKey: "key-1",
		Script: `printf '%s|' "$REGIE_RUN_ID" "$REGIE_STEP" "$REGIE_ATTEMPT" "$REGIE_IDEMPOTENCY_KEY"
			test -n "$REGIE_OUTPUT"; test -n "$REGIE_CHECKPOINT"; test -n "$PATH"
			test -d "$TMPDIR"; test -w "$TMPDIR"; : >"$TMPDIR/x"`,
	})
	if got, want := l.text(executor.Stdout), "01RUN|settle[0]|3|key-1|"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func testFiles(t *testing.T, x executor.Executor) {
	r, l := succeed(t, x, executor.Task{
		Script: `scripts/go.sh; cat data.txt; test ! -x data.txt; test -x odd.sh; test ! -u odd.sh`,
		Files: []executor.File{
			{Path: "scripts/go.sh", Mode: 0o755, Data: []byte("#!/bin/sh\necho from the bundle\n")},
			{Path: "data.txt", Mode: 0o600, Data: []byte("data\n")},
			{Path: "odd.sh", Mode: 0o4711, Data: []byte("#!/bin/sh\n")},
			{Path: "a/b/c/empty"},
		},
	})
	if got := l.text(executor.Stdout); got != "from the bundle\ndata\n" {
		t.Errorf("got %q (%s)", got, r.ErrorMessage)
	}
	h, _, dir := start(t, x, executor.Task{Script: "exit 0", Files: []executor.File{
		{Path: "plain", Mode: 0o666}, {Path: "setuid", Mode: 0o6755}, {Path: "deep/group", Mode: 0o010},
	}})
	wait(t, x, h)
	for name, want := range map[string]os.FileMode{"plain": 0o644, "setuid": 0o755, "deep/group": 0o755} {
		info, err := os.Stat(filepath.Join(dir, "work", name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode(), want)
		}
	}
}

func testBundle(t *testing.T, x executor.Executor) {
	for name, files := range map[string][]executor.File{
		"absolute":        {{Path: "/tmp/x"}},
		"parent":          {{Path: "../x"}},
		"parent inside":   {{Path: "a/../../x"}},
		"not clean":       {{Path: "a/../x"}},
		"dot":             {{Path: "."}},
		"dot slash":       {{Path: "./x"}},
		"empty":           {{Path: ""}},
		"slash at end":    {{Path: "x/"}},
		"double slash":    {{Path: "a//x"}},
		"NUL":             {{Path: "a\x00b"}},
		"twice":           {{Path: "a"}, {Path: "a"}},
		"file and folder": {{Path: "a"}, {Path: "a/b"}},
		"folder and file": {{Path: "a/b"}, {Path: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := x.Start(t.Context(), executor.Task{Script: "exit 0", Dir: dir, Files: files})
			var start *executor.StartError
			if !errors.As(err, &start) || start.Name != "bundle" {
				t.Fatalf("got %v, want a StartError bundle", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v (%v)", left, err)
			}
		})
	}
}

func testOutputs(t *testing.T, x executor.Executor) {
	for name, c := range map[string]struct {
		script  string
		want    string // JSON
		invalid string // part of the message
	}{
		"JSON":             {script: `echo '{"total": 12, "files": ["a", "b"], "big": 123456789012345678901234567890}' >$REGIE_OUTPUT`, want: `{"total":12,"files":["a","b"],"big":123456789012345678901234567890}`},
		"lines":            {script: `echo total=12 >>$REGIE_OUTPUT; echo 'name= a=b ' >>$REGIE_OUTPUT; echo total=13 >>$REGIE_OUTPUT`, want: `{"total":"13","name":" a=b "}`},
		"several lines":    {script: "printf 'text<<END\\none\\n\\ntwo\\nEND\\nlast=1' >$REGIE_OUTPUT", want: `{"text":"one\n\ntwo","last":"1"}`},
		"replaced":         {script: `echo x=1 >other; mv other $REGIE_OUTPUT`, want: `{"x":"1"}`},
		"empty":            {script: `: >$REGIE_OUTPUT`},
		"bad line":         {script: `printf 'a=1\nhello\n' >$REGIE_OUTPUT`, invalid: "line 2:"},
		"bad JSON":         {script: `printf '{\n"a": 1,\n}' >$REGIE_OUTPUT`, invalid: "line 3:"},
		"JSON list":        {script: `echo '[1]' >$REGIE_OUTPUT`, want: `[1]`},
		"JSON text":        {script: `echo '"a"' >$REGIE_OUTPUT`, want: `"a"`},
		"bad JSON list":    {script: `echo '[1' >$REGIE_OUTPUT`, invalid: "line "},
		"duplicate key":    {script: `echo '{"a":1,"a":2}' >$REGIE_OUTPUT`, invalid: "duplicate key"},
		"no end":           {script: `printf 'a=1\nb<<END\nx\n' >$REGIE_OUTPUT`, invalid: "line 2:"},
		"not UTF-8":        {script: `printf 'a=1\nb=\377\n' >$REGIE_OUTPUT`, invalid: "line 2:"},
		"too large":        {script: `truncate -s 134217729 $REGIE_OUTPUT`, invalid: "128 MiB"},
		"link":             {script: `ln -s /etc/passwd $REGIE_OUTPUT`, invalid: "no regular file"},
		"link to own":      {script: `echo a=1 >$REGIE_CHECKPOINT; ln -s checkpoint $REGIE_OUTPUT`, invalid: "no regular file"},
		"dangling link":    {script: `ln -s /nowhere $REGIE_OUTPUT`, invalid: "no regular file"},
		"FIFO":             {script: `mkfifo $REGIE_OUTPUT`, invalid: "no regular file"},
		"folder":           {script: `mkdir $REGIE_OUTPUT`, invalid: "no regular file"},
		"folder is a way":  {script: `d=$(dirname $REGIE_OUTPUT); mv $d gone; echo a=1 >output; ln -s work $d`, want: `{"a":"1"}`},
		"folder leads out": {script: `d=$(dirname $REGIE_OUTPUT); mv $d gone; ln -s /etc $d`, invalid: "cannot be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := run(t, x, executor.Task{Script: c.script})
			if c.invalid != "" {
				if r.ErrorName != "output_invalid" || !strings.Contains(r.ErrorMessage, c.invalid) || r.ExitCode != 0 {
					t.Errorf("got %q: %s, want output_invalid with %q", r.ErrorName, r.ErrorMessage, c.invalid)
				}
				return
			}
			want := value.Undefined
			if c.want != "" {
				want = value.MustParse(c.want)
			}
			if r.Output.String() != want.String() {
				t.Errorf("got %v (%s %s), want %v", r.Output, r.ErrorName, r.ErrorMessage, want)
			}
		})
	}
	t.Run("of a failure", func(t *testing.T) {
		t.Parallel()
		r, _ := run(t, x, executor.Task{Script: "echo why=disk >$REGIE_OUTPUT; exit 3"})
		if r.ErrorName != "exit.3" || r.Output.String() != `{"why":"disk"}` {
			t.Errorf("got %q with %v", r.ErrorName, r.Output)
		}
		r, _ = run(t, x, executor.Task{Script: "echo broken >$REGIE_OUTPUT; exit 3"})
		if r.ErrorName != "exit.3" || !r.Output.IsUndefined() || !strings.Contains(r.Warning, "REGIE_OUTPUT line 1") {
			t.Errorf("got %q with %v, warning %q", r.ErrorName, r.Output, r.Warning)
		}
	})
	t.Run("largest", func(t *testing.T) {
		t.Parallel()
		r, _ := succeed(t, x, executor.Task{Script: `printf x= >$REGIE_OUTPUT; head -c 16777214 /dev/zero | tr '\000' y >>$REGIE_OUTPUT`})
		if got := r.Output.Get("x").Len(); got != 16777214 {
			t.Errorf("value has %d bytes", got)
		}
	})
}

func testCheckpoint(t *testing.T, x executor.Executor) {
	r, l := run(t, x, executor.Task{Script: `test ! -e $REGIE_CHECKPOINT; printf 'row 41' >$REGIE_CHECKPOINT; exit 1`})
	if string(r.Checkpoint) != "row 41" {
		t.Fatalf("checkpoint %q (%s)", r.Checkpoint, l.text(executor.Stderr))
	}
	r, l = succeed(t, x, executor.Task{Checkpoint: r.Checkpoint, Script: `cat $REGIE_CHECKPOINT; printf ', 42' >>$REGIE_CHECKPOINT`})
	if got := l.text(executor.Stdout); got != "row 41" || string(r.Checkpoint) != "row 41, 42" {
		t.Errorf("task saw %q and left %q", got, r.Checkpoint)
	}
	r, _ = succeed(t, x, executor.Task{Checkpoint: []byte("kept"), Script: "exit 0"})
	if string(r.Checkpoint) != "kept" {
		t.Errorf("an untouched checkpoint became %q", r.Checkpoint)
	}
	binary := make([]byte, executor.MaxCheckpointBytes)
	for i := range binary {
		binary[i] = byte(i)
	}
	r, _ = succeed(t, x, executor.Task{Checkpoint: binary, Script: "exit 0"})
	if !bytes.Equal(r.Checkpoint, binary) {
		t.Errorf("a binary checkpoint was changed")
	}
	for name, script := range map[string]string{
		"too large": `printf x >>$REGIE_CHECKPOINT`,
		"link":      `ln -sf /etc/passwd $REGIE_CHECKPOINT`,
		"FIFO":      `rm $REGIE_CHECKPOINT; mkfifo $REGIE_CHECKPOINT`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := succeed(t, x, executor.Task{Checkpoint: binary, Script: script})
			if r.Checkpoint != nil || !strings.Contains(r.Warning, "$REGIE_CHECKPOINT") {
				t.Errorf("kept %d bytes, warning %q", len(r.Checkpoint), r.Warning)
			}
		})
	}
}

func testDirectory(t *testing.T, x executor.Executor) {
	h, l, dir := start(t, x, executor.Task{Script: "pwd -P; mkdir sub; ln -s /etc link"})
	wait(t, x, h)
	work, err := filepath.EvalSymlinks(filepath.Join(dir, "work"))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.text(executor.Stdout); got != work+"\n" {
		t.Errorf("ran in %q, want %q", got, work)
	}
	_, err = x.Start(t.Context(), executor.Task{Script: "exit 0", Dir: dir})
	var again *executor.StartError
	if !errors.As(err, &again) {
		t.Errorf("a second attempt in the folder of another: %v", err)
	}
}
