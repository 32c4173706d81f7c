package transport

import (
	"encoding/hex"
	"io"
	"net/http"
)

// requestIDSize is the number of random bytes in the ID of a request.
const requestIDSize = 12

// requestID returns the ID that the client sent, if there is one and it has the
// right form, or a new one.
func (h *Handler) requestID(header http.Header) string {
	if sent := header.Values("X-Request-Id"); len(sent) == 1 && validRequestID(sent[0]) {
		return sent[0]
	}
	random := make([]byte, requestIDSize)
	if _, err := io.ReadFull(h.cfg.Random, random); err != nil {
		panic(err) // crypto/rand does not fail
	}
	return hex.EncodeToString(random)
}

// validRequestID says that an ID can stand in logs and headers as it is.
func validRequestID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
