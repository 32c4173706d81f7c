package cli

import (
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// maxInputFile is the largest file that --input reads.
const maxInputFile = 64 << 20

// inputHelp says what --input takes.
const inputHelp = "input as `JSON`, or @FILE to read it from a file (@- for standard input)"

// inputValue reads what stands after --input.
func (c *cli) inputValue(text string) (value.Value, error) { return c.jsonOrFile("input", text) }

// jsonOrFile reads the value of a flag: JSON, or @ and the name of a file that
// holds it. This is the only place where @ names a file.
func (c *cli) jsonOrFile(flag, text string) (value.Value, error) {
	if text == "" {
		return value.Undefined, nil
	}
	name, isFile := strings.CutPrefix(text, "@")
	var source []byte
	var err error
	switch {
	case !isFile:
		name, source = "--"+flag, []byte(text)
	case name == "":
		return value.Undefined, usagef("--%s @ names no file", flag).withHint("write --%s @FILE, or @- for standard input", flag)
	case name == "-":
		name = "standard input"
		source, err = readAll(name, c.Stdin, maxInputFile)
	default:
		source, err = c.readFile(name, maxInputFile)
	}
	if err != nil {
		return value.Undefined, err
	}
	v, err := value.Parse(source)
	if err != nil {
		f := failf(exitInvalid, "input_invalid", "%s is not valid JSON: %w", name, err)
		if !isFile {
			f = f.withHint(`give JSON such as --%[1]s '{"name": "value"}', or --%[1]s @FILE`, flag)
		}
		return value.Undefined, f
	}
	return v, nil
}

// jsonFlag reads the value of a flag that is JSON and nothing else.
func jsonFlag(flag, text string) (value.Value, error) {
	v, err := value.Parse([]byte(text))
	if err != nil {
		return value.Undefined, failf(exitInvalid, "input_invalid", "--%s is not valid JSON: %w", flag, err)
	}
	return v, nil
}
