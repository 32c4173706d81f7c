package items_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/items"
	"github.com/regie-dev/regie/internal/value"
)

// Rows have exactly the headers given; a text that is quoted by the rules of
// RFC 4180 comes back as it was, unless it has backslashes.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,2\n", "x")
	f.Add("\"a\"\"\n,b\"\\", "a\"b,\n")
	f.Fuzz(func(t *testing.T, text, field string) {
		headers := []string{"h1", "h2"}
		for row, err := range items.CSV(strings.NewReader(text), items.CSVOptions{Headers: headers}) {
			if err == nil && (row.Len() != len(headers) || row.Get("h1").Kind() != value.KindString) {
				t.Errorf("%q: row %s", text, row)
			}
		}
		if strings.Contains(field, "\\") || len(field) > items.MaxLine/4 {
			return
		}
		quoted := `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		got, err := collect(items.CSV(strings.NewReader(quoted), items.CSVOptions{Headers: headers[:1]}))
		if want := value.List(value.Object(value.M("h1", value.String(field)))); err != nil || !value.Equal(got, want) {
			t.Errorf("%q: %s %v", quoted, got, err)
		}
	})
}

// The items of a JSON text are as many as it has, and a pointer never panics.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a": [1]}`, "/a/0")
	f.Fuzz(func(t *testing.T, text, pointer string) {
		got, keyed, err := items.JSON([]byte(text), "")
		if err == nil && keyed {
			v := value.MustParse(strings.TrimPrefix(text, "\ufeff"))
			for _, item := range got {
				if !value.Equal(v.Get(item.Get("Key").Text()), item.Get("Value")) {
					t.Errorf("%q: item %s", text, item)
				}
			}
		}
		_, _, _ = items.JSON([]byte(text), pointer)
		_, _ = items.ParseInventory([]byte(text), "b")
		_, _ = items.ParseAthena(strings.NewReader(text))
	})
}
