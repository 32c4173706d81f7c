package items

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// Location is where an object is.
type Location struct{ Bucket, Key string }

// Inventory is the manifest of an S3 inventory.
type Inventory struct {
	// Headers are the names of the fields of its files, which have no header.
	Headers []string
	// Files are where the files are, in order.
	Files []Location
}

// ParseInventory reads manifest.json of an S3 inventory whose files are CSV.
// Files without a bucket of their own lie in the one given.
func ParseInventory(text []byte, bucket string) (Inventory, error) {
	v, err := value.Parse(bytes.TrimPrefix(text, []byte(byteOrderMark)))
	if err != nil {
		return Inventory{}, fmt.Errorf("manifest of an S3 inventory: %w", err)
	}
	if format, _ := v.Get("fileFormat").Str(); format != "CSV" {
		return Inventory{}, fmt.Errorf("manifest of an S3 inventory: fileFormat is %q; only CSV can be read", format)
	}
	var m Inventory
	schema, _ := v.Get("fileSchema").Str()
	for name := range strings.SplitSeq(schema, ",") {
		m.Headers = append(m.Headers, strings.TrimSpace(name))
	}
	if schema == "" || v.Get("files").Kind() != value.KindList {
		return Inventory{}, errors.New("manifest of an S3 inventory: fileSchema or files is missing")
	}
	if text, ok := v.Get("destinationBucket").Str(); ok && text != "" {
		bucket = text[strings.LastIndexByte(text, ':')+1:] // an ARN, or the name itself
	}
	for i, file := range v.Get("files").Items() {
		key, _ := file.Get("key").Str()
		if key == "" {
			return Inventory{}, fmt.Errorf("manifest of an S3 inventory: files[%d] has no key", i)
		}
		m.Files = append(m.Files, Location{Bucket: bucket, Key: key})
	}
	return m, nil
}

// ParseAthena reads the data manifest of an Athena query: a URI such as
// s3://bucket/key in each line.
func ParseAthena(r io.Reader) ([]Location, error) {
	var files []Location
	rows := CSV(r, CSVOptions{Headers: []string{"uri"}})
	for row, err := range rows {
		if err != nil {
			return nil, fmt.Errorf("manifest of Athena: %w", err)
		}
		uri, _ := row.Get("uri").Str()
		place, ok := strings.CutPrefix(strings.TrimSpace(uri), "s3://")
		bucket, key, found := strings.Cut(place, "/")
		if !ok || !found || bucket == "" || key == "" {
			return nil, fmt.Errorf("manifest of Athena: %q is not s3://bucket/key", uri)
		}
		files = append(files, Location{Bucket: bucket, Key: key})
	}
	return files, nil
}
