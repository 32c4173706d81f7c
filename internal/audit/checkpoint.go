package audit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint states the size and root of a log. Its text has the form of C2SP
// tlog-checkpoint, and its signatures that of C2SP signed-note, so that any
// witness of that form can cosign it.
type Checkpoint struct {
	// Origin names the log, for example regie.example.com/prod.
	Origin string
	Size   int64
	Root   Hash
	// Extensions are further lines, opaque to Regie.
	Extensions []string
}

// MaxCheckpoint is the length of the longest signed checkpoint that is read,
// in bytes. A witness adds about 150.
const MaxCheckpoint = 64 << 10

var errCheckpoint = errors.New("malformed checkpoint")

// Text returns the text that is signed.
func (c Checkpoint) Text() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	for _, line := range c.Extensions {
		b.WriteString(line + "\n")
	}
	if _, err := ParseCheckpoint(b.String()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// ParseCheckpoint reads the text of a checkpoint, whose signatures the caller
// has checked (see [OpenCheckpoint]).
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, ended := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ended || len(lines) < 3 {
		return Checkpoint{}, fmt.Errorf("%w: want three lines or more", errCheckpoint)
	}
	if slices.Contains(lines, "") {
		return Checkpoint{}, fmt.Errorf("%w: empty line", errCheckpoint)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > MaxSize || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: size %q", errCheckpoint, lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return Checkpoint{}, fmt.Errorf("%w: root %q", errCheckpoint, lines[2])
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root}
	if len(lines) > 3 {
		c.Extensions = lines[3:]
	}
	return c, nil
}

// Sign returns the checkpoint as a signed note. The first signer is the
// log, whose name is the origin.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	text, err := c.Text()
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// OpenCheckpoint checks a signed checkpoint and reads it. The log itself must
// have signed, and its name be the origin; the names of the witnesses that
// signed too are returned in the order of the note. A signature of a known key
// that does not hold is an error; those of unknown keys are passed over.
func OpenCheckpoint(signed []byte, log note.Verifier, witnesses ...note.Verifier) (Checkpoint, []string, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, nil, fmt.Errorf("open checkpoint: longer than %d bytes", MaxCheckpoint)
	}
	n, err := note.Open(signed, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("open checkpoint: %w", err)
	}
	var cosigned []string
	own := false
	for _, sig := range n.Sigs {
		if sig.Name == log.Name() && sig.Hash == log.KeyHash() {
			own = true
		} else {
			cosigned = append(cosigned, sig.Name)
		}
	}
	if !own {
		return Checkpoint{}, nil, fmt.Errorf("open checkpoint: the log %q has not signed it", log.Name())
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("open checkpoint: %w", err)
	}
	if c.Origin != log.Name() {
		return Checkpoint{}, nil, fmt.Errorf("open checkpoint: it is of log %q, not %q", c.Origin, log.Name())
	}
	return c, cosigned, nil
}
