package transform

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// errSyntax is a text that cannot be parsed.
var errSyntax = errors.New("syntax")

func parse(format string, v value.Value) (value.Value, error) {
	text, ok := v.Str()
	if !ok {
		return value.Undefined, fmt.Errorf("%w: want a text, found %s", errKind, kindOf(v))
	}
	text = strings.TrimPrefix(text, "\ufeff")
	switch format {
	case "json":
		parsed, err := value.Parse([]byte(text))
		if err != nil {
			return value.Undefined, fmt.Errorf("%w: %w", errSyntax, err)
		}
		return parsed, nil
	case "csv":
		return parseCSV(text)
	}
	var items []value.Value
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if format == "lines" {
			items = append(items, value.String(line))
			continue
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		parsed, err := value.Parse([]byte(line))
		if err != nil {
			return value.Undefined, fmt.Errorf("%w: line %d: %w", errSyntax, n, err)
		}
		items = append(items, parsed)
	}
	return value.List(items...), nil
}

func parseCSV(text string) (value.Value, error) {
	r := csv.NewReader(strings.NewReader(text))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return value.List(), nil
	}
	if err != nil {
		return value.Undefined, fmt.Errorf("%w: %w", errSyntax, err)
	}
	seen := map[string]bool{}
	for _, name := range header {
		if seen[name] {
			return value.Undefined, fmt.Errorf("%w: the column %q is there twice", errSyntax, name)
		}
		seen[name] = true
	}
	var rows []value.Value
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return value.List(rows...), nil
		}
		if err != nil {
			return value.Undefined, fmt.Errorf("%w: %w", errSyntax, err)
		}
		members := make([]value.Member, len(record))
		for i, field := range record {
			members[i] = value.M(header[i], value.String(field))
		}
		rows = append(rows, value.Object(members...))
	}
}

func format(name string, v value.Value) (value.Value, error) {
	if name == "json" {
		return value.String(v.String()), nil
	}
	if v.Kind() != value.KindList {
		return value.Undefined, fmt.Errorf("%w: want a list, found %s", errKind, kindOf(v))
	}
	if name == "csv" {
		return formatCSV(v.Items())
	}
	var b strings.Builder
	for _, item := range v.Items() {
		if name == "lines" {
			b.WriteString(cell(item))
		} else {
			b.Write(item.Append(nil))
		}
		b.WriteByte('\n')
	}
	return value.String(b.String()), nil
}

// cell is a value as a text: texts as they are, null as nothing, all else as
// JSON.
func cell(v value.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	if v.IsNull() {
		return ""
	}
	return v.String()
}

// formatCSV writes all keys that occur as columns, in the order in which they
// first do.
func formatCSV(items []value.Value) (value.Value, error) {
	var header []string
	seen := map[string]bool{}
	for i, item := range items {
		if item.Kind() != value.KindObject {
			return value.Undefined, fmt.Errorf("%w: want objects, item %d is %s", errKind, i, kindOf(item))
		}
		for _, m := range item.Members() {
			if !seen[m.Key] {
				seen[m.Key] = true
				header = append(header, m.Key)
			}
		}
	}
	if len(header) == 0 {
		return value.String(""), nil
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(header) // a strings.Builder takes everything
	for _, item := range items {
		record := make([]string, len(header))
		for i, name := range header {
			record[i] = cell(item.Get(name))
		}
		_ = w.Write(record)
	}
	w.Flush()
	return value.String(b.String()), nil
}
