package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Token names an activation in messages from outside. Who does not know the
// run's seed cannot guess it: its second half is a hash over the seed.
func Token(run *Run, a *Activation) string {
	text := run.ID + "/" + strconv.FormatUint(uint64(a.ID), 10)
	seed := binary.BigEndian.AppendUint64(nil, run.Seed)
	sum := sha256.Sum256([]byte(text + "\x00" + strconv.Itoa(a.Generation) + "\x00" + string(seed)))
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// ParseToken tells which activation of which run a token names. Whether it is
// the right one is for [Machine.Decide] to say.
func ParseToken(token string) (run string, act ActID, err error) {
	head, _, ok := strings.Cut(token, ".")
	text, bad := base64.RawURLEncoding.DecodeString(head)
	run, digits, found := strings.Cut(string(text), "/")
	n, wrong := strconv.ParseUint(digits, 10, 64)
	if !ok || bad != nil || !found || wrong != nil || run == "" {
		return "", 0, fmt.Errorf("%w: this is no task token", ErrRefused)
	}
	return run, ActID(n), nil
}
