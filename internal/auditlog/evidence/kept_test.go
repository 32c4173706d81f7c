package evidence_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/regie-dev/regie/internal/auditlog/evidence"
)

func TestReadKept(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	witness, _ := testKeys(t, "witness.example", 9)
	stranger, strange := testKeys(t, "regie/test", 8)
	line := func(signed []byte) string {
		text, err := evidence.LineOf(signed)
		l.must(err)
		return string(text)
	}
	sizes := func(sizes ...int) (lines []string) {
		for _, size := range sizes {
			lines = append(lines, line(l.cut(size).sign()))
		}
		return lines
	}
	cosigned := l.clone().sign()
	n, err := note.Open(cosigned, note.VerifierList(l.key.Verifier()))
	l.must(err)
	cosigned, err = note.Sign(n, l.signer, witness)
	l.must(err)
	n.Sigs = nil
	foreign, err := note.Sign(n, stranger)
	l.must(err)
	for name, test := range map[string]struct {
		text string
		key  evidence.Key
		want []uint64
		torn int
		err  string
	}{
		"note":             {text: string(l.clone().sign()), want: []uint64{5}},
		"cosigned":         {text: string(cosigned), want: []uint64{5}},
		"lines":            {text: strings.Join(sizes(4, 2, 5), ""), want: []uint64{2, 4, 5}},
		"cut by a crash":   {text: sizes(2)[0][:30] + "\n" + strings.Join(sizes(3, 4), "") + sizes(5)[0][:100], want: []uint64{3, 4}, torn: 2},
		"only a cut line":  {text: sizes(2)[0][:30], err: "f has none"},
		"empty":            {text: "", err: "f: "},
		"no note":          {text: "hello\n", err: "f: "},
		"other key":        {text: string(foreign), err: "f: "},
		"line, other key":  {text: sizes(2)[0] + line(foreign), err: "f:2: "},
		"changed":          {text: strings.Replace(string(l.clone().sign()), "\n5\n", "\n4\n", 1), err: "f: "},
		"key of another":   {text: string(l.clone().sign()), key: strange, err: "f: "},
		"longer than ever": {text: strings.Repeat("x", 1<<20), err: "f: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.key == (evidence.Key{}) {
				test.key = l.key
			}
			kept, torn, err := evidence.ReadKept("f", strings.NewReader(test.text), test.key)
			if test.err != "" {
				if !errors.Is(err, evidence.ErrKept) || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			var got []uint64
			for _, k := range kept {
				got = append(got, k.Size)
				if k.Root != l.cut(int(k.Size)).edge.Root() {
					t.Errorf("%s: root", k.Name)
				}
			}
			if err != nil || torn != test.torn || !slices.Equal(got, test.want) {
				t.Errorf("sizes %v, torn %d, error %v", got, torn, err)
			}
		})
	}
	broken := errors.New("the disk is broken")
	for _, text := range []string{"", "{", "regie/test\n"} {
		if _, _, err := evidence.ReadKept("f", &failing{[]byte(text), broken}, l.key); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
}

func TestOpenLine(t *testing.T) {
	t.Parallel()
	l := smallLog(t)
	signed := l.clone().sign()
	line, err := evidence.LineOf(signed)
	l.must(err)
	got, c, err := evidence.OpenLine(line, l.key)
	if err != nil || !bytes.Equal(got, signed) || c.Size != 5 || c.Root != l.edge.Root() {
		t.Errorf("%q, %+v, %v", got, c, err)
	}
	// A line may have nothing beside what the log signed.
	witness, _ := testKeys(t, "witness.example", 9)
	n, err := note.Open(signed, note.VerifierList(l.key.Verifier()))
	l.must(err)
	cosigned, err := note.Sign(n, witness)
	l.must(err)
	line, err = evidence.LineOf(cosigned)
	l.must(err)
	if _, _, err := evidence.OpenLine(line, l.key); err == nil {
		t.Error("a line with two signatures is taken")
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	_, key := testKeys(t, "regie/test", 7)
	again, err := evidence.ParseKey("  " + key.String() + "\n")
	if err != nil || again.Origin() != "regie/test" || again.String() != key.String() {
		t.Errorf("%v, %v", again, err)
	}
	for text, want := range map[string]string{
		"":                            "want one line",
		"regie/test":                  "want one line",
		key.String() + "x":            "want one line",
		"PRIVATE+KEY+regie/test+1+AQ": "it is the private one",
	} {
		if _, err := evidence.ParseKey(text); !errors.Is(err, evidence.ErrKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
