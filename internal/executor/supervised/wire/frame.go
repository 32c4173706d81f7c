package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read from a connection.
const (
	// MaxFrame is the largest payload in bytes: a result with the largest output,
	// 128 MiB as JSON, and a checkpoint.
	MaxFrame = 144 << 20
	// MaxAttachments is above the most files that a bundle can have.
	MaxAttachments = 16 << 10

	// firstRead is what is allocated for a frame before its bytes have come.
	firstRead = 64 << 10
	frameHead = 5
)

// Kind tells frames apart.
type Kind byte

// The kinds of frames.
const (
	KindMessage Kind = 1
	KindOutput  Kind = 2
)

// AppendFrame appends a frame with that payload.
func AppendFrame(b []byte, kind Kind, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, byte(kind)), payload...)
}

// ReadFrame reads one frame. [io.EOF] says that there is none any more. What is
// allocated grows with what comes, not with what the length promises.
func ReadFrame(r io.Reader) (Kind, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, nil, io.EOF
		}
		return 0, nil, fmt.Errorf("read frame: %w", err)
	}
	n, kind := int64(binary.LittleEndian.Uint32(head[:])), Kind(head[4])
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("read frame: it has %d bytes, more than %d", n, MaxFrame)
	}
	if kind != KindMessage && kind != KindOutput {
		return 0, nil, fmt.Errorf("read frame: unknown kind %d", kind)
	}
	if n <= firstRead {
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); err != nil {
			return 0, nil, fmt.Errorf("read frame: %w", cut(err))
		}
		return kind, payload, nil
	}
	var payload bytes.Buffer
	payload.Grow(firstRead)
	if _, err := io.CopyN(&payload, r, n); err != nil {
		return 0, nil, fmt.Errorf("read frame: %w", cut(err))
	}
	return kind, payload.Bytes(), nil
}

// cut is an end in the middle of a frame, which is no orderly one.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// EncodeMessage makes the payload of a message.
func EncodeMessage(header any, attachments ...[]byte) ([]byte, error) {
	text, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	size := 4 + len(text)
	for _, a := range attachments {
		size += 4 + len(a)
	}
	if size > MaxFrame || len(attachments) > MaxAttachments {
		return nil, fmt.Errorf("encode message: it has %d bytes and %d attachments; at most %d and %d can be sent", size, len(attachments), MaxFrame, MaxAttachments)
	}
	b := make([]byte, 0, size)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = append(b, text...)
	for _, a := range attachments {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(a)))
		b = append(b, a...)
	}
	return b, nil
}

// DecodeMessage reads the payload of a message into header and returns the
// attachments, which are parts of payload. Fields that header does not have are
// not looked at.
func DecodeMessage(payload []byte, header any) ([][]byte, error) {
	text, rest, ok := piece(payload)
	if !ok {
		return nil, errors.New("decode message: the header is cut")
	}
	if err := json.Unmarshal(text, header); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	var attachments [][]byte
	for len(rest) > 0 {
		var a []byte
		if a, rest, ok = piece(rest); !ok {
			return nil, errors.New("decode message: an attachment is cut")
		}
		if len(attachments) == MaxAttachments {
			return nil, fmt.Errorf("decode message: more than %d attachments", MaxAttachments)
		}
		attachments = append(attachments, a)
	}
	return attachments, nil
}

// piece takes bytes that begin with their length.
func piece(b []byte) (got, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n : 4+n], b[4+n:], true
}
