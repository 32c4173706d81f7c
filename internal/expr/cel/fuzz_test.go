package cel_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

// fuzzLimit bounds one compilation or evaluation; both take well under a tenth
// of it on a machine at rest.
const fuzzLimit = 5 * time.Second

func addSeeds(f *testing.F) {
	for _, file := range []string{"testdata/eval.txt", "testdata/problems.txt"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			source, _, _ := strings.Cut(line, " => ")
			f.Add(source)
		}
	}
}

// Property: compiling never panics, takes bounded time, gives a result or
// problems that lie within the text, and the same each time.
func FuzzCompile(f *testing.F) {
	addSeeds(f)
	lang := cel.New()
	f.Fuzz(func(t *testing.T, source string) {
		start := time.Now()
		compiled, problems := lang.Compile(source, typedEnv())
		if took := time.Since(start); took > fuzzLimit {
			t.Fatalf("took %s", took)
		}
		if (compiled == nil) != (len(problems) > 0) {
			t.Fatalf("%v with %v", compiled, problems)
		}
		_, again := lang.Compile(source, typedEnv())
		if len(again) != len(problems) {
			t.Fatalf("%v, then %v", problems, again)
		}
		for i, p := range problems {
			if p != again[i] {
				t.Fatalf("%v, then %v", p, again[i])
			}
			if p.Code == "" || p.Message == "" || p.Code == expr.Internal {
				t.Fatalf("%+v", p)
			}
			if p.Offset < 0 || p.Length < 1 || p.Offset > len(source) || p.Offset+p.Length > max(len(source), p.Offset+1) {
				t.Fatalf("%+v lies outside %d bytes", p, len(source))
			}
		}
		if _, problems := lang.ParseJoin(source); len(problems) > 0 && problems[0].Code == "" {
			t.Fatalf("%+v", problems)
		}
	})
}

// Property: evaluating never panics, ends within its budget, fails only with
// errors of the contract, and gives the same each time; what it gives is JSON that is read back.
func FuzzEval(f *testing.F) {
	addSeeds(f)
	lang := cel.New()
	env := typedEnv()
	env.Roots[2].Type = expr.Type{}
	f.Fuzz(func(t *testing.T, source string) {
		compiled, problems := lang.Compile(source, env)
		if len(problems) > 0 {
			return
		}
		request := expr.Request{Bindings: typedBindings()}
		start := time.Now()
		got, err := compiled.Eval(request)
		if took := time.Since(start); took > fuzzLimit {
			t.Fatalf("took %s", took)
		}
		var fault *expr.Error
		if err != nil && (!errors.As(err, &fault) || fault.Code == "" || fault.Code == expr.Internal || fault.Offset > len(source)) {
			t.Fatalf("%#v", err)
		}
		again, err2 := compiled.Eval(request)
		if (err == nil) != (err2 == nil) || got.String() != again.String() {
			t.Fatalf("%s, %v, then %s, %v", got, err, again, err2)
		}
		if err == nil && !got.IsUndefined() {
			back, err := value.Parse([]byte(got.String()))
			if err != nil || back.String() != got.String() {
				t.Fatalf("%s was read as %s, %v", got, back, err)
			}
		}
	})
}
