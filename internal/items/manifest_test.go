package items_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/items"
)

func TestInventory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want, wantErr string }{
		"arn": {
			text: `{"sourceBucket": "src", "destinationBucket": "arn:aws:s3:::inv", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": [{"key": "data/1.csv.gz", "size": 3, "MD5checksum": "x"}, {"key": "data/2.csv.gz"}]}`,
			want: "{[Bucket Key Size] [{inv data/1.csv.gz} {inv data/2.csv.gz}]}",
		},
		"name":       {text: `{"destinationBucket": "inv", "fileFormat": "CSV", "fileSchema": "Key", "files": [{"key": "1"}]}`, want: "{[Key] [{inv 1}]}"},
		"none":       {text: `{"fileFormat": "CSV", "fileSchema": "Key", "files": [{"key": "1"}]}`, want: "{[Key] [{own 1}]}"},
		"no files":   {text: `{"fileFormat": "CSV", "fileSchema": "Key", "files": []}`, want: "{[Key] []}"},
		"ORC":        {text: `{"fileFormat": "ORC", "fileSchema": "struct<>", "files": []}`, wantErr: `fileFormat is "ORC"; only CSV`},
		"no schema":  {text: `{"fileFormat": "CSV", "files": []}`, wantErr: "fileSchema or files is missing"},
		"not listed": {text: `{"fileFormat": "CSV", "fileSchema": "Key"}`, wantErr: "fileSchema or files is missing"},
		"no key":     {text: `{"fileFormat": "CSV", "fileSchema": "Key", "files": [{}]}`, wantErr: "files[0] has no key"},
		"no JSON":    {text: `Bucket,Key`, wantErr: "manifest of an S3 inventory: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := items.ParseInventory([]byte(c.text), "own")
			checkText(t, fmt.Sprint(m), err, c.want, c.wantErr)
		})
	}
}

func TestAthena(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want, wantErr string }{
		"uris":   {text: "s3://b/unload/1.gz\n\n\"s3://b/2\"\r\n", want: "[{b unload/1.gz} {b 2}]"},
		"none":   {text: "", want: "[]"},
		"no uri": {text: "s3://b/1\nhttp://b/2\n", wantErr: `"http://b/2" is not s3://bucket/key`},
		"no key": {text: "s3://b/\n", wantErr: "is not s3://bucket/key"},
		"bucket": {text: "s3://b\n", wantErr: "is not s3://bucket/key"},
		"quote":  {text: "\"s3://b/1\n", wantErr: "a quoted field has no end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := items.ParseAthena(strings.NewReader(c.text))
			checkText(t, fmt.Sprint(files), err, c.want, c.wantErr)
		})
	}
}

func checkText(t *testing.T, got string, err error, want, wantErr string) {
	t.Helper()
	if wantErr != "" {
		if err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("error %v, want %q", err, wantErr)
		}
		return
	}
	if err != nil || got != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}
