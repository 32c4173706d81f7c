package items

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// MaxLine is the most bytes that a line of JSON Lines or a row of delimited
// text may have.
const MaxLine = 8 << 20

// Errors in the words of AWS Step Functions.
var (
	ErrNotIterable      = errors.New("Attempting to map over non-iterable node.")                                                   //nolint:staticcheck // AWS's words
	ErrPointer          = errors.New("The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure.") //nolint:staticcheck // AWS's words
	ErrDuplicateHeaders = errors.New("CSV headers cannot contain duplicates.")                                                      //nolint:staticcheck // AWS's words
	ErrMaxItems         = errors.New("field MaxItems must be positive")
)

// The bytes with which a text in UTF-8 and compressed data may begin.
const (
	byteOrderMark = "\ufeff"
	gzipMagic     = "\x1f\x8b"
	zstdMagic     = "\x28\xb5\x2f\xfd"
)

// Open returns a reader of the text in r: without a byte order mark, and
// decompressed if it begins as gzip does. Zstandard is an error.
func Open(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if startsWith(buffered, gzipMagic) {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		buffered = bufio.NewReader(unzipped)
	}
	if startsWith(buffered, zstdMagic) {
		return nil, errors.New("decompress: zstd is not supported; use gzip or no compression")
	}
	if startsWith(buffered, byteOrderMark) {
		if _, err := buffered.Discard(len(byteOrderMark)); err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
	}
	return buffered, nil
}

func startsWith(r *bufio.Reader, prefix string) bool {
	start, _ := r.Peek(len(prefix)) // what goes wrong here goes wrong again when it is read
	return string(start) == prefix
}

// JSON returns the items of a JSON text. pointer (RFC 6901) says where they
// are; empty means the whole text. The items of a list are its items, those of
// an object are {"Key": …, "Value": …} for each member in order, and keyed is
// true. Errors: [ErrPointer], [ErrNotIterable], [*value.SyntaxError].
func JSON(text []byte, pointer string) (items []value.Value, keyed bool, err error) {
	v, err := value.Parse(bytes.TrimPrefix(text, []byte(byteOrderMark)))
	if err != nil {
		return nil, false, err
	}
	if v, err = Point(v, pointer); err != nil {
		return nil, false, err
	}
	switch v.Kind() {
	case value.KindList:
		return v.Items(), false, nil
	case value.KindObject:
		items = make([]value.Value, 0, v.Len())
		for _, m := range v.Members() {
			items = append(items, value.Object(value.M("Key", value.String(m.Key)), value.M("Value", m.Value)))
		}
		return items, true, nil
	default:
		return nil, false, ErrNotIterable
	}
}

// Point follows a JSON pointer (RFC 6901) in v. The error is [ErrPointer].
func Point(v value.Value, pointer string) (value.Value, error) {
	if pointer == "" {
		return v, nil
	}
	steps := strings.Split(pointer, "/")
	if steps[0] != "" {
		return value.Undefined, ErrPointer
	}
	for _, step := range steps[1:] {
		name, ok := unescape(step)
		if !ok {
			return value.Undefined, ErrPointer
		}
		if v.Kind() == value.KindList {
			v = v.At(position(name))
		} else {
			v = v.Get(name)
		}
		if v.IsUndefined() {
			return value.Undefined, ErrPointer
		}
	}
	return v, nil
}

// unescape reads ~0 as ~ and ~1 as /; a ~ before anything else is no pointer.
func unescape(step string) (string, bool) {
	rest := strings.ReplaceAll(strings.ReplaceAll(step, "~0", ""), "~1", "")
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~"), !strings.Contains(rest, "~")
}

// position is the index that a step of a pointer names, -1 if it names none.
func position(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return -1
	}
	return n
}

// JSONL returns the values of JSON Lines, one a line; blank lines are passed
// over. The first error is the last thing that it yields.
func JSONL(r io.Reader) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, MaxLine)
		n := 0
		for lines.Scan() {
			n++
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			v, err := value.Parse(lines.Bytes())
			if err != nil {
				yield(value.Undefined, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = errTooLong
		}
		if err != nil {
			yield(value.Undefined, fmt.Errorf("line %d: %w", n+1, err))
		}
	}
}

var errTooLong = fmt.Errorf("it has more than %d bytes", MaxLine)
