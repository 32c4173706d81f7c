package items_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

// collect returns the values up to the first error.
func collect(seq iter.Seq2[value.Value, error]) (value.Value, error) {
	var all []value.Value
	for v, err := range seq {
		if err != nil {
			return value.List(all...), err
		}
		all = append(all, v)
	}
	return value.List(all...), nil
}

func check(t *testing.T, got value.Value, err error, want, wantErr string) {
	t.Helper()
	if wantErr != "" {
		if err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("error %v, want %q", err, wantErr)
		}
		return
	}
	if err != nil {
		t.Error(err)
	} else if !value.Equal(got, value.MustParse(want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text          string
		delimiter     byte
		headers       []string
		want, wantErr string
	}{
		"first row":              {text: "Col1,Col2\nValue1,Value2\nValue3,Value4\n", want: `[{"Col1": "Value1", "Col2": "Value2"}, {"Col1": "Value3", "Col2": "Value4"}]`},
		"no end of line":         {text: "a,b\n1,2", want: `[{"a": "1", "b": "2"}]`},
		"line ends of Windows":   {text: "a,b\r\n1,2\r\n", want: `[{"a": "1", "b": "2"}]`},
		"nothing":                {text: "", want: `[]`},
		"header alone":           {text: "a,b\n", want: `[]`},
		"given":                  {text: "1,2\n", headers: []string{"x", "y"}, want: `[{"x": "1", "y": "2"}]`},
		"empty lines":            {text: "\na,b\n\n1,2\n\r\n\n", want: `[{"a": "1", "b": "2"}]`},
		"fewer and more fields":  {text: "a,b\n1\n1,2,3\n,\n", want: `[{"a": "1", "b": ""}, {"a": "1", "b": "2"}, {"a": "", "b": ""}]`},
		"strange headers":        {text: "0,True,{}\nValue4,Value5,Value6\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n", want: `[{"0": "Value4", "{}": "Value6", "True": "Value5"}, {"0": "", "{}": "", "True": ""}, {"0": "true", "{}": "'HelloWorld'", "True": "1"}, {"0": "Null", "{}": "", "True": "None"}, {"0": "   ", "{}": "", "True": ""}]`},
		"empty header":           {text: "H1,\nValue4,Value5,Value6\n", want: `[{"": "Value5", "H1": "Value4"}]`},
		"quoted":                 {text: "a,b\n\"1,\n2\",\"say \"\"no\"\"\"\n\"\",x\"y\n", want: `[{"a": "1,\n2", "b": "say \"no\""}, {"a": "", "b": "x\"y"}]`},
		"text after a quotation": {text: "a\n\"1\"2\n", want: `[{"a": "12"}]`},
		"quoted row of nothing":  {text: "a\n\"\"\n", want: `[{"a": ""}]`},
		"backslashes":            {text: `a,b` + "\n" + `c\,d,e\\f` + "\n" + `\"g\x,"\"h"` + "\n", want: `[{"a": "c,d", "b": "e\\f"}, {"a": "\"gx", "b": "\"h"}]`},
		"pipe":                   {text: "a|b\n1,0|2\n", delimiter: '|', want: `[{"a": "1,0", "b": "2"}]`},
		"tab":                    {text: "a\tb\n1\t2\n", delimiter: '\t', want: `[{"a": "1", "b": "2"}]`},
		"as many columns":        {text: strings.Repeat(",", items.MaxColumns), wantErr: "more than 10000 columns"},
		"duplicate headers":      {text: "a,a\n1,2\n", wantErr: "CSV headers cannot contain duplicates."},
		"duplicates given":       {headers: []string{"H1", "H1", "H3"}, wantErr: "CSV headers cannot contain duplicates."},
		"quotation without end":  {text: "a\n1\n\"2\n", wantErr: "row at line 3: a quoted field has no end"},
		"long row":               {text: "a\n\"" + strings.Repeat("\n", items.MaxLine) + "\"", wantErr: "row at line 2: it has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := collect(items.CSV(strings.NewReader(c.text), items.CSVOptions{Delimiter: c.delimiter, Headers: c.headers}))
			check(t, got, err, c.want, c.wantErr)
		})
	}
}

func TestDelimiter(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]byte{"COMMA": ',', "pipe": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'} {
		if got, ok := items.Delimiter(name); got != want || !ok {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
	if _, ok := items.Delimiter("DOT"); ok {
		t.Error("there is no DOT")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, pointer, want, wantErr string
		keyed                        bool
	}{
		"list":             {text: ` [1, "a", null]`, want: `[1, "a", null]`},
		"byte order mark":  {text: "\ufeff[1]", want: `[1]`},
		"empty":            {text: `[]`, want: `[]`},
		"object":           {text: `{"b": 1, "a": {"x": 2}}`, keyed: true, want: `[{"Key": "b", "Value": 1}, {"Key": "a", "Value": {"x": 2}}]`},
		"pointer":          {text: `{"a": [{"b": [1]}]}`, pointer: "/a/0/b", want: `[1]`},
		"pointer, object":  {text: `{"a": {"b": 1}}`, pointer: "/a", keyed: true, want: `[{"Key": "b", "Value": 1}]`},
		"escaped pointer":  {text: `{"a/b": {"~": {"": [1]}}}`, pointer: "/a~1b/~0/", want: `[1]`},
		"no such member":   {text: `{"a": []}`, pointer: "/b", wantErr: items.ErrPointer.Error()},
		"no such index":    {text: `[[1]]`, pointer: "/01", wantErr: items.ErrPointer.Error()},
		"index beyond":     {text: `[[1]]`, pointer: "/1", wantErr: items.ErrPointer.Error()},
		"negative index":   {text: `[[1]]`, pointer: "/-1", wantErr: items.ErrPointer.Error()},
		"pointer to text":  {text: `["a"]`, pointer: "/0/1", wantErr: items.ErrPointer.Error()},
		"no pointer":       {text: `[1]`, pointer: "a", wantErr: items.ErrPointer.Error()},
		"no escape":        {text: `{"~": [1]}`, pointer: "/~", wantErr: items.ErrPointer.Error()},
		"a number":         {text: `12`, wantErr: items.ErrNotIterable.Error()},
		"pointer to 1":     {text: `{"a": 1}`, pointer: "/a", wantErr: items.ErrNotIterable.Error()},
		"no JSON":          {text: `[1`, wantErr: "line 1"},
		"nothing":          {text: ``, wantErr: "line 1"},
		"two values in it": {text: `[1] [2]`, wantErr: "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, keyed, err := items.JSON([]byte(c.text), c.pointer)
			check(t, value.List(got...), err, c.want, c.wantErr)
			if keyed != c.keyed {
				t.Errorf("keyed: %v", keyed)
			}
		})
	}
}

func TestJSONL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want, wantErr string }{
		"lines":     {text: "{\"a\": 1}\n[2]\r\n\"x\"", want: `[{"a": 1}, [2], "x"]`},
		"blank":     {text: "\n1\n  \n2\n\n", want: `[1, 2]`},
		"nothing":   {text: "", want: `[]`},
		"broken":    {text: "1\n{\n", wantErr: "line 2: "},
		"long line": {text: "1\n" + strings.Repeat(" ", items.MaxLine+1), wantErr: "line 2: it has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := collect(items.JSONL(strings.NewReader(c.text)))
			check(t, got, err, c.want, c.wantErr)
		})
	}
}

// A reader that breaks gives its error after what was whole, not an end.
func TestBrokenReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, read := range map[string]func(io.Reader) iter.Seq2[value.Value, error]{
		"csv":   func(r io.Reader) iter.Seq2[value.Value, error] { return items.CSV(r, items.CSVOptions{}) },
		"jsonl": items.JSONL,
	} {
		r := io.MultiReader(strings.NewReader("\"a\"\n\"1\"\n\"2"), iotest.ErrReader(broken))
		if _, err := collect(read(r)); !errors.Is(err, broken) && name == "csv" {
			t.Errorf("%s: %v", name, err)
		} else if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A consumer that has enough stops the reading.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, seq := range []iter.Seq2[value.Value, error]{
		items.CSV(strings.NewReader("a\n1\n\"2"), items.CSVOptions{}), items.JSONL(strings.NewReader("1\n{")),
	} {
		for _, err := range seq {
			if err != nil {
				t.Error(err)
			}
			break
		}
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want, wantErr string }{
		"plain":           {text: "a,b", want: "a,b"},
		"nothing":         {text: "", want: ""},
		"byte order mark": {text: "\ufeffa", want: "a"},
		"gzip":            {text: gzipped(t, "a,b"), want: "a,b"},
		"gzip of a mark":  {text: gzipped(t, "\ufeffa"), want: "a"},
		"zstd":            {text: "\x28\xb5\x2f\xfd...", wantErr: "zstd is not supported"},
		"half a gzip":     {text: gzipped(t, "a,b")[:12], wantErr: "unexpected EOF"},
		"start of a gzip": {text: "\x1f\x8b", wantErr: "decompress"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := items.Open(strings.NewReader(c.text))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
			}
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("error %v, want %q", err, c.wantErr)
				}
				return
			}
			if err != nil || string(got) != c.want {
				t.Errorf("got %q %v, want %q", got, err, c.want)
			}
		})
	}
}
